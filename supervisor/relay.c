/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"

enum {
	PIECE = 64 * 1024, /* what a pipe holds */
	EVENTS = 32,
	SPARE_PIPES = 4,
};

enum { FROM_TOOL, FROM_OTHER };

/* One direction: from ends[d] to ends[1 - d]. */
struct flow {
	int pipe[2];    /* -1: nothing is on its way */
	size_t held;    /* bytes in the pipe */
	bool ended;     /* the source has */
	bool passed_on; /* and the other end knows */
};

/* What the tool sends first, while it is looked at and until it has gone on. */
struct first {
	struct relay_gate *gate; /* NULL: it was let through */
	size_t len;
	size_t sent;
	unsigned char data[RELAY_FIRST_MAX];
};

struct pair;

struct end {
	struct pair *pair;
	int fd;
	uint32_t events; /* that are waited for; 0: not with epoll */
};

struct pair {
	struct end ends[2]; /* of the tool, and the other */
	struct flow flows[2];
	struct first *first; /* NULL: all that comes goes on */
	struct pair *next;   /* of those to be freed */
	bool refused;        /* what comes from the tool goes nowhere */
	bool gone;
};

struct relay {
	pthread_mutex_t lock; /* no pair is looked at while one is being added */
	pthread_cond_t drained;
	int epoll; /* -1: the thread does not run yet */
	size_t sending; /* pairs whose tool may still have something to be sent on */
	int spare[SPARE_PIPES][2];
	size_t spare_count;
};

struct relay *relay_new(void)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	pthread_condattr_t attr;

	if (!relay)
		return NULL;
	pthread_mutex_init(&relay->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&relay->drained, &attr);
	pthread_condattr_destroy(&attr);
	relay->epoll = -1;
	return relay;
}

/* ---------------------------------------------------------------------------- pipes */

/* A pipe is only needed while something is on its way, so that few do for many connections. */
static bool take_pipe(struct relay *relay, struct flow *flow)
{
	if (flow->pipe[0] >= 0)
		return true;
	if (relay->spare_count == 0)
		return pipe2(flow->pipe, O_CLOEXEC | O_NONBLOCK) == 0;
	memcpy(flow->pipe, relay->spare[--relay->spare_count], sizeof(flow->pipe));
	return true;
}

/* An empty one is kept for the next. */
static void give_pipe(struct relay *relay, struct flow *flow)
{
	if (flow->pipe[0] < 0)
		return;
	if (flow->held == 0 && relay->spare_count < SPARE_PIPES) {
		memcpy(relay->spare[relay->spare_count++], flow->pipe, sizeof(flow->pipe));
		flow->pipe[0] = flow->pipe[1] = -1;
		return;
	}
	close_fd(&flow->pipe[0]);
	close_fd(&flow->pipe[1]);
}

/* ----------------------------------------------------------------------- the bytes */

static bool is_transient(int error)
{
	return error == EAGAIN || error == EINTR;
}

static void pass_end_on(struct pair *pair, int d)
{
	struct flow *flow = &pair->flows[d];

	if (!flow->passed_on)
		shutdown(pair->ends[1 - d].fd, SHUT_WR);
	flow->passed_on = true;
}

/* Moves what can be moved in one direction. False: the connection is broken. */
static bool pump(struct relay *relay, struct pair *pair, int d)
{
	const unsigned int flags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;
	struct flow *flow = &pair->flows[d];
	const int from = pair->ends[d].fd;
	const int to = pair->ends[1 - d].fd;
	ssize_t count = 0;

	if (!take_pipe(relay, flow))
		return false;
	for (;;) {
		if (flow->held == 0 && !flow->ended) {
			count = splice(from, NULL, flow->pipe[1], NULL, PIECE, flags);
			if (count < 0)
				break;
			flow->held = (size_t)count;
			flow->ended = count == 0;
		}
		if (flow->held == 0)
			break;
		count = splice(flow->pipe[0], NULL, to, NULL, flow->held, flags);
		if (count < 0)
			break;
		flow->held -= (size_t)count;
	}
	if (count < 0 && !is_transient(errno))
		return false;
	if (flow->held == 0)
		give_pipe(relay, flow);
	if (flow->held == 0 && flow->ended)
		pass_end_on(pair, d);
	return true;
}

/* Takes what is refused, and lets go of it: until the tool has read why. */
static bool discard(struct pair *pair)
{
	unsigned char data[4096];
	ssize_t count;

	do
		count = recv(pair->ends[FROM_TOOL].fd, data, sizeof(data), MSG_DONTWAIT);
	while (count > 0);
	return count < 0 && is_transient(errno);
}

static void refuse(struct pair *pair, const struct relay_gate *gate)
{
	(void)!send(pair->ends[FROM_TOOL].fd, gate->farewell, gate->farewell_len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(pair->ends[FROM_TOOL].fd, SHUT_WR);
	shutdown(pair->ends[FROM_OTHER].fd, SHUT_RDWR);
	pair->refused = true;
}

static void release_gate(struct first *first)
{
	if (first && first->gate)
		first->gate->release(first->gate);
	if (first)
		first->gate = NULL;
}

static void release_first(struct pair *pair)
{
	release_gate(pair->first);
	free(pair->first);
	pair->first = NULL;
}

/* Reads what the tool sends first, and asks about it. False: the connection is broken. */
static bool read_first(struct pair *pair)
{
	struct first *first = pair->first;
	struct flow *flow = &pair->flows[FROM_TOOL];

	while (first->gate && !pair->refused) {
		ssize_t count = recv(pair->ends[FROM_TOOL].fd, first->data + first->len,
				     sizeof(first->data) - first->len, MSG_DONTWAIT);

		if (count < 0)
			return is_transient(errno);
		first->len += (size_t)count;
		flow->ended = count == 0;
		switch (first->gate->look(first->gate, first->data, first->len,
					  flow->ended || first->len == sizeof(first->data))) {
		case RELAY_WAIT:
			break;
		case RELAY_PASS:
			release_gate(first);
			break;
		case RELAY_REFUSE:
			refuse(pair, first->gate);
			release_gate(first);
			break;
		}
	}
	return true;
}

/* What the tool sends first: read, asked about, sent on. False: the connection is broken. */
static bool pump_first(struct pair *pair)
{
	struct first *first = pair->first;

	if (!read_first(pair))
		return false;
	while (!first->gate && !pair->refused && first->sent < first->len) {
		ssize_t count = send(pair->ends[FROM_OTHER].fd, first->data + first->sent,
				     first->len - first->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (count < 0)
			return is_transient(errno);
		first->sent += (size_t)count;
	}
	if (pair->refused || (!first->gate && first->sent == first->len))
		release_first(pair);
	return true;
}

/* False: the pair is done with. */
static bool serve(struct relay *relay, struct pair *pair)
{
	if (pair->first && !pump_first(pair))
		return false;
	if (pair->refused)
		return discard(pair);
	if (!pair->first && !pump(relay, pair, FROM_TOOL))
		return false;
	return pump(relay, pair, FROM_OTHER) &&
	       !(pair->flows[FROM_TOOL].passed_on && pair->flows[FROM_OTHER].passed_on);
}

/* ----------------------------------------------------------------------- the waiting */

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

static bool may_read(const struct pair *pair, int d)
{
	const struct flow *flow = &pair->flows[d];

	if (pair->refused)
		return d == FROM_TOOL;
	if (d == FROM_TOOL && pair->first && !pair->first->gate)
		return false;
	return flow->held == 0 && !flow->ended;
}

static bool may_write(const struct pair *pair, int d)
{
	const struct first *first = pair->first;

	if (pair->refused)
		return false;
	return pair->flows[d].held > 0 || (d == FROM_TOOL && first && !first->gate);
}

/* Waits for what each end can do next. */
static bool watch(int epoll, struct pair *pair)
{
	for (int d = 0; d < 2; d++) {
		const uint32_t events = (may_read(pair, d) ? EPOLLIN : 0) |
					(may_write(pair, 1 - d) ? EPOLLOUT : 0);

		if (!set_events(epoll, &pair->ends[d], events))
			return false;
	}
	return true;
}

static bool may_send_more(const struct pair *pair)
{
	return !pair->gone && !pair->refused && !pair->flows[FROM_TOOL].passed_on;
}

/* ------------------------------------------------------------------------ the thread */

/* A connection that broke at one end breaks at the other, instead of ending in good order. */
static void reset(struct pair *pair)
{
	const struct linger linger = {.l_onoff = 1};

	for (int d = 0; d < 2; d++)
		if (!pair->refused && !pair->flows[1 - d].passed_on)
			setsockopt(pair->ends[d].fd, SOL_SOCKET, SO_LINGER, &linger,
				   sizeof(linger));
}

static void release(struct relay *relay, struct pair *pair)
{
	for (int d = 0; d < 2; d++) {
		close_fd(&pair->ends[d].fd);
		give_pipe(relay, &pair->flows[d]);
	}
	release_first(pair);
}

static void on_event(struct relay *relay, struct end *end, uint32_t events, struct pair **gone)
{
	struct pair *pair = end->pair;
	const bool sent = may_send_more(pair);

	/* Another event of the same batch may still be about it. */
	if (pair->gone)
		return;
	pair->gone = !serve(relay, pair) || (events & EPOLLERR) || !watch(relay->epoll, pair);
	if (sent && !may_send_more(pair) && --relay->sending == 0)
		pthread_cond_broadcast(&relay->drained);
	if (!pair->gone)
		return;
	reset(pair);
	pair->next = *gone;
	*gone = pair;
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
		for (int i = 0; i < count; i++)
			on_event(relay, events[i].data.ptr, events[i].events, &gone);
		while (gone) {
			struct pair *next = gone->next;

			release(relay, gone);
			free(gone);
			gone = next;
		}
		pthread_mutex_unlock(&relay->lock);
	}
	return NULL;
}

/* With the lock held. */
static int start(struct relay *relay)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	if (relay->epoll >= 0)
		return 0;
	relay->epoll = epoll_create1(EPOLL_CLOEXEC);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = relay->epoll < 0 ? errno : pthread_create(&thread, &attr, work, relay);
	pthread_attr_destroy(&attr);
	if (error)
		close_fd(&relay->epoll);
	return -error;
}

static int prepare(struct pair *pair, int d, int fd)
{
	const int flags = fcntl(fd, F_GETFL);
	const int on = 1;

	pair->ends[d] = (struct end){.pair = pair, .fd = fd};
	pair->flows[d] = (struct flow){.pipe = {-1, -1}};
	/* The tool's own socket has waited already, if it wants to. Fails on a unix socket. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int relay_add(struct relay *relay, int tool, int other, struct relay_gate *gate)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	int error;

	if (pair && gate)
		pair->first = calloc(1, sizeof(*pair->first));
	if (!pair || (gate && !pair->first)) {
		close(tool);
		close(other);
		if (gate)
			gate->release(gate);
		free(pair);
		return -ENOMEM;
	}
	if (gate)
		pair->first->gate = gate;
	error = prepare(pair, FROM_TOOL, tool);
	error = prepare(pair, FROM_OTHER, other) < 0 ? -EBADF : error;
	pthread_mutex_lock(&relay->lock);
	if (error == 0)
		error = start(relay);
	if (error == 0 && !watch(relay->epoll, pair))
		error = -errno;
	if (error == 0)
		relay->sending++;
	else
		release(relay, pair);
	/* It stays in memory then: the thread may have an event of one end in its hands. */
	pair->gone = error < 0;
	pthread_mutex_unlock(&relay->lock);
	return error;
}

void relay_finish(struct relay *relay, int timeout_ms)
{
	struct timespec until;
	int error = 0;

	if (!relay)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&relay->lock);
	while (relay->sending > 0 && error == 0)
		error = pthread_cond_timedwait(&relay->drained, &relay->lock, &until);
	pthread_mutex_unlock(&relay->lock);
}
