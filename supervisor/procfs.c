/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum { TASKS_MAX = 32 }; /* that proc_has_stopped_thread() looks at */

/* Reads /proc/PID/NAME into buf as a string, cut to `size`. Returns its length or -errno. */
static ssize_t read_file(const struct session *session, pid_t pid, const char *name, char *buf,
			 size_t size)
{
	AUTO_CLOSE int fd = -1;
	char path[64];
	size_t used = 0;

	snprintf(path, sizeof(path), "%d/%s", pid, name);
	fd = openat(session->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		ssize_t got = read(fd, buf + used, size - 1 - used);

		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	buf[used] = '\0';
	return (ssize_t)used;
}

int proc_stat(const struct session *session, pid_t pid, struct proc_stat *ret)
{
	char text[PROC_STAT_SIZE];
	ssize_t len = read_file(session, pid, "stat", text, sizeof(text));

	return len < 0 ? (int)len : proc_stat_parse(text, ret);
}

int proc_stat_parse(const char *text, struct proc_stat *ret)
{
	const char *name = strchr(text, '(');
	const char *fields = strrchr(text, ')');
	uint64_t field[29] = {0};
	int last = 3;

	/* The second field is the name in brackets, which may hold anything. */
	if (!name || !fields || strlen(fields) < 4)
		return -EIO;
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", (int)(fields - name - 1), name + 1);
	ret->state = fields[2];
	fields += 3;
	for (char *end; last < 28; last++) {
		field[last + 1] = (uint64_t)strtoll(fields, &end, 10);
		if (end == fields)
			return -EIO;
		fields = end;
	}
	ret->ppid = (pid_t)field[4];
	ret->pgrp = (pid_t)field[5];
	ret->session = (pid_t)field[6];
	ret->tty = (int)field[7];
	ret->start_time = field[22];
	ret->start_stack = field[28];
	return 0;
}

/* The text after "NAME:\t" at the start of a line, or NULL. */
static const char *status_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, "\t ");
	}
	return NULL;
}

static uint64_t status_number(const char *text, const char *name, int base)
{
	const char *value = status_value(text, name);

	return value ? strtoull(value, NULL, base) : 0;
}

static void status_ids(const char *text, const char *name, uint32_t ids[4])
{
	const char *value = status_value(text, name);
	char *end;

	for (size_t i = 0; value && i < 4; i++, value = end)
		ids[i] = (uint32_t)strtoul(value, &end, 10);
}

int proc_status(const struct session *session, pid_t tid, struct proc_status *ret)
{
	char text[4096] = "";
	ssize_t len = read_file(session, tid, "status", text, sizeof(text));
	const char *state;
	const char *name;

	if (len < 0)
		return (int)len;
	memset(ret, 0, sizeof(*ret));
	if (!status_value(text, "Tgid") || !status_value(text, "Umask"))
		return -EIO;
	ret->tgid = (pid_t)status_number(text, "Tgid", 10);
	ret->umask = (mode_t)status_number(text, "Umask", 8);
	ret->pending_process = status_number(text, "ShdPnd", 16);
	ret->pending = status_number(text, "SigPnd", 16) | ret->pending_process;
	ret->blocked = status_number(text, "SigBlk", 16);
	status_ids(text, "Uid", ret->uid);
	status_ids(text, "Gid", ret->gid);
	ret->threads = (unsigned int)status_number(text, "Threads", 10);
	state = status_value(text, "State");
	ret->ended = state && (*state == 'Z' || *state == 'X');
	name = status_value(text, "Name");
	if (name)
		snprintf(ret->comm, sizeof(ret->comm), "%.*s", (int)strcspn(name, "\n"), name);
	return 0;
}

int proc_usage(const struct session *session, pid_t pid, struct proc_usage *ret)
{
	enum { UTIME = 14, STIME = 15, START = 22, EXIT_CODE = 52 };
	const uint64_t tick_ns = 1000000000U / (uint64_t)sysconf(_SC_CLK_TCK);
	char text[4096];
	ssize_t len = read_file(session, pid, "stat", text, sizeof(text));
	uint64_t field[EXIT_CODE + 1] = {0};
	const char *at;

	if (len < 0)
		return (int)len;
	at = strrchr(text, ')');
	if (!at || strlen(at) < 4)
		return -EIO;
	*ret = (struct proc_usage){.ended = at[2] == 'Z' || at[2] == 'X'};
	at += 3;
	for (int i = 4; i <= EXIT_CODE; i++) {
		char *end;

		field[i] = (uint64_t)strtoll(at, &end, 10);
		if (end == at)
			return -EIO;
		at = end;
	}
	ret->start_time = field[START];
	ret->user_ns = field[UTIME] * tick_ns;
	ret->system_ns = field[STIME] * tick_ns;
	ret->status = (int)field[EXIT_CODE];
	if (read_file(session, pid, "status", text, sizeof(text)) > 0)
		ret->max_rss_bytes = status_number(text, "VmHWM", 10) * 1024;
	return 0;
}

int proc_syscall(const struct session *session, pid_t tid)
{
	char text[256];
	ssize_t len = read_file(session, tid, "syscall", text, sizeof(text));

	if (len < 0)
		return (int)len;
	return strncmp(text, "running", 7) ? atoi(text) : -EBUSY;
}

FILE *proc_open_maps(const struct session *session, pid_t tid)
{
	char path[32];
	FILE *maps;
	int fd;

	snprintf(path, sizeof(path), "%d/maps", tid);
	fd = openat(session->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	maps = fdopen(fd, "r");
	if (!maps)
		close(fd);
	return maps;
}

/* A newline in a name is written "\\012"; a backslash is not marked, so that name stays as it is. */
int proc_next_mapping(FILE *maps, struct proc_mapping *ret)
{
	char line[PATH_MAX + 256];
	char permissions[5];
	int name = 0;
	size_t len;

	if (!fgets(line, sizeof(line), maps))
		return ferror(maps) ? -EIO : 0;
	len = strlen(line);
	if (len == 0 || line[len - 1] != '\n')
		return -EIO;
	line[len - 1] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64 " %n", &ret->start,
		   &ret->end, permissions, &ret->inode, &name) != 4)
		return -EIO;
	ret->code = permissions[2] == 'x';
	snprintf(ret->name, sizeof(ret->name), "%s", name ? line + name : "");
	return 1;
}

bool proc_has_stopped_thread(const struct session *session, pid_t tgid)
{
	const struct dirent *entry;
	char path[32];
	bool found = false;
	DIR *tasks;
	int fd;

	snprintf(path, sizeof(path), "%d/task", tgid);
	fd = openat(session->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tasks = fd < 0 ? NULL : fdopendir(fd);
	if (!tasks) {
		close_fd(&fd);
		return false;
	}
	for (unsigned int seen = 0; !found && seen < TASKS_MAX && (entry = readdir(tasks)); seen++) {
		const pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		struct proc_stat stat;

		found = tid > 0 && proc_stat(session, tid, &stat) == 0 && stat.state == 'T';
	}
	closedir(tasks);
	return found;
}

ssize_t proc_readlink(const struct session *session, pid_t pid, const char *name, char *buf,
		      size_t size)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "%d/%s", pid, name);
	len = readlinkat(session->proc, path, buf, size - 1);
	if (len < 0)
		return -errno;
	buf[len] = '\0';
	return len;
}
