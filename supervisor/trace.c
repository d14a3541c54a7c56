/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/trace.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/kernel_abi.h"
#include "supervisor/notify.h"
#include "supervisor/pool.h"
#include "supervisor/session.h"

/* Lets the tracee go on, with `sig` if not 0. One that cannot was killed. */
static void detach(struct call *call, pid_t pid, int sig)
{
	int status;

	if (ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)sig) == 0)
		return;
	while (waitpid(pid, &status, __WALL | __WNOTHREAD) == pid) {
		if (WIFSTOPPED(status))
			continue;
		session_took(call->session, pid, status);
		return;
	}
}

static int await(struct call *call, struct trace_stop *ret, bool soon)
{
	unsigned int seconds = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL | __WNOTHREAD)) < 0 && errno == EINTR) {
		if (soon && ++seconds > PATIENCE)
			kill(call_tgid(call), SIGKILL);
	}
	if (pid < 0)
		return 0;
	if (!WIFSTOPPED(status)) {
		session_took(call->session, pid, status);
		return 0;
	}
	*ret = (struct trace_stop){.pid = pid};
	ret->executed = status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8);
	/* Back in user mode without an exec event. A stop that is not PTRACE_INTERRUPT's is a
	 * signal, which goes on its way. */
	if (!ret->executed && status >> 16 != PTRACE_EVENT_STOP)
		ret->sig = WSTOPSIG(status);
	return 1;
}

int trace_await(struct call *call, struct trace_stop *ret)
{
	return await(call, ret, false);
}

int trace_await_soon(struct call *call, struct trace_stop *ret)
{
	timer_t timer;
	int more;

	if (!patience_begin(&timer)) {
		kill(call_tgid(call), SIGKILL);
		return await(call, ret, false);
	}
	more = await(call, ret, true);
	patience_end(timer);
	return more;
}

bool patience_begin(timer_t *ret_timer)
{
	const struct itimerspec second = {.it_value = {.tv_sec = 1}, .it_interval = {.tv_sec = 1}};
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = INTERRUPT_SIGNAL,
	};

	event._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, ret_timer) < 0)
		return false;
	timer_settime(*ret_timer, 0, &second, NULL);
	interrupts_mask(SIG_UNBLOCK);
	return true;
}

void patience_end(timer_t timer)
{
	interrupts_mask(SIG_BLOCK);
	timer_delete(timer);
}

int trace_begin(struct call *call, int options)
{
	const pid_t tid = call->request.tid;
	int error;

	pthread_rwlock_rdlock(&call->session->trace_lock);
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)(intptr_t)(PTRACE_O_TRACEEXEC | options)) < 0) {
		error = -errno;
		trace_end(call);
		return error == -EPERM ? error : -ESRCH;
	}
	/* The interrupt brings the thread to a stop as soon as it is back in user mode: only an exec
	 * that succeeds has an event. */
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	return 0;
}

void trace_end(struct call *call)
{
	pthread_rwlock_unlock(&call->session->trace_lock);
}

int trace_call(struct call *call, struct trace_stop *ret)
{
	int error = trace_begin(call, 0);

	if (error < 0)
		return error == -ESRCH ? 0 : error;
	if (call_valid(call) && notify_continue(call) < 0)
		error = -EIO;
	else
		error = trace_await(call, ret);
	if (error <= 0)
		trace_end(call);
	return error;
}

void trace_go(struct call *call, const struct trace_stop *stop, bool dead)
{
	if (dead)
		kill(call_tgid(call), SIGKILL);
	detach(call, stop->pid, stop->sig);
	trace_end(call);
}

/*
 * ERESTARTSYS means something only to the code that the kernel runs for a thread with something
 * pending; any other would see the number itself. A signal to the process is pending for one of its
 * threads, and /proc does not tell for which; it may also have been taken by now. So the thread is
 * brought to a stop, which is pending enough: behind it the thread takes the signal if nobody else has,
 * or makes the call again. Where it cannot be traced, EINTR is what may come of any signal.
 */
int trace_restart(struct call *call)
{
	struct trace_stop stop;
	int error = trace_begin(call, 0);

	if (error < 0)
		return notify_send(call, EINTR, 0);
	error = notify_send(call, KERNEL_ERESTARTSYS, 0);
	if (error == 0 && trace_await(call, &stop) > 0)
		trace_go(call, &stop, false);
	else
		trace_end(call);
	return error;
}
