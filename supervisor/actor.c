/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/actor.h"

#include <fcntl.h>
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
};

struct actor {
	struct audit_actor view;
	char comm[64];
	char exe[PATH_MAX];
	char cwd[PATH_MAX];
	char command_line[COMMAND_LINE_MAX + 1];
	const char *argv[ARGS_MAX + 1];
};

static void take_argv(struct session *session, struct actor *actor)
{
	AUTO_CLOSE int fd = -1;
	char path[32];
	size_t used = 0;
	size_t count = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "%d/cmdline", actor->view.pid);
	fd = openat(session->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while (used < COMMAND_LINE_MAX &&
	       (got = read(fd, actor->command_line + used, COMMAND_LINE_MAX - used)) > 0)
		used += (size_t)got;
	actor->command_line[used] = '\0';
	for (size_t at = 0; at < used && count < ARGS_MAX; at += strlen(actor->command_line + at) + 1)
		actor->argv[count++] = actor->command_line + at;
	actor->argv[count] = NULL;
	actor->view.argv = actor->argv;
}

struct actor *actor_take(struct call *call)
{
	struct session *session = call->session;
	struct proc_status status;
	struct proc_stat stat;
	struct actor *actor;

	if (proc_status(session, call->request.tid, &status) < 0 ||
	    proc_stat(session, status.tgid, &stat) < 0)
		return NULL;
	actor = calloc(1, sizeof(*actor));
	if (!actor)
		return NULL;
	memcpy(actor->comm, status.comm, sizeof(actor->comm));
	actor->view = (struct audit_actor){
		.pid = status.tgid,
		.tid = call->request.tid,
		.ppid = stat.ppid,
		.uid = geteuid(),
		.comm = actor->comm,
	};
	actor->view.exec_id =
		identity_of(session, status.tgid, &actor->view.parent_exec_id);
	if (proc_readlink(session, status.tgid, "exe", actor->exe, sizeof(actor->exe)) > 0)
		actor->view.exe = actor->exe;
	if (proc_readlink(session, call->request.tid, "cwd", actor->cwd, sizeof(actor->cwd)) > 0)
		actor->view.cwd = actor->cwd;
	take_argv(session, actor);
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
