/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Watching what others do with a file: inotify_add_watch; leases of fcntl(2), which hold others up. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/handlers.h"
#include "supervisor/subject.h"
#include "supervisor/tracee.h"
#include "supervisor/watch.h"

/* inotify_add_watch(2): who may not read a file or folder may not be told what happens to it. The
 * watch is set on the pinned object, through our copy of the inotify descriptor. */
struct reply handle_inotify_add_watch(struct call *call)
{
	const uint64_t *args = call->request.args;
	const uint32_t mask = (uint32_t)args[2];
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	AUTO_CLOSE int inotify = tracee_getfd(call, (int)args[0]);
	struct reply reply;

	if (inotify < 0)
		return tracee_failed(call, inotify);
	/* A mask or a descriptor that will not do is found out before the path is looked at. */
	if (inotify_add_watch(inotify, "", mask) < 0 && errno != ENOENT)
		return reply_error(errno);
	if (!subject_take_path(call, OP_READ, AT_FDCWD, args[1],
			       mask & IN_DONT_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0, AT_SYMLINK_NOFOLLOW,
			       &subject, &reply))
		return reply;
	return reply_result(
		inotify_add_watch(inotify, subject.proc_path, mask & ~(uint32_t)IN_DONT_FOLLOW));
}

/* ------------------------------------------------------------------------------- leases */

struct lease {
	int copy;   /* the file, as one of our descriptors */
	int number; /* the caller's */
	int kind;
	int result; /* 0 or a negative errno */
};

/* In a process with descriptors of its own: the kernel remembers by which number the lease was
 * taken, and tells it with the signal (si_fd). */
static int take_lease(void *argument)
{
	struct lease *lease = argument;

	if (lease->copy != lease->number && dup2(lease->copy, lease->number) < 0)
		lease->result = -errno;
	else
		lease->result = fcntl(lease->number, F_SETLEASE, lease->kind) < 0 ? -errno : 0;
	return 0;
}

static void take_lease_by_number(struct lease *lease)
{
	enum { STACK = 16384 };
	char stack[STACK] __attribute__((aligned(16)));
	pid_t pid = clone(take_lease, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, lease);

	if (pid < 0)
		lease->result = -errno;
	while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

/* The signal goes to the caller's process unless it has said otherwise. True: it had not. */
static bool own_file(struct call *call, int fd)
{
	struct f_owner_ex owner = {.type = F_OWNER_PID};

	if (fcntl(fd, F_GETOWN_EX, &owner) < 0 || owner.pid != 0)
		return false;
	owner = (struct f_owner_ex){.type = F_OWNER_PID, .pid = call_tgid(call)};
	return fcntl(fd, F_SETOWN_EX, &owner) == 0;
}

struct reply watch_set_lease(struct call *call)
{
	const uint64_t *args = call->request.args;
	const int kind = (int)args[2];
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct lease lease = {.number = (int)args[0], .kind = kind, .result = -EINTR};
	struct reply reply;
	bool owned;

	if (kind == F_UNLCK) {
		AUTO_CLOSE int fd = tracee_getfd(call, lease.number);

		if (fd < 0)
			return tracee_failed(call, fd);
		if (!call_valid(call))
			return reply_none();
		return reply_result(fcntl(fd, F_SETLEASE, F_UNLCK));
	}
	if (!subject_take_file(call, OP_MODIFY, lease.number, &subject, &reply))
		return reply;
	lease.copy = subject.object.fd;
	owned = own_file(call, lease.copy);
	take_lease_by_number(&lease);
	if (lease.result == 0)
		return reply_value(0);
	if (owned)
		fcntl(lease.copy, F_SETOWN, 0);
	return reply_error(-lease.result);
}
