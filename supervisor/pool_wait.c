/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Workers that wait in a system call for their caller, and what ends the wait. */
#include "supervisor/pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/kernel_abi.h"
#include "supervisor/pool_state.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum { /* watches */
	OWN_TICKS = 2, /* see patience() */
	OTHERS_TICKS = 50,
	STOP_TICKS = 10,
	LOOKS_MAX = 64, /* in one: with thousands that wait, each has its turn */
};

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

/* Has the main loop watch those that wait. Called with the lock held. */
static void watch(struct pool *pool)
{
	const uint64_t one = 1;

	pool->unwatched = false;
	(void)!write(pool->watch_fd, &one, sizeof(one));
}

void pool_watch_waiting(struct pool *pool)
{
	if (pool->unwatched)
		watch(pool);
}

static void begin(struct call *call, bool brief)
{
	const struct timespec now = {0};
	struct worker *worker = call->worker;
	struct pool *pool = worker->pool;
	const sigset_t mask = interrupts();

	/* One that came too late for the last wait is not meant for this one. */
	while (sigtimedwait(&mask, NULL, &now) > 0)
		;
	interrupts_mask(SIG_UNBLOCK);
	pthread_mutex_lock(&pool->lock);
	worker->blocking = true;
	worker->request_id = call->request.id;
	worker->request_tid = call->request.tid;
	worker->ticks = 0;
	worker->signal_ticks = 0;
	if (pool->blocked++ == 0)
		pool->unwatched = true;
	if (pool->unwatched && !brief)
		watch(pool);
	pthread_mutex_unlock(&pool->lock);
}

void blocking_begin(struct call *call)
{
	if (!call->worker)
		return;
	pool_stand_in(call->worker);
	begin(call, false);
}

void blocking_begin_brief(struct call *call)
{
	if (call->worker)
		begin(call, true);
}

void blocking_also(struct call *call, int fd)
{
	call->worker->also_fd = fd;
}

void blocking_end(struct call *call)
{
	struct worker *worker = call->worker;
	int saved = errno;

	if (!worker)
		return;
	pthread_mutex_lock(&worker->pool->lock);
	worker->blocking = false;
	worker->also_fd = -1;
	if (--worker->pool->blocked == 0)
		worker->pool->unwatched = false;
	pthread_mutex_unlock(&worker->pool->lock);
	interrupts_mask(SIG_BLOCK);
	errno = saved;
}

struct reply blocking_interrupted(void)
{
	return (struct reply){.kind = REPLY_RESTART, .fd = -1};
}

/* True when this watch has interrupted another caller of the process already. */
static bool has_taker(const struct pool *pool, pid_t tgid)
{
	for (const struct worker *worker = pool->workers; worker; worker = worker->next) {
		if (worker->blocking && worker->interrupted_tgid == tgid)
			return true;
	}
	return false;
}

/*
 * For how many watches a signal that nobody has taken must be there before `worker`'s caller is
 * interrupted for it. One to the process may be taken by any of its threads; the kernel nearly always
 * picks the first of the process unless that blocks it (signal(7)), though it may be long in coming
 * (vfork).
 */
static unsigned int patience(const struct session *session, const struct worker *worker,
			     const struct proc_status *status)
{
	const uint64_t open = status->pending & ~status->blocked;
	struct proc_status leader;

	if ((open & ~status->pending_process) || status->tgid == worker->request_tid ||
	    proc_status(session, status->tgid, &leader) < 0 || leader.ended ||
	    (open & leader.blocked) == open)
		return OWN_TICKS;
	return OTHERS_TICKS;
}

/*
 * A process that is being stopped has no signal pending any more: the thread that took it brings the
 * others to a stop, and until the last one stands, nobody hears of it (Ctrl-Z). One in a call of ours
 * has to come out of it.
 */
static bool is_being_stopped(const struct session *session, const struct worker *worker,
			     const struct proc_status *status)
{
	return status->threads > 1 && worker->ticks % STOP_TICKS == 0 &&
	       proc_has_stopped_thread(session, status->tgid);
}

/*
 * True when the caller of a waiting worker is gone, or has a signal to take: one of the process only
 * if no other thread has just been sent to take it.
 */
static bool must_interrupt(const struct pool *pool, struct worker *worker)
{
	const struct session *session = pool->session;
	struct pollfd also = {.fd = worker->also_fd, .events = POLLIN};
	struct proc_status status;
	uint64_t id = worker->request_id;

	worker->ticks++;
	if (ioctl(session->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
		return true;
	if (proc_status(session, worker->request_tid, &status) < 0)
		return true;
	if (also.fd >= 0 && poll(&also, 1, 0) > 0)
		return true;
	if (!(status.pending & ~status.blocked)) {
		worker->signal_ticks = 0;
		return is_being_stopped(session, worker, &status);
	}
	if (++worker->signal_ticks < patience(session, worker, &status))
		return false;
	if (!(status.pending & ~status.pending_process & ~status.blocked) &&
	    has_taker(pool, status.tgid)) {
		worker->signal_ticks = 0;
		return false;
	}
	worker->interrupted_tgid = status.tgid;
	return true;
}

bool pool_watch(struct pool *pool)
{
	uint64_t events;
	bool blocked;

	(void)!read(pool->watch_fd, &events, sizeof(events));
	pthread_mutex_lock(&pool->lock);
	for (struct worker *worker = pool->workers; worker; worker = worker->next)
		worker->interrupted_tgid = 0;
	for (unsigned int seen = 0, looked = 0; seen < pool->size && looked < LOOKS_MAX; seen++) {
		struct worker *worker = pool->watched ? pool->watched : pool->workers;

		if (!worker)
			break;
		pool->watched = worker->next;
		looked += worker->blocking;
		if (worker->blocking && must_interrupt(pool, worker))
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
