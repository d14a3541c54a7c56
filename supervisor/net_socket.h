/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_SOCKET_H
#define PROCTOR_SUPERVISOR_NET_SOCKET_H

#include <stdbool.h>

#include "core/endpoint.h"
#include "supervisor/call.h"

/*
 * The caller's socket as one of our descriptors: the same socket, whatever the tool does to its
 * descriptor meanwhile. What a call does is done on it.
 */
struct tool_socket {
	int fd;     /* owned; -1: none */
	int domain; /* SO_DOMAIN, SO_TYPE, SO_PROTOCOL of socket(7) */
	int type;
	int protocol;
};

#define TOOL_SOCKET_INIT ((struct tool_socket){.fd = -1})

void tool_socket_release(struct tool_socket *socket);
#define AUTO_SOCKET __attribute__((cleanup(tool_socket_release)))

/*
 * Takes the socket behind the caller's descriptor `fd`. Every function here that returns bool:
 * true, go on; false, answer with *ret.
 */
bool tool_socket_take(struct call *call, int fd, struct tool_socket *ret_socket, struct reply *ret);

/* TRANSPORT_TCP or _UDP for what a rule can name; TRANSPORT_OTHER for any other. */
enum transport tool_socket_transport(const struct tool_socket *socket);

/* True when a call on the socket may wait: O_NONBLOCK is not set. */
bool tool_socket_may_wait(const struct tool_socket *socket);

/*
 * The local address of an AF_INET or AF_INET6 socket. False when it cannot be told.
 */
bool tool_socket_local(const struct tool_socket *socket, struct endpoint *ret);

/* A stream socket of our own: its descriptor, or -1 with errno. */
int tool_socket_own(int domain);

/* Its number, which no other socket ever has (SO_COOKIE of socket(7)). */
uint64_t tool_socket_cookie(const struct tool_socket *socket);

/* Gives it a local port, if it has none yet, as sending would. */
void tool_socket_bind_any(const struct tool_socket *socket);

/*
 * The answer to a connect or a send that waited and was interrupted. socket(7): with a timeout
 * (SO_SNDTIMEO) it is never restarted.
 */
struct reply tool_socket_interrupted(const struct tool_socket *socket);

/*
 * Refuses, with a record, what no rule can name. False: answer with *ret. True under --observe,
 * where that is only recorded.
 */
bool tool_socket_refuse(struct call *call, const struct ask *ask, int error, const char *detail,
			struct reply *ret);

#endif
