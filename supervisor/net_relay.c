/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/net_dial.h"
#include "supervisor/session.h"

enum {
	ACCEPT_MS = 1000, /* the other end has connected already */
	STRANGERS_MAX = 16,
};

static const struct net_peer loopback = {
	.address = {.s6_addr = {[10] = 0xff, 0xff, 127, 0, 0, 1}},
};

/* A listener of ours of the tool's family; the address that leads to it. */
static int open_listener(const struct tool_socket *socket, struct sockaddr_storage *ret,
			 socklen_t *ret_len)
{
	const bool is_inet = socket->domain != AF_UNIX;
	AUTO_CLOSE int fd = tool_socket_own(is_inet ? AF_INET : AF_UNIX);
	struct net_peer local;

	if (fd < 0)
		return -errno;
	if (is_inet)
		net_peer_write(&loopback, AF_INET, ret, ret_len);
	else
		*ret_len = offsetof(struct sockaddr_un, sun_path); /* a free abstract name */
	ret->ss_family = is_inet ? AF_INET : AF_UNIX;
	if (bind(fd, (const struct sockaddr *)ret, *ret_len) < 0 || listen(fd, STRANGERS_MAX) < 0)
		return -errno;
	*ret_len = sizeof(*ret);
	if (getsockname(fd, (struct sockaddr *)ret, ret_len) < 0)
		return -errno;
	if (is_inet && net_peer_from(ret, *ret_len, &local))
		net_peer_write(&local, socket->domain, ret, ret_len);
	return TAKE_FD(fd);
}

/* Is `fd` the other end of the tool's socket? Anybody on this host could have been faster. */
static bool is_from(int fd, const struct sockaddr_storage *from, socklen_t from_len,
		    const struct tool_socket *socket)
{
	struct sockaddr_storage addr;
	struct net_peer accepted;
	struct net_peer local;
	struct ucred who = {0};
	socklen_t len = sizeof(who);

	/* It was us who connected it. */
	if (socket->domain == AF_UNIX)
		return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
		       who.pid == getpid();
	len = sizeof(addr);
	return getsockname(socket->fd, (struct sockaddr *)&addr, &len) == 0 &&
	       net_peer_from(&addr, len, &local) && net_peer_from(from, from_len, &accepted) &&
	       local.port == accepted.port &&
	       !memcmp(&local.address, &accepted.address, sizeof(local.address));
}

static int accept_tool(int listener, const struct tool_socket *socket)
{
	struct pollfd ready = {.fd = listener, .events = POLLIN};

	for (int i = 0; i < STRANGERS_MAX && poll(&ready, 1, ACCEPT_MS) > 0; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		AUTO_CLOSE int fd =
			accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

		if (fd >= 0 && is_from(fd, &from, len, socket))
			return TAKE_FD(fd);
	}
	return -1;
}

int net_relay_join(struct call *call, const struct tool_socket *socket, const struct net_peer *shown,
		   struct reply *ret)
{
	const int off = 0;
	struct sockaddr_storage addr = {0};
	AUTO_CLOSE int listener = -1;
	struct net_peer real;
	socklen_t len = 0;
	int mine = -1;

	listener = open_listener(socket, &addr, &len);
	if (listener < 0) {
		*ret = reply_error(-listener);
		return -1;
	}
	if (net_peer_from(&addr, len, &real))
		net_peers_put(call->session->peers, tool_socket_cookie(socket), &real, shown);
	/* Nothing would come of the connect before the tool sends something. */
	(void)setsockopt(socket->fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &off, sizeof(off));
	*ret = net_connect(call, socket, (const struct sockaddr *)&addr, len);
	if (ret->kind != REPLY_VALUE && (ret->kind != REPLY_ERROR || ret->error != EINPROGRESS))
		return -1;
	mine = accept_tool(listener, socket);
	if (mine < 0)
		*ret = reply_error(ECONNREFUSED);
	return mine;
}

struct reply net_relay_connect(struct call *call, const struct tool_socket *socket,
			       const struct net_peer *shown, int other, struct relay_gate *gate)
{
	AUTO_CLOSE int upstream = other;
	struct reply reply;
	int mine;

	if (call->detached) {
		*call->detached = (struct detached){.fd = TAKE_FD(upstream), .gate = gate};
		return reply_value(0);
	}
	mine = net_relay_join(call, socket, shown, &reply);
	if (mine < 0) {
		if (gate)
			gate->release(gate);
		return reply;
	}
	if (relay_add(call->session->relay, mine, TAKE_FD(upstream), gate) < 0)
		return reply_error(ECONNREFUSED);
	return reply;
}

bool net_relay_in_use(struct call *call, const struct tool_socket *socket, struct reply *ret)
{
	struct sockaddr_storage addr;
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (socket->domain == AF_UNIX) {
		len = sizeof(addr);
		*ret = reply_error(EISCONN);
		return getpeername(socket->fd, (struct sockaddr *)&addr, &len) == 0;
	}
	if (getsockopt(socket->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    info.tcpi_state == TCP_CLOSE)
		return false;
	/* Port 0: should it have become free meanwhile, nobody is reached. */
	net_peer_write(&loopback, socket->domain, &addr, &len);
	*ret = net_connect(call, socket, (const struct sockaddr *)&addr, len);
	return true;
}
