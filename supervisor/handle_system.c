/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel doors: calls that are refused whatever the policy says, or some of whose commands are. */
#include <errno.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/file.h"
#include "supervisor/handlers.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/lives.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

static struct reply refuse(struct call *call, const char *arg, int error)
{
	const struct ask ask = {
		.class = call->row->class,
		.ops = {call->row->op},
		.op_count = 1,
		.arg = arg,
	};

	return call_refuse(call, &ask, error, "not allowed under supervision");
}

struct reply handle_door(struct call *call)
{
	const bool flags = call->row->trap == TRAP_NAMESPACES || call->row->trap == TRAP_CLONE;
	char arg[32];

	snprintf(arg, sizeof(arg), "0x%llx", (unsigned long long)call->request.args[0]);
	return refuse(call, flags ? arg : NULL, call->row->error);
}

struct reply handle_exit_group(struct call *call)
{
	lives_leaves(call->session->lives, call, (int)(call->request.args[0] & 0xff) << 8);
	return reply_continue(call);
}

/*
 * clone3(2) keeps its flags in memory, where they can change after a look at them: it is never
 * run, and callers fall back to clone, whose flags are in a register. Only an attempt to make
 * namespaces is worth a record; what the C library starts its threads with, the filter itself
 * answers (filter_front.c).
 */
struct reply handle_clone3(struct call *call)
{
	const uint64_t namespaces = CLONE_NEW_FLAGS | UNSHARE_TIME_FLAG;
	uint64_t flags = 0;
	char arg[32];

	if (tracee_read(call, call->request.args[0], &flags, sizeof(flags)) < 0 ||
	    !(flags & namespaces))
		return reply_error(ENOSYS);
	snprintf(arg, sizeof(arg), "0x%llx", (unsigned long long)flags);
	return refuse(call, arg, ENOSYS);
}

/*
 * landlock(7) would bind the calls that the tool makes, not those that are carried out for it: it
 * is told that there is none, and programs go on without. Nothing is refused: no record.
 */
struct reply handle_landlock(struct call *call)
{
	return reply_error(call->row->error);
}

struct reply handle_prctl(struct call *call)
{
	/* A process that is not dumpable is out of our reach, and so would be refused everything.
	 * It is told that it is: nobody outside the tree but us can look into it. */
	if ((int)call->request.args[0] == PR_SET_DUMPABLE)
		return call->request.args[1] > 1 ? reply_error(EINVAL) : reply_value(0);
	return refuse(call, (int)call->request.args[0] == PR_SET_MM ? "PR_SET_MM" : "PR_SCHED_CORE",
		      EPERM);
}

/* FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR: attributes, through a descriptor that may be read-only. */
static struct reply set_attributes(struct call *call, unsigned int command)
{
	AUTO_OBJECT struct object object = OBJECT_INIT;
	union {
		int flags;
		struct fsxattr xattr;
	} value;
	const size_t size = command == FS_IOC_FSSETXATTR ? sizeof(value.xattr)
							 : sizeof(value.flags);
	struct reply reply;
	int error = resolve_open_file(call, (int)call->request.args[0], &object);

	if (error == 0)
		error = tracee_read(call, call->request.args[2], &value, size);
	if (error < 0)
		return tracee_failed(call, error);
	if (!file_permit(call, OP_ATTR, &object, NULL, 0, &reply))
		return reply;
	return reply_result(ioctl(object.fd, command, &value));
}

struct reply handle_ioctl(struct call *call)
{
	const unsigned int command = (unsigned int)call->request.args[1];
	char arg[32];

	/* FS_IOC32_SETFLAGS is what a 32-bit program calls it; no 64-bit one does. */
	if (command == FS_IOC_SETFLAGS || command == FS_IOC_FSSETXATTR)
		return set_attributes(call, command);
	snprintf(arg, sizeof(arg), "ioctl 0x%x", command);
	return refuse(call, arg, EPERM);
}
