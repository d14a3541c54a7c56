/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "core/cleanup.h"
#include "supervisor/proxy_dial.h"
#include "supervisor/session.h"
#include "supervisor/stats.h"

enum {
	HEAD_MS = 10000,     /* from the connect to the last byte of the request */
	CLIENTS_MAX = 2048,  /* of which nothing stands yet */
	DIALLERS_MAX = 32,
	EVENTS = 32,
};

enum stage {
	STAGE_HEAD,   /* says what it wants */
	STAGE_DIAL,   /* a dialler has it */
	STAGE_ANSWER, /* the other end is on its way */
	STAGE_BYE,    /* was refused, and reads why */
};

struct client {
	struct client *prev, *next; /* of `waiting`, `dialled` or `gone` */
	enum stage stage;
	int fd;
	struct proxy_end end;
	uint64_t since; /* stats_now() */
	pid_t tid;
	int nr;
	bool greeted; /* SOCKS */
	bool nameless; /* PROXY_NO_HOST: only to be recorded */
	struct proxy_request request;
};

struct proxy {
	struct session *session;
	pthread_mutex_t lock; /* of all that follows; diallers hold it but while they dial */
	int epoll;            /* -1: the thread does not run yet */
	size_t count;
	struct client *waiting; /* STAGE_HEAD and STAGE_BYE, in the order of `since` */
	struct client *answering;
	struct client *queue; /* STAGE_DIAL, for the next dialler */
	struct client *gone;  /* freed when no event can be about them any more */
	unsigned int diallers;
	unsigned char head[PROXY_HEAD_MAX];
};

struct proxy *proxy_new(struct session *session)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));

	if (!proxy)
		return NULL;
	proxy->session = session;
	pthread_mutex_init(&proxy->lock, NULL);
	proxy->epoll = -1;
	return proxy;
}

/* ----------------------------------------------------------------------------- clients */

static struct client **list_of(struct proxy *proxy, const struct client *client)
{
	switch (client->stage) {
	case STAGE_DIAL:
		return &proxy->queue;
	case STAGE_ANSWER:
		return &proxy->answering;
	default:
		return &proxy->waiting;
	}
}

/* Lets go of a client that is in the list of its stage. */
static void drop(struct proxy *proxy, struct client *client)
{
	struct client **list = list_of(proxy, client);

	DL_DELETE(*list, client);
	close_fd(&client->fd);
	close_fd(&client->end.fd);
	if (client->end.gate)
		client->end.gate->release(client->end.gate);
	client->end.gate = NULL;
	DL_APPEND(proxy->gone, client);
	proxy->count--;
}

static void free_gone(struct proxy *proxy)
{
	while (proxy->gone) {
		struct client *client = proxy->gone;

		DL_DELETE(proxy->gone, client);
		free(client);
	}
}

/* What comes anew is told once: what is there is only looked at until the request is whole. */
static bool watch(const struct proxy *proxy, struct client *client, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLET, .data.ptr = client};

	return epoll_ctl(proxy->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool unwatch(const struct proxy *proxy, int fd)
{
	return epoll_ctl(proxy->epoll, EPOLL_CTL_DEL, fd, NULL) == 0;
}

/* ----------------------------------------------------------------------------- answers */

static void say(const struct client *client, const void *data, size_t len)
{
	(void)!send(client->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_http(const struct client *client, const char *status, const char *more,
		     const char *text)
{
	char answer[512];
	const int len = snprintf(answer, sizeof(answer),
				 "HTTP/1.1 %s\r\n%sContent-Type: text/plain\r\n"
				 "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
				 status, more, strlen(text), text);

	say(client, answer, len < (int)sizeof(answer) ? (size_t)len : sizeof(answer) - 1);
}

/* RFC 1928, 6; the address that it connects from is nobody's business. */
static void say_socks(const struct client *client, unsigned char code)
{
	const unsigned char answer[10] = {5, code, 0, 1};

	say(client, answer, sizeof(answer));
}

static unsigned char socks_code(int error)
{
	switch (error) {
	case 0:
		return 0;
	case EACCES:
		return 2; /* not allowed by ruleset */
	case ENETUNREACH:
		return 3;
	case EHOSTUNREACH:
	case ETIMEDOUT:
		return 4;
	case ECONNREFUSED:
		return 5;
	default:
		return 1;
	}
}

/* What came of the connect. */
static void say_outcome(const struct client *client, int error)
{
	static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	char text[128];

	if (client->request.protocol == PROXY_SOCKS) {
		say_socks(client, socks_code(error));
	} else if (error == 0) {
		say(client, established, sizeof(established) - 1);
	} else if (error == EACCES) {
		say_http(client, "403 Forbidden", "",
			 "proctor: the policy does not allow this connection\n");
	} else {
		snprintf(text, sizeof(text), "proctor: cannot connect: %s\n", strerrordesc_np(error));
		say_http(client, error == ETIMEDOUT ? "504 Gateway Timeout" : "502 Bad Gateway", "",
			 text);
	}
}

/* The client keeps its place until it has read the answer, or its time is over: closed with something
 * unread it would see a reset instead. It is in no list. */
static void say_goodbye(struct proxy *proxy, struct client *client)
{
	shutdown(client->fd, SHUT_WR);
	client->since = stats_now();
	client->stage = STAGE_BYE;
	DL_APPEND(proxy->waiting, client);
}

static void discard(struct proxy *proxy, struct client *client)
{
	ssize_t got;

	do
		got = recv(client->fd, proxy->head, sizeof(proxy->head), MSG_DONTWAIT);
	while (got > 0);
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		drop(proxy, client);
}

/* --------------------------------------------------------------------------- diallers */

/* The connection stands, or never will. With the client in no list. */
static void settle(struct proxy *proxy, struct client *client, int error)
{
	say_outcome(client, error);
	if (error) {
		say_goodbye(proxy, client);
		if (!watch(proxy, client, client->fd, EPOLLIN))
			drop(proxy, client);
		return;
	}
	proxy->count--;
	(void)relay_add(proxy->session->relay, TAKE_FD(client->fd), TAKE_FD(client->end.fd),
			TAKE_PTR(client->end.gate));
	DL_APPEND(proxy->gone, client);
}

/* A dialler is done with the client. */
static void dialled(struct proxy *proxy, struct client *client)
{
	if (client->end.fd < 0) {
		settle(proxy, client, client->end.error);
		return;
	}
	client->stage = STAGE_ANSWER;
	DL_APPEND(proxy->answering, client);
	if (!watch(proxy, client, client->end.fd, EPOLLOUT) || !watch(proxy, client, client->fd, 0))
		drop(proxy, client);
}

static void *dial(void *argument)
{
	struct proxy *proxy = argument;
	struct client *client;

	prctl(PR_SET_NAME, "dialler");
	pthread_mutex_lock(&proxy->lock);
	while ((client = proxy->queue) != NULL) {
		DL_DELETE(proxy->queue, client);
		pthread_mutex_unlock(&proxy->lock);
		if (client->nameless) {
			proxy_refuse_name(proxy->session, client->tid, client->nr, &client->request);
			client->end = (struct proxy_end){.fd = -1, .error = EACCES};
		} else {
			client->end = proxy_dial(proxy->session, client->tid, client->nr,
						 &client->request);
		}
		pthread_mutex_lock(&proxy->lock);
		dialled(proxy, client);
	}
	proxy->diallers--;
	pthread_mutex_unlock(&proxy->lock);
	return NULL;
}

static int start_thread(void *(*function)(void *), struct proxy *proxy)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attr, function, proxy);
	pthread_attr_destroy(&attr);
	return -error;
}

/* A client that has said what it wants waits for a dialler. */
static void enqueue(struct proxy *proxy, struct client *client)
{
	DL_DELETE(proxy->waiting, client);
	client->stage = STAGE_DIAL;
	DL_APPEND(proxy->queue, client);
	if (!unwatch(proxy, client->fd)) {
		drop(proxy, client);
		return;
	}
	if (proxy->diallers >= DIALLERS_MAX)
		return;
	proxy->diallers++;
	if (start_thread(dial, proxy) < 0 && --proxy->diallers == 0)
		drop(proxy, client);
}

/* ---------------------------------------------------------------------------- requests */

static void refuse(struct proxy *proxy, struct client *client, enum proxy_word word)
{
	static const unsigned char no_method[] = {5, 0xff};

	if (word == PROXY_PASSWORD)
		say(client, no_method, sizeof(no_method));
	else if (client->request.protocol == PROXY_SOCKS)
		say_socks(client, word == PROXY_METHOD ? 7 : 1);
	else if (word == PROXY_METHOD)
		say_http(client, "405 Method Not Allowed", "Allow: CONNECT\r\n",
			 "proctor: this proxy knows CONNECT; plain HTTP needs no proxy here\n");
	else
		say_http(client, "400 Bad Request", "", "proctor: this is no request to a proxy\n");
	DL_DELETE(proxy->waiting, client);
	say_goodbye(proxy, client);
	discard(proxy, client);
}

/* Takes what was looked at; what follows stays for the relay. */
static bool take(const struct client *client)
{
	unsigned char head[PROXY_HEAD_MAX];
	const size_t len = client->request.len;

	return len <= sizeof(head) && recv(client->fd, head, len, MSG_DONTWAIT) == (ssize_t)len;
}

static void read_head(struct proxy *proxy, struct client *client)
{
	static const unsigned char greeting[] = {5, 0};

	for (;;) {
		const ssize_t len = recv(client->fd, proxy->head, sizeof(proxy->head),
					 MSG_PEEK | MSG_DONTWAIT);
		enum proxy_word word;

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (len <= 0) {
			drop(proxy, client);
			return;
		}
		word = proxy_request_read(proxy->head, (size_t)len, client->greeted,
					  &client->request);
		if (word == PROXY_INCOMPLETE)
			return;
		if (word != PROXY_MALFORMED && !take(client)) {
			drop(proxy, client);
			return;
		}
		if (word != PROXY_GREETING) {
			client->nameless = word == PROXY_NO_HOST;
			if (word == PROXY_CONNECT || word == PROXY_NO_HOST)
				enqueue(proxy, client);
			else
				refuse(proxy, client, word);
			return;
		}
		say(client, greeting, sizeof(greeting));
		client->greeted = true;
	}
}

/* The other end is there, or has failed, or the client has gone. */
static void on_answer(struct proxy *proxy, struct client *client, uint32_t events)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(client->end.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0 && !(events & EPOLLOUT)) {
		drop(proxy, client);
		return;
	}
	DL_DELETE(proxy->answering, client);
	if (!unwatch(proxy, client->fd) || !unwatch(proxy, client->end.fd))
		error = ECONNABORTED;
	if (error && client->end.gate) {
		client->end.gate->release(client->end.gate);
		client->end.gate = NULL;
	}
	if (error)
		close_fd(&client->end.fd);
	settle(proxy, client, error);
}

/* -------------------------------------------------------------------------- the thread */

static void on_event(struct proxy *proxy, struct client *client, uint32_t events)
{
	/* Gone since, or on its way: what the event was about is over. */
	if (client->fd < 0)
		return;
	switch (client->stage) {
	case STAGE_HEAD:
		read_head(proxy, client);
		break;
	case STAGE_ANSWER:
		on_answer(proxy, client, events);
		break;
	case STAGE_BYE:
		discard(proxy, client);
		break;
	case STAGE_DIAL:
		break;
	}
}

/* Lets go of those whose time is over; milliseconds until the next one's is, -1: there is none. */
static int expire(struct proxy *proxy)
{
	const uint64_t now = stats_now();

	while (proxy->waiting) {
		const uint64_t end = proxy->waiting->since + HEAD_MS * 1000000ULL;

		if (now < end)
			return (int)((end - now) / 1000000) + 1;
		drop(proxy, proxy->waiting);
	}
	return -1;
}

static void *work(void *argument)
{
	struct proxy *proxy = argument;
	struct epoll_event events[EVENTS];

	prctl(PR_SET_NAME, "proxy");
	for (;;) {
		int timeout;
		int count;

		pthread_mutex_lock(&proxy->lock);
		timeout = expire(proxy);
		free_gone(proxy);
		pthread_mutex_unlock(&proxy->lock);
		count = epoll_wait(proxy->epoll, events, EVENTS, timeout);
		pthread_mutex_lock(&proxy->lock);
		for (int i = 0; i < count; i++)
			on_event(proxy, events[i].data.ptr, events[i].events);
		pthread_mutex_unlock(&proxy->lock);
	}
	return NULL;
}

/* With the lock held. */
static int start(struct proxy *proxy)
{
	int error;

	if (proxy->epoll >= 0)
		return 0;
	proxy->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (proxy->epoll < 0)
		return -errno;
	error = start_thread(work, proxy);
	if (error < 0)
		close_fd(&proxy->epoll);
	return error;
}

int proxy_serve(struct proxy *proxy, int fd, pid_t tid, int nr)
{
	AUTO_CLOSE int mine = fd;
	struct client *client = calloc(1, sizeof(*client));
	const int flags = fcntl(mine, F_GETFL);
	const int on = 1;
	int error;

	if (!client)
		return -ENOMEM;
	/* Fails on a unix socket. */
	setsockopt(mine, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	error = flags < 0 || fcntl(mine, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
	*client = (struct client){.end = {.fd = -1}, .since = stats_now(), .tid = tid, .nr = nr};
	pthread_mutex_lock(&proxy->lock);
	if (error == 0)
		error = start(proxy);
	if (error == 0 && proxy->count >= CLIENTS_MAX) {
		if (proxy->waiting)
			drop(proxy, proxy->waiting);
		else
			error = -ENOBUFS;
	}
	if (error == 0) {
		client->fd = TAKE_FD(mine);
		DL_APPEND(proxy->waiting, client);
		proxy->count++;
		if (!watch(proxy, client, client->fd, EPOLLIN))
			drop(proxy, client);
		client = NULL;
	}
	pthread_mutex_unlock(&proxy->lock);
	free(client);
	return error;
}
