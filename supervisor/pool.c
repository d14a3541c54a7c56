/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/notify.h"
#include "supervisor/pool_state.h"
#include "supervisor/session.h"
#include "supervisor/stats.h"

enum {
	STACK_SIZE = 1024 * 1024,
	SAMPLE_EVERY = 8, /* calls */
	QUIET_SAMPLES = 256,
	SENTINEL_TICK_MS = 10,
	SENTINEL_IDLE_TICKS = 10,
	SETTLE_MS = 100,
};

static int add_worker(struct pool *pool);

/* One more active worker. */
static void grow(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->wanted++;
	if (pool->parked < pool->wanted)
		add_worker(pool); /* if it cannot be had, calls wait for a worker */
	pthread_cond_broadcast(&pool->unpark);
	pthread_mutex_unlock(&pool->lock);
}

void pool_stand_in(struct worker *worker)
{
	if (atomic_load(&worker->pool->receiving) > 0)
		return;
	worker->replaced = true;
	grow(worker->pool);
}

static void wake_sentinel(struct pool *pool)
{
	if (!atomic_exchange(&pool->sentinel_asleep, false))
		return;
	pthread_mutex_lock(&pool->lock);
	pthread_cond_broadcast(&pool->unpark);
	pthread_mutex_unlock(&pool->lock);
}

/*
 * The sentinel's wait, with the lock held. Without calls it sleeps until the next one. True when
 * the calls in flight have been the same for a whole tick, and nobody takes another.
 */
static bool watch_over(struct pool *pool)
{
	const unsigned int calls = atomic_load(&pool->calls);
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += SENTINEL_TICK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&pool->unpark, &pool->lock, &until);
	pool_watch_waiting(pool);
	if (pool->wanted || atomic_load(&pool->calls) != calls) {
		pool->idle_ticks = 0;
		return false;
	}
	if (atomic_load(&pool->in_flight) > 0)
		return atomic_load(&pool->receiving) == 0;
	if (++pool->idle_ticks < SENTINEL_IDLE_TICKS)
		return false;
	atomic_store(&pool->sentinel_asleep, true);
	while (atomic_load(&pool->sentinel_asleep) && !pool->wanted)
		pthread_cond_wait(&pool->unpark, &pool->lock);
	atomic_store(&pool->sentinel_asleep, false);
	pool->idle_ticks = 0;
	return false;
}

/* Waits until another active worker is wanted. Called with the lock held. */
static void park(struct pool *pool)
{
	bool sentinel = false;
	bool stuck = false;

	pool->parked++;
	while (!pool->wanted && !stuck) {
		if (!pool->has_sentinel)
			sentinel = pool->has_sentinel = true;
		if (sentinel)
			stuck = watch_over(pool);
		else
			pthread_cond_wait(&pool->unpark, &pool->lock);
	}
	if (pool->wanted)
		pool->wanted--;
	if (sentinel)
		pool->has_sentinel = false;
	if (--pool->parked == 0)
		add_worker(pool);
	else if (sentinel)
		pthread_cond_broadcast(&pool->unpark); /* another one takes over */
	atomic_fetch_add(&pool->receiving, 1);
}

/*
 * While calls come one at a time, the caller and its worker are best on one processor: the kernel is
 * asked to wake each there (6.6). When several of the tool's threads call at once, that would draw
 * all of them onto the same processor.
 */
static void set_apart(struct pool *pool, bool apart)
{
	if (atomic_exchange(&pool->apart, apart) != apart)
		(void)ioctl(pool->session->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
			    apart ? 0 : SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

/*
 * Looks now and then, before a call is answered, whether another one is waiting: it is another
 * thread's, and another worker could have taken it.
 */
static void sample_demand(struct pool *pool)
{
	struct pollfd listener = {.fd = pool->session->listener, .events = POLLIN};

	if (atomic_load_explicit(&pool->calls, memory_order_relaxed) % SAMPLE_EVERY)
		return;
	if (poll(&listener, 1, 0) <= 0) {
		atomic_fetch_add_explicit(&pool->quiet, 1, memory_order_relaxed);
		return;
	}
	atomic_store_explicit(&pool->quiet, 0, memory_order_relaxed);
	set_apart(pool, true);
	if (atomic_load(&pool->receiving) == 0)
		grow(pool);
}

/* Parks the worker if the others will do. */
static void park_if_surplus(struct worker *worker)
{
	struct pool *pool = worker->pool;
	const bool replaced = worker->replaced;

	worker->replaced = false;
	if (!replaced) {
		if (atomic_load_explicit(&pool->quiet, memory_order_relaxed) < QUIET_SAMPLES)
			return;
		atomic_store_explicit(&pool->quiet, 0, memory_order_relaxed);
		set_apart(pool, false);
	}
	pthread_mutex_lock(&pool->lock);
	if (atomic_load(&pool->receiving) > 1) {
		atomic_fetch_sub(&pool->receiving, 1);
		park(pool);
	}
	pthread_mutex_unlock(&pool->lock);
}

static void serve(struct worker *worker, const struct request *request)
{
	struct pool *pool = worker->pool;
	struct session *session = pool->session;
	const uint64_t began = session->stats ? stats_now() : 0;
	struct call call = {.session = session, .worker = worker, .request = *request};
	struct reply reply = call_handle(&call);
	int error;

	if (reply.kind == REPLY_EXEC || reply.kind == REPLY_PATH || reply.kind == REPLY_CHDIR ||
	    reply.kind == REPLY_RESTART || reply.kind == REPLY_MAP)
		pool_stand_in(worker);
	else
		sample_demand(pool);
	error = notify_reply(&call, &reply);
	if (session->stats)
		stats_add(session->stats, request->nr, stats_now() - began);
	/* A caller that cannot be answered would wait for ever. */
	if (error < 0)
		session_fail(session);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct pool *pool = worker->pool;
	struct session *session = pool->session;
	int error = 0;

	/* An umask and a working folder of its own. */
	if (unshare(CLONE_FS) < 0) {
		session_fail(session);
		return NULL;
	}
	pthread_mutex_lock(&pool->lock);
	park(pool);
	pthread_mutex_unlock(&pool->lock);
	while (error == 0 || error == -EINTR || error == -ENOENT) {
		struct request request;

		park_if_surplus(worker);
		error = notify_receive(session, &request);
		if (error < 0)
			continue;
		atomic_fetch_sub(&pool->receiving, 1);
		atomic_fetch_add(&pool->in_flight, 1);
		atomic_fetch_add_explicit(&pool->calls, 1, memory_order_relaxed);
		wake_sentinel(pool);
		serve(worker, &request);
		atomic_fetch_sub(&pool->in_flight, 1);
		atomic_fetch_add(&pool->receiving, 1);
	}
	if (error != -EPIPE)
		session_fail(session);
	return NULL;
}

/* A worker starts parked, and lives as long as the supervisor. Called with the lock held. */
static int add_worker(struct pool *pool)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	pthread_attr_t attr;
	int error;

	if (!worker)
		return -ENOMEM;
	worker->pool = pool;
	worker->also_fd = -1;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&worker->thread, &attr, work, worker);
	pthread_attr_destroy(&attr);
	if (error) {
		free(worker);
		return -error;
	}
	worker->next = pool->workers;
	pool->workers = worker;
	pool->size++;
	return 0;
}

static void on_interrupt(int sig)
{
	(void)sig;
}

int pool_start(struct session *session, struct error *err)
{
	struct sigaction interrupt = {.sa_handler = on_interrupt}; /* no SA_RESTART: EINTR */
	struct pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t attr;
	int error;

	if (!pool)
		return error_set(err, ENOMEM, "worker pool");
	pool->session = session;
	pool->watch_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->unpark, &attr);
	pthread_condattr_destroy(&attr);
	session->pool = pool;
	pool->apart = true;
	set_apart(pool, false);
	sigaction(INTERRUPT_SIGNAL, &interrupt, NULL);
	interrupts_mask(SIG_BLOCK); /* workers inherit it */

	/* The first, and the one that is parked. */
	pthread_mutex_lock(&pool->lock);
	pool->wanted = 1;
	error = add_worker(pool);
	if (error == 0)
		error = add_worker(pool);
	pthread_mutex_unlock(&pool->lock);
	return error < 0 ? error_set(err, -error, "cannot start a worker thread") : 0;
}

void pool_settle(const struct pool *pool)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned int i = 0; i < SETTLE_MS && atomic_load(&pool->in_flight) > 0; i++)
		nanosleep(&pause, NULL);
}

unsigned int pool_size(const struct pool *pool)
{
	return pool->size;
}
