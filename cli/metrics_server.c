/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/metrics_server.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/metrics_http.h"
#include "core/cleanup.h"
#include "supervisor/launch.h"

struct metrics_server {
	struct metrics_area *area;
	int ask;     /* the supervisor's end */
	char *where;
};

bool metrics_server_built(void)
{
#ifdef MICROHTTPD_SONAME
	return true;
#else
	return false;
#endif
}

/* --------------------------------------------------------------------------- listening */

/* Takes "[::1]:9477" apart. 0 and both parts, NULL being a port alone. */
static int split(const char *text, char **ret_host, const char **ret_port)
{
	const char *colon = strrchr(text, ':');
	const bool bracket = *text == '[';
	char *end = NULL;

	*ret_host = NULL;
	*ret_port = colon ? colon + 1 : text;
	errno = 0;
	if (strspn(*ret_port, "0123456789") != strlen(*ret_port) || !**ret_port ||
	    strtoul(*ret_port, &end, 10) > 65535 || errno)
		return -EINVAL;
	if (!colon)
		return 0;
	if (bracket != (colon > text && colon[-1] == ']') ||
	    (!bracket && memchr(text, ':', (size_t)(colon - text))))
		return -EINVAL;
	*ret_host = strndup(text + bracket, (size_t)(colon - text) - 2 * (size_t)bracket);
	return *ret_host ? 0 : -ENOMEM;
}

/* NULL: it is none, or there is no memory. */
static struct addrinfo *find_address(const char *text)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;
	AUTO_FREE char *host = NULL;
	const char *port;

	if (split(text, &host, &port) < 0 ||
	    getaddrinfo(host ? host : "127.0.0.1", port, &hints, &found) != 0)
		return NULL;
	return found;
}

/* The address as the kernel has it, which knows the port by now. */
static char *name_of(int fd)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(address);
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];
	char *name = NULL;

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
	    getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return NULL;
	if (asprintf(&name, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port) < 0)
		return NULL;
	return name;
}

static int listen_at(const char *text, int *ret, struct error *err)
{
	const int one = 1;
	struct addrinfo *found = find_address(text);
	int fd;

	if (!found)
		return error_set(err, 0,
				 "cannot listen on '%s': a port, ADDRESS:PORT or [IPV6]:PORT is needed",
				 text);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 16) < 0) {
		error_set(err, errno, "cannot listen on '%s'", text);
		freeaddrinfo(found);
		close_fd(&fd);
		return -EADDRINUSE;
	}
	freeaddrinfo(found);
	*ret = fd;
	return 0;
}

/* --------------------------------------------------------------------------- the process */

static _Noreturn void be_server(int listener, int answer, struct metrics_area *area, pid_t parent)
{
	sigset_t none;

	/* Away from the terminal's signals, and from those that the tool sends to the group. */
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "metrics");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (getppid() != parent || drop_capabilities() < 0)
		_exit(1);
	metrics_http_serve(listener, answer, area);
}

/* What the process says when it is ready, or why it is not. */
static int hear(int ask, struct error *err)
{
	char words[sizeof(err->message)];
	ssize_t got = recv(ask, words, sizeof(words) - 1, 0);

	if (got == 1 && words[0] == '\0')
		return 0;
	words[got > 0 ? got : 0] = '\0';
	return error_set(err, 0, "cannot serve metrics: %s",
			 got > 0 ? words : "the process for it has ended");
}

static int start(struct metrics_server *server, const char *address, struct error *err)
{
	AUTO_CLOSE int listener = -1;
	AUTO_CLOSE int answer = -1;
	const pid_t parent = getpid();
	int pair[2];
	pid_t pid;
	int error = listen_at(address, &listener, err);

	if (error < 0)
		return error;
	server->where = name_of(listener);
	server->area = mmap(NULL, sizeof(*server->area), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!server->where || server->area == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, errno, "cannot serve metrics");
	server->ask = pair[0];
	answer = pair[1];
	pid = fork();
	if (pid < 0)
		return error_set(err, errno, "cannot serve metrics");
	if (pid == 0) {
		close(server->ask);
		be_server(listener, answer, server->area, parent);
	}
	close_fd(&answer); /* ours: a process that has died is heard of */
	return hear(server->ask, err);
}

int metrics_server_start(const char *address, struct metrics_server **ret, struct error *err)
{
	struct metrics_server *server = calloc(1, sizeof(*server));
	int error;

	if (!server)
		return error_set(err, ENOMEM, "cannot serve metrics");
	server->ask = -1;
	fflush(NULL);
	error = start(server, address, err);
	if (error < 0) {
		close_fd(&server->ask);
		if (server->area && server->area != MAP_FAILED)
			munmap(server->area, sizeof(*server->area));
		free(server->where);
		free(server);
		return error;
	}
	*ret = server;
	return 0;
}

/* ------------------------------------------------------------------------ the supervisor */

const char *metrics_server_address(const struct metrics_server *server)
{
	return server->where;
}

int metrics_server_question(const struct metrics_server *server)
{
	return server->ask;
}

bool metrics_server_asked(const struct metrics_server *server, unsigned int *ret_number, bool *ret_gone)
{
	bool any = false;
	ssize_t got;

	/* Of several, what it has given up on is not answered. */
	while ((got = recv(server->ask, ret_number, sizeof(*ret_number), MSG_DONTWAIT)) ==
	       sizeof(*ret_number))
		any = true;
	*ret_gone = got == 0;
	return any && got < 0;
}

void metrics_server_answer(const struct metrics_server *server, unsigned int number, const char *text,
			   size_t len)
{
	const struct metrics_answer answer = {
		.number = number,
		.len = text && len <= sizeof(server->area->text) ? len : SIZE_MAX,
	};

	if (answer.len != SIZE_MAX)
		memcpy(server->area->text, text, len);
	(void)!send(server->ask, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}
