/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that act upon other processes: signals, limits, scheduling, ownership of descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/handlers.h"
#include "supervisor/inject.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/process.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"
#include "supervisor/tree.h"
#include "supervisor/walk.h"
#include "supervisor/watch.h"

enum {
	IOPRIO_WHO_PROCESS = 1, /* ioprio_set(2); glibc has no header */
	IOPRIO_WHO_PGRP = 2,
	SIGNAL_PROCESS_GROUP = 1 << 2, /* PIDFD_SIGNAL_PROCESS_GROUP, 6.9 */
};

static bool exists(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

bool process_is_own(const struct call *call, pid_t pid)
{
	return pid == call->request.tid || session_owns(call->session, pid);
}

struct reply process_refuse(struct call *call, const char *detail)
{
	const struct ask ask = {
		.class = CLASS_PROCESS,
		.ops = {call->row->op},
		.op_count = 1,
	};

	return call_refuse(call, &ask, call->row->error, detail);
}

struct reply process_toward(struct call *call, pid_t pid)
{
	if (pid <= 0 || process_is_own(call, pid))
		return reply_continue(call);
	if (!exists(pid))
		return reply_error(ESRCH);
	if (pid == call->session->self || pid == call->session->guardian)
		return process_refuse(call, "the supervisor");
	return process_refuse(call, "a process outside the tool's tree");
}

/*
 * The guardian sits in the tool's first process group and is hit by a signal to it as the tool
 * itself would natively be (the shell's job ends). Anybody else in the group must be the tool's;
 * with Landlock's signal scope the kernel sees to that, member by member.
 */
static struct reply toward_group(struct call *call, pid_t pgrp)
{
	const struct session *session = call->session;
	const bool scoped = session->host.landlock_abi >= LANDLOCK_ABI_SCOPES;
	const bool callers = pgrp == 0;
	struct proc_stat stat;

	if (proc_stat(session, call->request.tid, &stat) < 0)
		return process_refuse(call, "the caller cannot be read");
	if (callers)
		pgrp = stat.pgrp;
	if (pgrp != stat.pgrp && !tree_shares_group(session->self, pgrp))
		return process_refuse(call, "a process group of strangers");
	if (!scoped && !tree_owns_group(session->self, pgrp, session->guardian))
		return process_refuse(call, "a process group with strangers in it");
	if (scoped || !callers)
		return reply_continue(call);
	/* Until the kernel looks, the caller could have been put into another group. */
	return call_valid(call) ? reply_result(kill(-pgrp, (int)call->request.args[1])) : reply_none();
}

/* kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo */
struct reply handle_signal(struct call *call)
{
	const struct session *session = call->session;
	const pid_t pid = (pid_t)call->request.args[0];
	const int nr = call->request.nr;

	if (nr == SYS_tgkill || nr == SYS_rt_tgsigqueueinfo)
		return process_toward(call, (pid_t)call->request.args[1]);
	if (pid > 0 || nr == SYS_tkill || nr == SYS_rt_sigqueueinfo)
		return pid > 0 ? process_toward(call, pid) : reply_continue(call);
	if (pid == INT_MIN)
		return reply_error(ESRCH);
	if (pid == -1) {
		if (session->host.landlock_abi >= LANDLOCK_ABI_SCOPES)
			return reply_continue(call);
		return process_refuse(call, "every process of the user");
	}
	return toward_group(call, -pid);
}

int process_of_pidfd(const struct session *session, int pidfd, pid_t *ret)
{
	AUTO_FILE FILE *info = NULL;
	char name[PATH_MAX];
	const char *rest;
	char path[64];
	char line[128];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info)) {
		if (sscanf(line, "Pid: %d", ret) == 1)
			return 0;
	}
	snprintf(path, sizeof(path), "%d", pidfd);
	len = readlinkat(session->self_fds, path, name, sizeof(name) - 1);
	if (len < 0)
		return -EBADF;
	name[len] = '\0';
	*ret = proc_name_pid(name, &rest);
	return *ret && !*rest ? 0 : -EBADF;
}

/* The descriptor may be replaced at any time: the signal is sent through our copy of it. */
struct reply handle_pidfd_signal(struct call *call)
{
	const uint64_t *args = call->request.args;
	AUTO_CLOSE int pidfd = tracee_getfd(call, (int)args[0]);
	struct proc_stat stat;
	siginfo_t info;
	pid_t pid = 0;
	int error;

	if (pidfd < 0)
		return tracee_failed(call, pidfd);
	if (args[2]) {
		error = tracee_read(call, args[2], &info, sizeof(info));
		if (error < 0)
			return tracee_failed(call, error);
		if (info.si_signo != (int)args[1])
			return reply_error(EINVAL);
	}
	error = process_of_pidfd(call->session, pidfd, &pid);
	if (error < 0)
		return reply_error(-error);
	if (!call_valid(call))
		return reply_none();
	if (pid >= 0 && !session_owns(call->session, pid))
		return process_refuse(call, "a process outside the tool's tree");
	if ((args[3] & SIGNAL_PROCESS_GROUP) &&
	    (proc_stat(call->session, pid, &stat) < 0 ||
	     !tree_owns_group(call->session->self, stat.pgrp, 0)))
		return process_refuse(call, "a process group with strangers in it");
	/* si_pid is ours then; the kernel lets nobody say otherwise. */
	return reply_result(
		syscall(SYS_pidfd_send_signal, pidfd, (int)args[1], NULL, (unsigned int)args[3]));
}

/* prlimit64, sched_set*, migrate_pages, move_pages: the process is the first argument. */
struct reply handle_control(struct call *call)
{
	const pid_t pid = (pid_t)call->request.args[0];

	return pid <= 0 ? reply_continue(call) : process_toward(call, pid);
}

/* sched_getaffinity and sched_setaffinity of another thread: carried out by us, see inject.h. */
struct reply handle_affinity(struct call *call)
{
	const uint64_t *args = call->request.args;
	const bool set = call->request.nr == SYS_sched_setaffinity;
	const pid_t pid = (pid_t)args[0];
	unsigned long mask[8192 / sizeof(unsigned long)] = {0};
	const size_t size = args[1] < sizeof(mask) ? args[1] : sizeof(mask);
	int error = 0;
	long result;

	if (pid < 0 || (pid != call->request.tid && !session_owns(call->session, pid))) {
		if (pid < 0 || !exists(pid))
			return reply_error(ESRCH);
		return set ? process_refuse(call, "a process outside the tool's tree") : reply_error(EPERM);
	}
	if (set)
		error = tracee_read(call, args[2], mask, size);
	if (error < 0)
		return tracee_failed(call, error);
	if (!call_valid(call))
		return reply_none();
	result = set ? affinity_set(call->session, pid, size, mask)
		     : affinity_get(call->session, pid, size, mask);
	if (result > 0 && !set)
		error = tracee_write(call, args[2], mask, (size_t)result);
	if (error < 0)
		return tracee_failed(call, error);
	return result < 0 ? reply_error((int)-result) : reply_value(result);
}

/* setpriority, ioprio_set: `which`, then `who`; a user is all that user's processes, 0 the caller's
 * own. */
struct reply handle_priority(struct call *call)
{
	const struct session *session = call->session;
	const int which = (int)call->request.args[0];
	pid_t who = (pid_t)call->request.args[1];
	const bool io = call->request.nr == SYS_ioprio_set;
	const bool callers = who == 0;
	struct proc_stat stat;

	if (which == (io ? IOPRIO_WHO_PROCESS : PRIO_PROCESS))
		return process_toward(call, who);
	if (which == (io ? IOPRIO_WHO_PGRP : (int)PRIO_PGRP)) {
		if (who == 0 && proc_stat(session, call->request.tid, &stat) == 0)
			who = stat.pgrp;
		if (who < 0 ||
		    (!callers && tree_owns_group(session->self, who, session->guardian)))
			return reply_continue(call);
		if (!call_valid(call))
			return reply_none();
		/* As for signals. */
		if (tree_owns_group(session->self, who, session->guardian))
			return reply_result(syscall(call->request.nr, which, who,
						    (int)call->request.args[2]));
	}
	return process_refuse(call, "more than the tool's own processes");
}

/*
 * fcntl F_SETOWN and F_SETOWN_EX: who is to be sent a signal when there is something to read.
 * Carried out on our copy of the descriptor, so that what was checked is what is set.
 */
struct reply handle_fcntl(struct call *call)
{
	const uint64_t *args = call->request.args;
	AUTO_CLOSE int fd = tracee_getfd(call, (int)args[0]);
	struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = (pid_t)args[2]};
	int error;

	if ((int)args[1] == F_SETLEASE)
		return watch_set_lease(call);
	if (fd < 0)
		return tracee_failed(call, fd);
	if ((int)args[1] == F_SETOWN_EX) {
		error = tracee_read(call, args[2], &owner, sizeof(owner));
		if (error < 0)
			return tracee_failed(call, error);
	} else if (owner.pid == INT_MIN) {
		return reply_error(EINVAL);
	} else if (owner.pid < 0) {
		owner = (struct f_owner_ex){.type = F_OWNER_PGRP, .pid = -owner.pid};
	}
	if (!call_valid(call))
		return reply_none();
	if (owner.pid > 0 && owner.type == F_OWNER_PGRP &&
	    !tree_owns_group(call->session->self, owner.pid, call->session->guardian))
		return process_refuse(call, "a process group with strangers in it");
	if (owner.pid > 0 && owner.type != F_OWNER_PGRP &&
	    !session_owns(call->session, owner.pid))
		return process_refuse(call, "a process outside the tool's tree");
	return reply_result(fcntl(fd, F_SETOWN_EX, &owner));
}
