/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_POOL_H
#define PROCTOR_SUPERVISOR_POOL_H

#include <signal.h>
#include <stdbool.h>

#include "core/error.h"
#include "supervisor/call.h"

/*
 * The threads that answer. A call that blocks holds up no other: the pool grows to the number of
 * the tool's threads that wait at once and one more, and no further.
 */
struct pool;

/* Starts the pool on session->listener. 0, or a negative errno and *err. */
int pool_start(struct session *session, struct error *err);

/*
 * Brackets a system call that may wait (a FIFO, a connect): in between, the calling worker is
 * interrupted (EINTR) when the tool's thread was killed or has a signal to take.
 * Of a detached call nobody waits for the end, and nothing interrupts it.
 * The bracketed call must not be restarted after EINTR: answer with blocking_interrupted().
 */
void blocking_begin(struct call *call);
void blocking_end(struct call *call);

/*
 * In the place of blocking_begin(), for a call that will hardly wait: nobody stands in, and nobody is woken for
 * it. Should it wait all the same, both happens within SENTINEL_TICK_MS or two.
 */
void blocking_begin_brief(struct call *call);

/* To be called before blocking_begin(), for that one wait: it is interrupted also when `fd` can be read
 * or is hung up. */
void blocking_also(struct call *call, int fd);

/* What interrupts a worker (EINTR); blocked in all of them but for a wait that may be interrupted. */
enum { INTERRUPT_SIGNAL = SIGUSR1 };

/* SIG_BLOCK or SIG_UNBLOCK for it, in the calling thread. */
void interrupts_mask(int how);

/* The reply to a bracketed call that gave EINTR: the kernel restarts the tool's call or makes it
 * EINTR, as the tool's own signal handler was set up. */
struct reply blocking_interrupted(void);

/* To be called from the main loop every BLOCKING_TICK_MS while it returns true. */
enum { BLOCKING_TICK_MS = 20 };
bool pool_watch(struct pool *pool);

/* Readable when pool_watch() must be called. */
int pool_watch_fd(const struct pool *pool);

/* Once the tool has ended: waits, at most 100 ms, for workers that are still busy with its last calls,
 * so that these are recorded and counted. */
void pool_settle(const struct pool *pool);

/* Threads in the pool, for statistics. */
unsigned int pool_size(const struct pool *pool);

#endif
