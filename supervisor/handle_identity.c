/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* setuid and its family: only as root, who could natively become anybody. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/handlers.h"
#include "supervisor/tracee.h"

/* How many of the arguments are ids; setgroups(2) gives none that could be kept. */
static size_t id_count(int nr)
{
	switch (nr) {
	case SYS_setresuid:
	case SYS_setresgid:
		return 3;
	case SYS_setreuid:
	case SYS_setregid:
		return 2;
	case SYS_setgroups:
		return 0;
	default:
		return 1;
	}
}

static bool is_group(int nr)
{
	return nr == SYS_setgid || nr == SYS_setregid || nr == SYS_setresgid || nr == SYS_setfsgid;
}

/* One of the caller's own: real, effective, saved or of the file system; -1 leaves it. */
static bool is_own(const uint32_t own[4], uint32_t id)
{
	for (size_t i = 0; i < 4; i++) {
		if (own[i] == id)
			return true;
	}
	return id == UINT32_MAX;
}

/*
 * The tool has no capabilities, so that the kernel refuses it whatever it could become by this; here
 * it is recorded. Without a change of identity, the kernel makes the call.
 */
struct reply handle_identity(struct call *call)
{
	const int nr = call->request.nr;
	const struct ask ask = {
		.class = call->row->class,
		.ops = {call->row->op},
		.op_count = 1,
		.arg = "another identity",
	};
	struct proc_status status;
	const uint32_t *own;
	struct reply refused;
	bool changes = nr == SYS_setgroups;
	int error = proc_status(call->session, call->request.tid, &status);

	if (error < 0)
		return tracee_failed(call, error);
	own = is_group(nr) ? status.gid : status.uid;
	for (size_t i = 0; i < id_count(nr); i++)
		changes |= !is_own(own, (uint32_t)call->request.args[i]);
	if (!changes)
		return reply_continue(call);
	refused = call_refuse(call, &ask, call->row->error, "not allowed under supervision");
	/* These have no errors: they return what was, and is. */
	if (refused.kind == REPLY_ERROR && (nr == SYS_setfsuid || nr == SYS_setfsgid))
		return reply_value(own[3]);
	return refused;
}
