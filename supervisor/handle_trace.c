/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ptrace and its kin: a debugger in the tool's tree, for processes of that tree. */
#include <errno.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/call_rules.h"
#include "supervisor/handlers.h"
#include "supervisor/process.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

/*
 * ptrace(2) takes a rule: a tracer takes its tracees' calls into its hands. Whom it is about stands
 * in a register; whoever is traced already is the tool's.
 */
struct reply handle_ptrace(struct call *call)
{
	const pid_t pid = (pid_t)call->request.args[1];
	struct proc_stat stat;

	if (!call_rules_allow_tracing(call->session->call_rules))
		return handle_door(call);
	/* Until an exec that is being verified is. */
	pthread_rwlock_wrlock(&call->session->watch_lock);
	pthread_rwlock_unlock(&call->session->watch_lock);
	if ((long)call->request.args[0] != PTRACE_TRACEME)
		return process_toward(call, pid);
	/* The parent is to be the tracer: it must not be the supervisor. */
	if (proc_stat(call->session, call->request.tid, &stat) < 0)
		return process_refuse(call, "the caller cannot be read");
	return process_toward(call, stat.ppid);
}

/* process_vm_readv, process_vm_writev, kcmp: whom it is about stands in registers. */
struct reply handle_process_vm(struct call *call)
{
	return process_toward(call, (pid_t)call->request.args[0]);
}

struct reply handle_kcmp(struct call *call)
{
	const pid_t first = (pid_t)call->request.args[0];

	return process_toward(call, process_is_own(call, first) ? (pid_t)call->request.args[1]
								 : first);
}

/* The pidfd could be exchanged: the descriptor is taken through our copy of it, and given. */
struct reply handle_pidfd_getfd(struct call *call)
{
	const uint64_t *args = call->request.args;
	AUTO_CLOSE int pidfd = -1;
	pid_t pid = 0;
	int error;
	int fd;

	if ((unsigned int)args[2])
		return reply_error(EINVAL);
	pidfd = tracee_getfd(call, (int)args[0]);
	if (pidfd < 0)
		return tracee_failed(call, pidfd);
	error = process_of_pidfd(call->session, pidfd, &pid);
	if (error < 0)
		return reply_error(-error);
	if (!call_valid(call))
		return reply_none();
	if (pid < 0)
		return reply_error(ESRCH);
	if (!process_is_own(call, pid))
		return process_refuse(call, "a process outside the tool's tree");
	fd = pidfd_getfd(pidfd, (int)args[1], 0);
	return fd < 0 ? reply_error(errno) : reply_fd(fd, true);
}
