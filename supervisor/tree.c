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

struct process {
	pid_t pid;
	pid_t ppid;
	pid_t pgrp;
	bool descends;
};

/* /proc/PID/stat: pid (comm) state ppid pgrp ... */
static int read_process(int proc, pid_t pid, struct process *ret)
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
	*ret = (struct process){.pid = pid};
	ret->ppid = (pid_t)strtol(tail + 3, &end, 10);
	ret->pgrp = (pid_t)strtol(end, NULL, 10);
	return 0;
}

bool tree_contains(pid_t root, pid_t pid)
{
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct process process = {0};

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

/* Every process of the host, in *ret (freed by the caller). Returns how many. */
static size_t list_processes(struct process **ret)
{
	AUTO_DIR DIR *dir = opendir("/proc");
	struct process *list = NULL;
	const struct dirent *entry;
	size_t count = 0;
	size_t room = 0;

	*ret = NULL;
	while (dir && (entry = readdir(dir))) {
		struct process process;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (read_process(dirfd(dir), (pid_t)atoi(entry->d_name), &process) < 0)
			continue;
		if (count == room) {
			struct process *grown;

			room = room ? 2 * room : 256;
			grown = reallocarray(list, room, sizeof(*list));
			if (!grown)
				break;
			list = grown;
		}
		list[count++] = process;
	}
	*ret = list;
	return count;
}

static int by_pid(const void *left, const void *right)
{
	const struct process *a = left;
	const struct process *b = right;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* Marks those that descend from root. Parents mostly have the smaller id, so that one pass in
 * order of ids nearly always does; passes go on until nothing changes. */
static void mark_descendants(struct process *list, size_t count, pid_t root)
{
	bool changed = count > 0;

	if (count)
		qsort(list, count, sizeof(*list), by_pid);
	while (changed) {
		changed = false;
		for (size_t i = 0; i < count; i++) {
			const struct process key = {.pid = list[i].ppid};
			const struct process *parent;

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
	AUTO_FREE struct process *list = NULL;
	size_t count = list_processes(&list);

	mark_descendants(list, count, root);
	for (size_t i = 0; i < count; i++) {
		if (list[i].pgrp == pgrp && list[i].pid != but && !list[i].descends)
			return false;
	}
	return true;
}

bool tree_group_is_orphaned(pid_t pid)
{
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const pid_t session = getsid(pid);
	const pid_t pgrp = getpgid(pid);
	struct process process = {0};

	while (proc >= 0 && read_process(proc, pid, &process) == 0 && process.ppid > 0) {
		pid = process.ppid;
		if (getpgid(pid) != pgrp)
			return getsid(pid) != session;
	}
	return true;
}

unsigned int tree_signal(pid_t root, int sig)
{
	AUTO_FREE struct process *list = NULL;
	size_t count = list_processes(&list);
	unsigned int found = 0;

	mark_descendants(list, count, root);
	for (size_t i = 0; i < count; i++) {
		if (!list[i].descends)
			continue;
		kill(list[i].pid, sig);
		found++;
	}
	return found;
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
