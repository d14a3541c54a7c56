/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/notify.h"
#include "supervisor/session.h"
#include "supervisor/stats.h"

enum {
	WAY_PLAIN,
	WAY_NARROW,
	WAYS,
};
enum {
	PROBE_EVERY = 32,  /* calls: the other way is tried, in case the host has changed */
	WEIGHT = 8,        /* of the past in the average */
	COST_MAX = 200000, /* nanoseconds: more is not the way's fault, we were preempted */
};

struct injector {
	atomic_uint_fast32_t cost[WAYS]; /* nanoseconds, a moving average; 0: not known yet */
	atomic_uint calls;
	pthread_rwlock_t lock; /* held for reading while a caller is narrowed */
};

struct injector *injector_new(void)
{
	struct injector *injector = calloc(1, sizeof(*injector));

	if (injector)
		pthread_rwlock_init(&injector->lock, NULL);
	return injector;
}

void injector_free(struct injector *injector)
{
	if (injector)
		pthread_rwlock_destroy(&injector->lock);
	free(injector);
}

static int choose(struct injector *injector)
{
	const uint_fast32_t plain = injector->cost[WAY_PLAIN];
	const uint_fast32_t narrow = injector->cost[WAY_NARROW];
	const int best = narrow && (!plain || narrow < plain) ? WAY_NARROW : WAY_PLAIN;
	const unsigned int calls =
		atomic_fetch_add_explicit(&injector->calls, 1, memory_order_relaxed);

	return calls % PROBE_EVERY == 1 ? !best : best;
}

static void learn(struct injector *injector, int way, uint64_t ns)
{
	const uint_fast32_t past = injector->cost[way];
	const uint_fast32_t now = ns < COST_MAX ? (uint_fast32_t)ns : COST_MAX;

	injector->cost[way] = past ? (past * (WEIGHT - 1) + now) / WEIGHT : now;
}

/* The descriptor's number in the caller, or a negative errno. */
static int add_fd(struct call *call, int fd, bool cloexec)
{
	struct seccomp_notif_addfd addfd = {
		.id = call->request.id,
		.srcfd = (uint32_t)fd,
		.newfd_flags = cloexec ? O_CLOEXEC : 0,
	};
	int number;

	do
		number = ioctl(call->session->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd);
	while (number < 0 && errno == EINTR);
	return number < 0 ? -errno : number;
}

/* True when the caller may only run where we do; *ret_was is what it could before. */
static bool narrow(pid_t tid, cpu_set_t *ret_was, cpu_set_t *ret_now)
{
	const int cpu = sched_getcpu();

	if (cpu < 0 || cpu >= CPU_SETSIZE ||
	    sched_getaffinity(tid, sizeof(*ret_was), ret_was) < 0 || CPU_COUNT(ret_was) < 2 ||
	    !CPU_ISSET(cpu, ret_was))
		return false;
	CPU_ZERO(ret_now);
	CPU_SET(cpu, ret_now);
	return sched_setaffinity(tid, sizeof(*ret_now), ret_now) == 0;
}

/* Unless somebody else has set it meanwhile. */
static void widen(pid_t tid, const cpu_set_t *was, const cpu_set_t *narrowed)
{
	cpu_set_t found;

	if (sched_getaffinity(tid, sizeof(found), &found) == 0 && CPU_EQUAL(&found, narrowed))
		sched_setaffinity(tid, sizeof(*was), was);
}

static int add_fd_narrowed(struct call *call, int fd, bool cloexec)
{
	struct injector *injector = call->session->injector;
	cpu_set_t narrowed;
	cpu_set_t was;
	int number;

	pthread_rwlock_rdlock(&injector->lock);
	if (!narrow(call->request.tid, &was, &narrowed)) {
		pthread_rwlock_unlock(&injector->lock);
		return add_fd(call, fd, cloexec);
	}
	number = add_fd(call, fd, cloexec);
	widen(call->request.tid, &was, &narrowed);
	pthread_rwlock_unlock(&injector->lock);
	return number;
}

int inject(struct call *call, int fd, bool cloexec)
{
	struct injector *injector = call->session->injector;
	const int way = choose(injector);
	const uint64_t began = stats_now();
	int number =
		way == WAY_NARROW ? add_fd_narrowed(call, fd, cloexec) : add_fd(call, fd, cloexec);
	int error;

	close(fd);
	if (number == -ENOENT)
		return 0;
	if (number < 0)
		return notify_send(call, -number, 0);
	error = notify_send(call, 0, number);
	learn(injector, way, stats_now() - began);
	return error;
}

int inject_silently(struct call *call, int fd)
{
	return add_fd(call, fd, true);
}

long affinity_get(struct session *session, pid_t tid, size_t size, void *mask)
{
	long result;

	pthread_rwlock_wrlock(&session->injector->lock);
	result = syscall(SYS_sched_getaffinity, tid, size, mask);
	pthread_rwlock_unlock(&session->injector->lock);
	return result < 0 ? -errno : result;
}

long affinity_set(struct session *session, pid_t tid, size_t size, const void *mask)
{
	long result;

	pthread_rwlock_wrlock(&session->injector->lock);
	result = syscall(SYS_sched_setaffinity, tid, size, mask);
	pthread_rwlock_unlock(&session->injector->lock);
	return result < 0 ? -errno : result;
}
