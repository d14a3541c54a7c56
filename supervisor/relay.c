/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"

enum {
	PIECE = 64 * 1024, /* what a pipe holds */
	EVENTS = 32,
};

/* One direction: from ends[d] through the pipe to ends[1 - d]. */
struct flow {
	int pipe[2];
	size_t held;   /* bytes in the pipe */
	bool ended;    /* the source has */
	bool passed_on; /* and the other end knows */
};

struct pair;

struct end {
	struct pair *pair;
	int fd;
	uint32_t events; /* that are waited for; 0: not with epoll */
};

struct pair {
	struct end ends[2];
	struct flow flows[2];
	struct pair *next; /* of those to be freed */
	bool gone;
};

struct relay {
	pthread_mutex_t lock; /* no pair is looked at while one is being added */
	int epoll; /* -1: the thread does not run yet */
};

struct relay *relay_new(void)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay) {
		pthread_mutex_init(&relay->lock, NULL);
		relay->epoll = -1;
	}
	return relay;
}

static void release(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		close_fd(&pair->ends[i].fd);
		close_fd(&pair->flows[i].pipe[0]);
		close_fd(&pair->flows[i].pipe[1]);
	}
}

/* Moves what can be moved in one direction. False: the connection is broken. */
static bool pump(struct pair *pair, int d)
{
	const unsigned int flags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;
	struct flow *flow = &pair->flows[d];
	const int from = pair->ends[d].fd;
	const int to = pair->ends[1 - d].fd;
	ssize_t count;

	for (;;) {
		if (flow->held == 0 && !flow->ended) {
			count = splice(from, NULL, flow->pipe[1], NULL, PIECE, flags);
			if (count < 0)
				return errno == EAGAIN || errno == EINTR;
			flow->held = (size_t)count;
			flow->ended = count == 0;
		}
		if (flow->held == 0)
			break;
		count = splice(flow->pipe[0], NULL, to, NULL, flow->held, flags);
		if (count < 0)
			return errno == EAGAIN || errno == EINTR;
		flow->held -= (size_t)count;
	}
	if (!flow->passed_on)
		shutdown(to, SHUT_WR);
	flow->passed_on = true;
	return true;
}

/* An end that waits for nothing is taken out: that the other side hung up would be told for ever. */
static bool set_events(int epoll, struct end *end, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = end};
	int how = EPOLL_CTL_MOD;

	if (events == end->events)
		return true;
	if (events == 0)
		how = EPOLL_CTL_DEL;
	else if (end->events == 0)
		how = EPOLL_CTL_ADD;
	end->events = events;
	return epoll_ctl(epoll, how, end->fd, &event) == 0;
}

/* Waits for what each end can do next. */
static bool watch(int epoll, struct pair *pair)
{
	for (int d = 0; d < 2; d++) {
		const struct flow *out = &pair->flows[d];
		const struct flow *in = &pair->flows[1 - d];
		uint32_t events = 0;

		if (out->held == 0 && !out->ended)
			events |= EPOLLIN;
		if (in->held > 0)
			events |= EPOLLOUT;
		if (!set_events(epoll, &pair->ends[d], events))
			return false;
	}
	return true;
}

static void *work(void *argument)
{
	struct relay *relay = argument;
	struct epoll_event events[EVENTS];

	prctl(PR_SET_NAME, "relay");
	for (;;) {
		const int count = epoll_wait(relay->epoll, events, EVENTS, -1);
		struct pair *gone = NULL;

		pthread_mutex_lock(&relay->lock);
		for (int i = 0; i < count; i++) {
			struct end *end = events[i].data.ptr;
			struct pair *pair = end->pair;
			bool broken;

			if (pair->gone)
				continue;
			broken = !pump(pair, 0) || !pump(pair, 1) ||
				 (pair->flows[0].passed_on && pair->flows[1].passed_on) ||
				 (events[i].events & EPOLLERR) || !watch(relay->epoll, pair);
			if (!broken)
				continue;
			/* Another event of the same batch may still be about it. */
			pair->gone = true;
			pair->next = gone;
			gone = pair;
		}
		while (gone) {
			struct pair *next = gone->next;

			release(gone);
			free(gone);
			gone = next;
		}
		pthread_mutex_unlock(&relay->lock);
	}
	return NULL;
}

static int start(struct relay *relay)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error = 0;

	pthread_mutex_lock(&relay->lock);
	if (relay->epoll < 0) {
		relay->epoll = epoll_create1(EPOLL_CLOEXEC);
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		error = relay->epoll < 0 ? errno : pthread_create(&thread, &attr, work, relay);
		pthread_attr_destroy(&attr);
		if (error)
			close_fd(&relay->epoll);
	}
	pthread_mutex_unlock(&relay->lock);
	return -error;
}

static int prepare(struct pair *pair, int d, int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	pair->ends[d] = (struct end){.pair = pair, .fd = fd};
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    pipe2(pair->flows[d].pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int relay_add(struct relay *relay, int a, int b)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	int error = start(relay);
	int second;

	if (!pair) {
		close(a);
		close(b);
		return -ENOMEM;
	}
	pair->flows[0] = pair->flows[1] = (struct flow){.pipe = {-1, -1}};
	second = prepare(pair, 1, b);
	error = prepare(pair, 0, a) < 0 || second < 0 ? -EMFILE : error;
	pthread_mutex_lock(&relay->lock);
	if (error == 0 && !watch(relay->epoll, pair))
		error = -errno;
	/* The thread may have an event of one end in its hands. */
	pair->gone = error < 0;
	pthread_mutex_unlock(&relay->lock);
	if (error < 0)
		release(pair);
	return error;
}
