/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_TRACE_H
#define PROCTOR_SUPERVISOR_TRACE_H

#include <time.h>

#include "supervisor/call.h"

/*
 * A call that only the kernel can make for its caller, and that is decided on what can change
 * meanwhile (execve, an executable mapping): the kernel makes it under ptrace(2), and what came of
 * it is looked at before the caller runs another instruction.
 */

/* Where the caller stands once the call is over. */
struct trace_stop {
	pid_t pid;     /* of the stopped thread; after an exec, of the process */
	int sig;       /* that it was about to take and gets when it goes on; 0: none */
	bool executed; /* at the exec event: a new image, before its first instruction */
};

/*
 * Lets the kernel make the call that waits, and waits for its end. Returns
 * 1: *ret says where the caller stands, and trace_go() lets it go on;
 * 0: the caller is gone (killed, or ended by another thread's exec);
 * -EPERM: it is traced by another process, or cannot be; the call still waits for its answer;
 * another negative errno: the call could not be answered.
 * The calling thread waits for its tracee only. Brackets itself with session->trace_lock, which
 * trace_go() releases after 1.
 */
int trace_call(struct call *call, struct trace_stop *ret);

/* The parts of trace_call(). trace_begin() takes PTRACE_O_* besides: 0, -EPERM as above, or -ESRCH: the
 * caller is gone; trace_end() releases the lock where trace_go() does not. trace_await() waits for the
 * next stop: 1, or 0 when the caller is gone. trace_await_soon() is for a caller that has but a few
 * instructions to go: after PATIENCE seconds it is killed, as it runs others. */
int trace_begin(struct call *call, int options);
int trace_await(struct call *call, struct trace_stop *ret);
int trace_await_soon(struct call *call, struct trace_stop *ret);
void trace_end(struct call *call);

/*
 * Answers a call that waited until its caller had a signal to take: the kernel makes it again, or lets
 * it fail with EINTR, as the signal's disposition asks. 0, or a negative errno when the caller cannot
 * be answered.
 */
int trace_restart(struct call *call);

enum { PATIENCE = 10 };

/* From here on a wait of the calling thread is interrupted (EINTR) every second, until patience_end().
 * False: it cannot be. */
bool patience_begin(timer_t *ret_timer);
void patience_end(timer_t timer);

/* Lets the caller go on untraced, or, if `dead`, ends its process. */
void trace_go(struct call *call, const struct trace_stop *stop, bool dead);

#endif
