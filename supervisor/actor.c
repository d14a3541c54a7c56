/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/actor.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum {
	COMMAND_LINE_MAX = 32 * 1024,
	ARGS_MAX = 1024,
	CALLERS = 64,
};

struct actor {
	struct audit_actor view;
	char comm[64];
	char exe[PATH_MAX];
	char cwd[PATH_MAX];
	char command_line[COMMAND_LINE_MAX + 1];
	const char *argv[ARGS_MAX + 1];
};

struct caller {
	pthread_mutex_t lock;
	pid_t tid; /* 0: nobody yet */
	pid_t tgid;
	int stat;
	int command_line;
};

struct callers {
	struct caller slots[CALLERS]; /* by the thread's number */
};

struct callers *callers_new(void)
{
	struct callers *callers = calloc(1, sizeof(*callers));

	for (size_t i = 0; callers && i < CALLERS; i++) {
		pthread_mutex_init(&callers->slots[i].lock, NULL);
		callers->slots[i].stat = -1;
		callers->slots[i].command_line = -1;
	}
	return callers;
}

static void forget(struct caller *caller)
{
	caller->tid = 0;
	close_fd(&caller->stat);
	close_fd(&caller->command_line);
}

void callers_free(struct callers *callers)
{
	for (size_t i = 0; callers && i < CALLERS; i++) {
		forget(&callers->slots[i]);
		pthread_mutex_destroy(&callers->slots[i].lock);
	}
	free(callers);
}

static int open_file(const struct session *session, pid_t tid, const char *name)
{
	char path[64];

	/* Of the thread: /proc/TID/stat is of its process, and sums up all its threads. */
	snprintf(path, sizeof(path), "%d/task/%d/%s", tid, tid, name);
	return openat(session->proc, path, O_RDONLY | O_CLOEXEC);
}

/* Its process. A question that the kernel answers without making a text for it comes first. */
static pid_t process_of(const struct session *session, pid_t tid)
{
	struct proc_status status;

	if (tgkill(tid, tid, 0) == 0)
		return tid;
	return proc_status(session, tid, &status) < 0 ? 0 : status.tgid;
}

static bool meet(const struct session *session, struct caller *caller, pid_t tid)
{
	forget(caller);
	caller->stat = open_file(session, tid, "stat");
	caller->command_line = open_file(session, tid, "cmdline");
	caller->tgid = process_of(session, tid);
	if (caller->stat < 0 || caller->command_line < 0 || caller->tgid <= 0) {
		forget(caller);
		return false;
	}
	caller->tid = tid;
	return true;
}

/* All of a file of /proc is in one read, unless it does not fit. */
static bool read_stat(const struct caller *caller, struct proc_stat *ret)
{
	char text[PROC_STAT_SIZE];
	const ssize_t len = pread(caller->stat, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return false;
	text[len] = '\0';
	return proc_stat_parse(text, ret) == 0;
}

static void read_argv(const struct caller *caller, struct actor *actor)
{
	const ssize_t got = pread(caller->command_line, actor->command_line, COMMAND_LINE_MAX, 0);
	const size_t used = got > 0 ? (size_t)got : 0;
	size_t count = 0;

	if (got < 0)
		return;
	actor->command_line[used] = '\0';
	for (size_t at = 0; at < used && count < ARGS_MAX; at += strlen(actor->command_line + at) + 1)
		actor->argv[count++] = actor->command_line + at;
	actor->argv[count] = NULL;
	actor->view.argv = actor->argv;
}

/* What is read through the slot: stat, arguments and the process. */
static bool look(struct session *session, pid_t tid, struct actor *actor, struct proc_stat *ret)
{
	struct caller *caller = &session->callers->slots[(unsigned int)tid % CALLERS];
	bool found;

	pthread_mutex_lock(&caller->lock);
	found = caller->tid == tid && read_stat(caller, ret);
	if (!found)
		found = meet(session, caller, tid) && read_stat(caller, ret);
	if (found) {
		actor->view = (struct audit_actor){.pid = caller->tgid, .tid = tid};
		read_argv(caller, actor);
	}
	pthread_mutex_unlock(&caller->lock);
	return found;
}

struct actor *actor_take(struct call *call)
{
	struct session *session = call->session;
	const pid_t tid = call->request.tid;
	struct actor *actor = malloc(sizeof(*actor));
	struct audit_actor *view;
	struct proc_stat stat;

	if (!actor || !look(session, tid, actor, &stat)) {
		free(actor);
		return NULL;
	}
	view = &actor->view;
	memcpy(actor->comm, stat.comm, sizeof(actor->comm));
	view->comm = actor->comm;
	view->ppid = stat.ppid;
	view->uid = geteuid();
	/* Where the image cannot be told by its stack, it is by when its first thread began. */
	view->exec_id = stat.start_stack
				? identity_known(session, view->pid, &stat, &view->parent_exec_id)
				: identity_of(session, view->pid, &view->parent_exec_id);
	if (proc_readlink(session, view->pid, "exe", actor->exe, sizeof(actor->exe)) > 0)
		view->exe = actor->exe;
	if (proc_readlink(session, tid, "cwd", actor->cwd, sizeof(actor->cwd)) > 0)
		view->cwd = actor->cwd;
	return actor;
}

const struct audit_actor *actor_of(const struct actor *actor)
{
	return &actor->view;
}

void actor_release(struct actor *actor)
{
	free(actor);
}
