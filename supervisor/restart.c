/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/restart.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "supervisor/call.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/notify.h"
#include "supervisor/session.h"

/* Waits until the thread stands, and lets it go; or has its end. */
static void let_go(struct session *session)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL | __WNOTHREAD);
		int sig;

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return;
		if (!WIFSTOPPED(status)) {
			/* Its parent hears of it only when we have. */
			if (pid == session->tool) {
				session->tool_status = status;
				session->tool_taken = true;
			}
			return;
		}
		/* A stop that is not PTRACE_INTERRUPT's is a signal, which goes on its way. One that
		 * cannot be let go was killed: its end follows. */
		sig = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
		if (ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)sig) == 0)
			return;
	}
}

/*
 * ERESTARTSYS means something only to the code that the kernel runs for a thread with something
 * pending; any other would see the number itself. A signal to the process is pending for one of its
 * threads, and /proc does not tell for which: so each is brought to a stop, which is pending enough.
 * There it takes the signal, if nobody else has, or makes the call again.
 */
int restart_call(struct call *call)
{
	struct session *session = call->session;
	int error;

	pthread_rwlock_rdlock(&session->trace_lock);
	if (ptrace(PTRACE_SEIZE, call->request.tid, NULL, NULL) < 0) {
		pthread_rwlock_unlock(&session->trace_lock);
		return notify_send(call, EINTR, 0); /* a debugger has it */
	}
	ptrace(PTRACE_INTERRUPT, call->request.tid, NULL, NULL);
	error = notify_send(call, KERNEL_ERESTARTSYS, 0);
	if (error == 0)
		let_go(session);
	pthread_rwlock_unlock(&session->trace_lock);
	return error;
}
