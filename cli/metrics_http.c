/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/metrics_http.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MICROHTTPD_SONAME

_Noreturn void metrics_http_serve(int listener, int answer, struct metrics_area *area)
{
	static const char why[] = "this proctor was built without libmicrohttpd";

	(void)listener;
	(void)area;
	(void)!send(answer, why, strlen(why), MSG_NOSIGNAL);
	_exit(1);
}

#else

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "supervisor/confine.h"

enum {
	CONNECTIONS_MAX = 16,
	IDLE_S = 10,
	CONNECTION_MEMORY = 16 * 1024,
	PATIENCE_S = 2, /* with the supervisor */
	LISTENER = 3, /* what is left open: see keep() */
	ANSWER = 4,
};

/*
 * The library brings TLS and all that it needs: loading that would double the time that any proctor takes to
 * start. So it is loaded here, where it is wanted.
 */
struct library {
	__typeof__(MHD_start_daemon) *start_daemon;
	__typeof__(MHD_run) *run;
	__typeof__(MHD_get_daemon_info) *get_daemon_info;
	__typeof__(MHD_get_timeout) *get_timeout;
	__typeof__(MHD_create_response_from_buffer) *create_response;
	__typeof__(MHD_add_response_header) *add_header;
	__typeof__(MHD_queue_response) *queue_response;
	__typeof__(MHD_destroy_response) *destroy_response;
};

struct server {
	struct library library;
	const struct metrics_area *area;
	unsigned int number; /* of the last question */
};

static bool load(struct library *ret)
{
	void *handle = dlopen(MICROHTTPD_SONAME, RTLD_NOW | RTLD_LOCAL);
	const struct {
		const char *name;
		void *to;
	} symbols[] = {
		{"MHD_start_daemon", &ret->start_daemon},
		{"MHD_run", &ret->run},
		{"MHD_get_daemon_info", &ret->get_daemon_info},
		{"MHD_get_timeout", &ret->get_timeout},
		{"MHD_create_response_from_buffer", &ret->create_response},
		{"MHD_add_response_header", &ret->add_header},
		{"MHD_queue_response", &ret->queue_response},
		{"MHD_destroy_response", &ret->destroy_response},
	};

	for (size_t i = 0; handle && i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *found = dlsym(handle, symbols[i].name);

		if (!found)
			return false;
		memcpy(symbols[i].to, &found, sizeof(found));
	}
	return handle;
}

/* To answer those who have connected: no file, no socket of its own, no other process. */
static const int server_calls[] = {
	SCMP_SYS(accept4),    SCMP_SYS(recvfrom),     SCMP_SYS(sendto),        SCMP_SYS(sendmsg),
	SCMP_SYS(read),       SCMP_SYS(write),        SCMP_SYS(writev),        SCMP_SYS(shutdown),
	SCMP_SYS(close),      SCMP_SYS(setsockopt),   SCMP_SYS(getsockopt),    SCMP_SYS(getsockname),
	SCMP_SYS(fcntl),      SCMP_SYS(epoll_ctl),    SCMP_SYS(epoll_wait),    SCMP_SYS(poll),
	SCMP_SYS(futex),      SCMP_SYS(rt_sigreturn), SCMP_SYS(clock_gettime), SCMP_SYS(getrandom),
	SCMP_SYS(exit_group), SCMP_SYS(getpid),       SCMP_SYS(restart_syscall),
};

/* The figures of this moment: how much text the area holds, or -1. */
static ssize_t ask(struct server *server)
{
	struct metrics_answer answer;

	server->number++;
	if (send(ANSWER, &server->number, sizeof(server->number), MSG_NOSIGNAL) < 0)
		return -1;
	/* An answer that came too late for its question is passed over. */
	do {
		if (recv(ANSWER, &answer, sizeof(answer), 0) != sizeof(answer))
			return -1;
	} while (answer.number != server->number);
	return answer.len <= sizeof(server->area->text) ? (ssize_t)answer.len : -1;
}

static enum MHD_Result reply(const struct library *library, struct MHD_Connection *connection,
			     unsigned int status, const char *type, const char *text, size_t len)
{
	struct MHD_Response *response =
		library->create_response(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	library->add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	library->add_header(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		library->add_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = library->queue_response(connection, status, response);
	library->destroy_response(response);
	return result;
}

static enum MHD_Result reply_words(const struct library *library, struct MHD_Connection *connection,
				   unsigned int status, const char *words)
{
	return reply(library, connection, status, "text/plain; charset=utf-8", words, strlen(words));
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *body,
			      size_t *body_len, void **state)
{
	static int seen;
	struct server *server = context;
	const struct library *library = &server->library;
	ssize_t len;

	(void)version;
	(void)body;
	/* A request is first shown without its body, and one that has a body again with it. */
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	if (*body_len) {
		*body_len = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply_words(library, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET it\n");
	if (strcmp(url, "/metrics") != 0)
		return reply_words(library, connection, MHD_HTTP_NOT_FOUND, "see /metrics\n");
	len = ask(server);
	if (len < 0)
		return reply_words(library, connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "the supervisor does not answer\n");
	return reply(library, connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
		     server->area->text, (size_t)len);
}

static struct MHD_Daemon *start_daemon(struct server *server)
{
	return server->library.start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, LISTENER,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
}

/* These two alone are left, at their places. */
static int keep(int listener, int answer)
{
	const int null = open("/dev/null", O_RDWR);
	const int wanted[] = {null, null, null, listener, answer};
	enum { COUNT = sizeof(wanted) / sizeof(wanted[0]) };
	int aside[COUNT];

	for (int i = 0; i < COUNT; i++)
		aside[i] = fcntl(wanted[i], F_DUPFD, COUNT);
	for (int i = 0; i < COUNT; i++) {
		if (dup2(aside[i], i) < 0)
			return -1;
	}
	return (int)syscall(SYS_close_range, COUNT, ~0U, 0);
}

static _Noreturn void fail(const char *why)
{
	(void)!send(ANSWER, why, strlen(why), MSG_NOSIGNAL);
	_exit(1);
}

_Noreturn void metrics_http_serve(int listener, int answer, struct metrics_area *area)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct server server = {.area = area};
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;

	if (keep(listener, answer) < 0)
		_exit(1);
	setsockopt(ANSWER, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!load(&server.library))
		fail("cannot load " MICROHTTPD_SONAME);
	daemon = start_daemon(&server);
	info = daemon ? server.library.get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		fail("cannot start " MICROHTTPD_SONAME);
	if (confine(server_calls, sizeof(server_calls) / sizeof(server_calls[0]), false) < 0)
		fail("cannot confine the process for it");
	if (send(ANSWER, "", 1, MSG_NOSIGNAL) < 0)
		_exit(1);
	for (;;) {
		struct pollfd polls[] = {{.fd = info->epoll_fd, .events = POLLIN}, {.fd = ANSWER}};
		MHD_UNSIGNED_LONG_LONG timeout = 0;
		const bool due = server.library.get_timeout(daemon, &timeout) == MHD_YES;

		if (poll(polls, 2, due ? (int)(timeout < 60000 ? timeout : 60000) : -1) < 0 &&
		    errno != EINTR)
			_exit(1);
		if (polls[1].revents) /* the supervisor has ended */
			_exit(0);
		if (server.library.run(daemon) != MHD_YES)
			_exit(1);
	}
}

#endif
