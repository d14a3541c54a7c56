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
#include "supervisor/session.h"
#include "supervisor/stats.h"
#include "supervisor/tracee.h"

enum {
	STACK_SIZE = 1024 * 1024,
	SAMPLE_EVERY = 8, /* calls */
	QUIET_SAMPLES = 256,
	SENTINEL_TICK_MS = 10,
	SENTINEL_IDLE_TICKS = 10,
	SETTLE_MS = 100,
};

struct worker {
	struct pool *pool;
	pthread_t thread;
	struct worker *next;
	bool replaced; /* somebody else became active for a call of this one */

	/* While it may wait in a system call, under pool->lock. */
	bool blocking;
	uint64_t request_id;
	pid_t request_tid;
	unsigned int signal_ticks; /* watches in which the caller had a signal to take */
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
	int watch_fd;
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

/* Before a wait: somebody else takes the next call. */
static void stand_in(struct worker *worker)
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
	    (reply.kind == REPLY_MAP && !reply.alone))
		stand_in(worker);
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

static sigset_t interrupts(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, INTERRUPT_SIGNAL);
	return mask;
}

void interrupts_mask(int how)
{
	const sigset_t mask = interrupts();

	pthread_sigmask(how, &mask, NULL);
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

void blocking_begin(struct call *call)
{
	const struct timespec now = {0};
	const uint64_t one = 1;
	struct worker *worker = call->worker;
	struct pool *pool = worker->pool;
	const sigset_t mask = interrupts();

	stand_in(worker);
	/* One that came too late for the last wait is not meant for this one. */
	while (sigtimedwait(&mask, NULL, &now) > 0)
		;
	interrupts_mask(SIG_UNBLOCK);
	pthread_mutex_lock(&pool->lock);
	worker->blocking = true;
	worker->request_id = call->request.id;
	worker->request_tid = call->request.tid;
	worker->signal_ticks = 0;
	if (pool->blocked++ == 0)
		(void)!write(pool->watch_fd, &one, sizeof(one));
	pthread_mutex_unlock(&pool->lock);
}

void blocking_end(struct call *call)
{
	struct worker *worker = call->worker;
	int saved = errno;

	pthread_mutex_lock(&worker->pool->lock);
	worker->blocking = false;
	worker->pool->blocked--;
	pthread_mutex_unlock(&worker->pool->lock);
	interrupts_mask(SIG_BLOCK);
	errno = saved;
}

struct reply blocking_interrupted(void)
{
	return reply_error(KERNEL_ERESTARTSYS);
}

/*
 * True when the caller of a waiting worker is gone, or has a signal to take. A signal to the
 * process may be taken by any of its threads: only one that is still there at the next watch is
 * taken for this thread's.
 */
static bool must_interrupt(const struct session *session, struct worker *worker)
{
	struct proc_status status;
	uint64_t id = worker->request_id;

	if (ioctl(session->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
		return true;
	if (proc_status(session, worker->request_tid, &status) < 0)
		return true;
	if (!(status.pending & ~status.blocked)) {
		worker->signal_ticks = 0;
		return false;
	}
	return ++worker->signal_ticks >= 2;
}

bool pool_watch(struct pool *pool)
{
	uint64_t events;
	bool blocked;

	(void)!read(pool->watch_fd, &events, sizeof(events));
	pthread_mutex_lock(&pool->lock);
	for (struct worker *worker = pool->workers; worker; worker = worker->next) {
		if (worker->blocking && must_interrupt(pool->session, worker))
			pthread_kill(worker->thread, INTERRUPT_SIGNAL);
	}
	blocked = pool->blocked > 0;
	pthread_mutex_unlock(&pool->lock);
	return blocked;
}

int pool_watch_fd(const struct pool *pool)
{
	return pool->watch_fd;
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
