/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"

enum { PF_EXITING = 4 }; /* include/linux/sched.h */

/* /proc/PID/stat: pid (comm) state ppid pgrp session tty tpgid flags, four counts of page faults,
 * and four of ticks. */
static int read_process(int proc, pid_t pid, struct tree_process *ret)
{
	AUTO_CLOSE int fd = -1;
	char path[32];
	char text[512];
	const char *tail;
	char *end;
	ssize_t len;

	snprintf(path, sizeof(path), "%d/stat", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return -ESRCH;
	text[len] = '\0';
	tail = strrchr(text, ')');
	if (!tail || strlen(tail) < 4)
		return -EIO;
	*ret = (struct tree_process){.pid = pid, .task = pid};
	ret->state = tail[2];
	ret->ended = tail[2] == 'Z' || tail[2] == 'X';
	ret->ppid = (pid_t)strtol(tail + 3, &end, 10);
	ret->pgrp = (pid_t)strtol(end, &end, 10);
	for (int field = 6; field <= 17; field++) {
		const uint64_t value = strtoull(end, &end, 10);

		if (field == 9)
			ret->ended |= value & PF_EXITING;
		if (field >= 14)
			ret->ticks += value;
	}
	return 0;
}

bool tree_contains(pid_t root, pid_t pid)
{
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct tree_process process = {0};

	/* The chain of parents is never longer than the table of processes. */
	for (unsigned int depth = 0; pid > 1 && depth < (1U << 22); depth++) {
		if (pid == root)
			return true;
		if (proc < 0 || read_process(proc, pid, &process) < 0)
			return false;
		pid = process.ppid;
	}
	return false;
}

/* Every process of the host, in *ret (freed by the caller). Returns how many; 0: they cannot be told. */
static size_t list_processes(struct tree_process **ret)
{
	AUTO_DIR DIR *dir = opendir("/proc");
	struct tree_process *list = NULL;
	const struct dirent *entry;
	size_t count = 0;
	size_t room = 0;

	*ret = NULL;
	while (dir && (entry = readdir(dir))) {
		struct tree_process process;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (read_process(dirfd(dir), (pid_t)atoi(entry->d_name), &process) < 0)
			continue;
		if (count == room) {
			struct tree_process *grown;

			room = room ? 2 * room : 256;
			grown = reallocarray(list, room, sizeof(*list));
			if (!grown) {
				count = 0;
				break;
			}
			list = grown;
		}
		list[count++] = process;
	}
	*ret = list;
	return count;
}

static int by_pid(const void *left, const void *right)
{
	const struct tree_process *a = left;
	const struct tree_process *b = right;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* Marks those that descend from root. Parents mostly have the smaller id, so that one pass in
 * order of ids nearly always does; passes go on until nothing changes. */
static void mark_descendants(struct tree_process *list, size_t count, pid_t root)
{
	bool changed = count > 0;

	if (count)
		qsort(list, count, sizeof(*list), by_pid);
	while (changed) {
		changed = false;
		for (size_t i = 0; i < count; i++) {
			const struct tree_process key = {.pid = list[i].ppid};
			const struct tree_process *parent;

			if (list[i].descends)
				continue;
			parent = bsearch(&key, list, count, sizeof(*list), by_pid);
			list[i].descends = list[i].ppid == root || (parent && parent->descends);
			changed |= list[i].descends;
		}
	}
}

bool tree_owns_group(pid_t root, pid_t pgrp, pid_t but)
{
	AUTO_FREE struct tree_process *list = NULL;
	size_t count = list_processes(&list);

	mark_descendants(list, count, root);
	for (size_t i = 0; i < count; i++) {
		if (list[i].pgrp == pgrp && list[i].pid != but && !list[i].descends)
			return false;
	}
	return count > 0;
}

bool tree_shares_group(pid_t root, pid_t pgrp)
{
	AUTO_FREE struct tree_process *list = NULL;
	size_t count = list_processes(&list);
	bool empty = count > 0;

	mark_descendants(list, count, root);
	for (size_t i = 0; i < count; i++) {
		if (list[i].pgrp != pgrp)
			continue;
		if (list[i].descends)
			return true;
		empty = false;
	}
	return empty;
}

bool tree_group_is_orphaned(pid_t pid)
{
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const pid_t session = getsid(pid);
	const pid_t pgrp = getpgid(pid);
	struct tree_process process = {0};

	while (proc >= 0 && read_process(proc, pid, &process) == 0 && process.ppid > 0) {
		pid = process.ppid;
		if (getpgid(pid) != pgrp)
			return getsid(pid) != session;
	}
	return true;
}

char tree_state(pid_t tid)
{
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct tree_process process;

	return proc >= 0 && read_process(proc, tid, &process) == 0 && !process.ended ?
		       process.state :
		       'X';
}

/* The first thread of a process may end before the others. */
static pid_t living_task(pid_t pid)
{
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_DIR DIR *dir = NULL;
	const struct dirent *entry;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (proc >= 0 && dir && (entry = readdir(dir))) {
		const pid_t tid = (pid_t)atoi(entry->d_name);
		struct tree_process task;

		if (tid > 0 && read_process(proc, tid, &task) == 0 && !task.ended)
			return tid;
	}
	return pid;
}

size_t tree_list(pid_t root, struct tree_process **ret)
{
	const size_t all = list_processes(ret);
	size_t count = 0;

	mark_descendants(*ret, all, root);
	for (size_t i = 0; i < all; i++) {
		if (!(*ret)[i].descends)
			continue;
		if ((*ret)[i].ended)
			(*ret)[i].task = living_task((*ret)[i].pid);
		(*ret)[count++] = (*ret)[i];
	}
	return count;
}

unsigned int tree_signal(pid_t root, int sig)
{
	AUTO_FREE struct tree_process *list = NULL;
	const size_t count = tree_list(root, &list);

	for (size_t i = 0; i < count; i++)
		kill(list[i].pid, sig);
	return (unsigned int)count;
}

bool tree_has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD) == 0;
}

/* Takes the exit status of every ended child. Returns how many there were. */
static unsigned int reap(void)
{
	unsigned int reaped = 0;

	for (;;) {
		siginfo_t info = {0};

		/* __WNOTHREAD: a worker that verifies an exec waits for its tracee by itself. */
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL | __WNOTHREAD) < 0 ||
		    info.si_pid == 0)
			return reaped;
		reaped++;
	}
}

void tree_kill(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	while (tree_has_children()) {
		tree_signal(getpid(), SIGKILL);
		if (!reap())
			nanosleep(&pause, NULL);
	}
}
