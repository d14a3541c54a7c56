/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_POOL_STATE_H
#define PROCTOR_SUPERVISOR_POOL_STATE_H

/* What pool.c and pool_wait.c share, and nobody else. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct worker {
	struct pool *pool;
	pthread_t thread;
	struct worker *next;
	bool replaced; /* somebody else became active for a call of this one */

	/* While it may wait in a system call, under pool->lock. */
	bool blocking;
	int also_fd; /* blocking_also(), -1: none */
	uint64_t request_id;
	pid_t request_tid;
	unsigned int ticks;        /* watches */
	unsigned int signal_ticks; /* watches in which the caller had a signal to take */
	pid_t interrupted_tgid;    /* of the caller, in this watch; 0: not interrupted */
};

/*
 * A worker is active (it waits for a call or answers one) or parked. Every active one is woken for
 * every notification, although one gets it, so there are just as many as calls lately came in at
 * once; one more is always parked and stands in
 * - for a worker that says that it is about to wait (blocking_begin(), an exec), at once;
 * - for more calls than workers: now and then it is looked whether one is waiting;
 * - for a worker that is held up unexpectedly (a slow file system): one of the parked, the
 *   sentinel, looks every SENTINEL_TICK_MS while there are calls.
 */
struct pool {
	struct session *session;
	pthread_mutex_t lock;
	pthread_cond_t unpark;
	struct worker *workers;
	struct worker *watched; /* whom pool_watch() looks at next; NULL: the first */
	unsigned int size;
	unsigned int parked;
	unsigned int idle_ticks; /* of the sentinel, without a call */
	unsigned int wanted;     /* parked workers that have been asked to become active */
	bool has_sentinel;
	atomic_bool sentinel_asleep;
	atomic_uint receiving; /* active, and waiting for a call or about to */
	atomic_uint in_flight; /* calls that are being answered */
	atomic_uint calls;
	atomic_uint quiet; /* samples since a call had to wait */
	atomic_bool apart; /* the kernel wakes each where it was; see set_apart() */
	unsigned int blocked;
	bool unwatched; /* some are, and the main loop does not watch them yet */
	int watch_fd;
};

/* The sentinel's part, with the lock held: who has not waited briefly is watched from now on. */
void pool_watch_waiting(struct pool *pool);

/* Before a wait: somebody else takes the next call. */
void pool_stand_in(struct worker *worker);

#endif
