/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/file.h"
#include "supervisor/handlers.h"
#include "supervisor/net_address.h"
#include "supervisor/net_socket.h"
#include "supervisor/net_connect.h"
#include "supervisor/net_name.h"
#include "supervisor/net_proxy.h"
#include "supervisor/session.h"
#include "supervisor/socket_names.h"
#include "supervisor/tracee.h"

/* connect(2), bind(2), listen(2), getsockname(2): on our duplicate of the tool's socket. */

struct reply handle_connect(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	AUTO_ADDRESS struct tool_address address = TOOL_ADDRESS_INIT;
	const uint64_t *args = call->request.args;
	struct reply reply;

	if (!tool_socket_take(call, (int)args[0], &sock, &reply) ||
	    !tool_address_read(call, args[1], (int)args[2], &address, &reply) ||
	    !tool_address_prepare(call, &sock, OP_CONNECT, &address, &reply) ||
	    net_proxy_connect(call, &sock, &address, &reply))
		return reply;
	return net_connect_address(call, &sock, &address);
}

/* ------------------------------------------------------------------------- bind */

/*
 * The folder is pinned, and the worker's working folder is its own (CLONE_FS), so that only the
 * last name is looked up. What the kernel then shows as the socket's name is that last name;
 * handle_getsockname() puts the given one back.
 */
static struct reply bind_path(struct call *call, const struct tool_socket *sock,
			      const struct tool_address *address)
{
	struct stat stat;
	int error = file_take_umask(call);

	if (error < 0)
		return tracee_failed(call, error);
	if (!call_valid(call))
		return reply_none();
	if (fchdir(address->object.parent) < 0)
		return reply_error(errno);
	error = bind(sock->fd, (const struct sockaddr *)&address->addr, address->len) < 0 ? errno
											  : 0;
	(void)!chdir("/"); /* holds up no unmounting */
	if (error)
		return reply_error(error);
	if (fstat(sock->fd, &stat) == 0)
		socket_names_put(call->session->socket_names, stat.st_ino, address->object.last,
				 address->arg);
	return reply_value(0);
}

/* netlink(7): port 0 is the caller's process id, if it is free. Asked for by us it would be ours.
 */
static struct reply bind_netlink(struct call *call, const struct tool_socket *sock,
				 const struct tool_address *address)
{
	struct sockaddr_nl nl;

	memcpy(&nl, &address->addr, sizeof(nl));
	if (nl.nl_pid == 0) {
		nl.nl_pid = (uint32_t)call_tgid(call);
		if (bind(sock->fd, (const struct sockaddr *)&nl, sizeof(nl)) == 0)
			return reply_value(0);
		nl.nl_pid = 0;
	}
	return reply_result(bind(sock->fd, (const struct sockaddr *)&nl, sizeof(nl)));
}

struct reply handle_bind(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	AUTO_ADDRESS struct tool_address address = TOOL_ADDRESS_INIT;
	const uint64_t *args = call->request.args;
	struct reply reply;

	if (!tool_socket_take(call, (int)args[0], &sock, &reply) ||
	    !tool_address_read(call, args[1], (int)args[2], &address, &reply) ||
	    !tool_address_prepare(call, &sock, OP_BIND, &address, &reply))
		return reply;
	if (net_name_frees_bind(call, &address))
		address.decide = false;
	if (!tool_address_permit(call, OP_BIND, &address, &reply))
		return reply;
	if (address.object.parent >= 0)
		return bind_path(call, &sock, &address);
	if (sock.domain == AF_NETLINK)
		return bind_netlink(call, &sock, &address);
	return reply_result(bind(sock.fd, (const struct sockaddr *)&address.addr, address.len));
}

/* ----------------------------------------------------------------------- listen */

static bool same_address(const struct endpoint *a, const struct endpoint *b)
{
	return !memcmp(&a->address, &b->address, sizeof(a->address)) &&
	       (a->port == b->port || a->port == 0);
}

/*
 * May it listen on `local`? An address and a port are there because a bind was decided on, or
 * a connect is under way, with which listen() fails. But a socket that was connected once shows
 * its old port for ever, and an address of the host none: listen() then binds it to whatever port
 * is free. *local is set to what was decided on.
 */
static bool permit_listen(struct call *call, struct endpoint *local, struct reply *ret)
{
	const struct access as_shown = {
		.class = CLASS_NETWORK,
		.op = OP_LISTEN,
		.endpoint = local,
	};
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_LISTEN},
		.op_count = 1,
		.endpoint = local,
	};

	if (local->port != 0 &&
	    (!endpoint_is_unspecified(local) ||
	     policy_decide(call->session->policy, &as_shown).decision == DECISION_ALLOW)) {
		*ret = reply_none();
		return call_valid(call);
	}
	local->port = 0;
	return call_permit(call, &ask, ret);
}

/*
 * Between the look at the socket's address and the listen() a connect under way can fail, and
 * leave the socket unbound, so that listen() binds it to more than was decided: look again
 * afterwards, and take it back.
 */
static struct reply listen_tcp(struct call *call, const struct tool_socket *sock, int backlog)
{
	enum { TRIES = 4 };
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	struct endpoint decided, local;
	struct reply reply;

	for (int i = 0; i < TRIES; i++) {
		if (!tool_socket_local(sock, &decided))
			return reply_error(EINVAL);
		if (i > 0)
			decided.port = 0;
		if (!permit_listen(call, &decided, &reply))
			return reply;
		if (listen(sock->fd, backlog) < 0)
			return reply_error(errno);
		if (tool_socket_local(sock, &local) && same_address(&decided, &local))
			return reply_value(0);
		(void)connect(sock->fd, &nowhere, sizeof(nowhere)); /* listens no more */
	}
	return reply_error(EADDRINUSE);
}

struct reply handle_listen(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	const int backlog = (int)call->request.args[1];
	const struct endpoint endpoint = {.transport = TRANSPORT_OTHER, .family = AF_UNSPEC};
	const struct ask unnamed = {
		.class = CLASS_NETWORK,
		.ops = {OP_LISTEN},
		.op_count = 1,
		.endpoint = &endpoint,
	};
	struct reply reply;

	if (!tool_socket_take(call, (int)call->request.args[0], &sock, &reply))
		return reply;
	if (tool_socket_transport(&sock) == TRANSPORT_TCP)
		return listen_tcp(call, &sock, backlog);
	if (sock.domain != AF_UNIX && sock.domain != AF_NETLINK &&
	    tool_socket_transport(&sock) == TRANSPORT_OTHER &&
	    !tool_socket_refuse(call, &unnamed, EACCES, "a kind of socket that no rule can name",
				&reply))
		return reply;
	/* unix(7): only a bound socket can listen; netlink and UDP cannot. */
	if (!call_valid(call))
		return reply_none();
	return reply_result(listen(sock.fd, backlog));
}

/* ------------------------------------------------------------------ getsockname */

/* sun_path and a NUL more, as the kernel has it: unix_mkname() ends a full one beyond its end. */
union local_address {
	struct sockaddr_storage any;
	struct sockaddr_un un;
};

/* Puts the name that the tool gave in the place of the short one. */
static void restore_name(struct call *call, const struct tool_socket *sock,
			 union local_address *local, socklen_t *len)
{
	const size_t start = offsetof(struct sockaddr_un, sun_path);
	char *path = (char *)local + start;
	char given[SOCKET_NAME_SIZE];
	struct stat stat;

	if (local->any.ss_family != AF_UNIX || *len <= start || path[0] == '\0')
		return;
	path[sizeof(local->un.sun_path)] = '\0';
	if (fstat(sock->fd, &stat) < 0 ||
	    !socket_names_get(call->session->socket_names, stat.st_ino, path, given))
		return;
	*len = (socklen_t)(start + strlen(given) + 1);
	memcpy(path, given, strlen(given) + 1);
}

struct reply handle_getsockname(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	const uint64_t *args = call->request.args;
	union local_address local = {0};
	socklen_t len = sizeof(local);
	struct reply reply;
	int room = 0;
	int error;

	if (!tool_socket_take(call, (int)args[0], &sock, &reply))
		return reply;
	if (getsockname(sock.fd, (struct sockaddr *)&local, &len) < 0)
		return reply_error(errno);
	restore_name(call, &sock, &local, &len);
	/* What does not fit is cut; the length says what there was. */
	error = tracee_read(call, args[2], &room, sizeof(room));
	if (error == 0 && room < 0)
		return reply_error(EINVAL);
	if (!call_valid(call))
		return reply_none();
	if (error == 0)
		error = tracee_write(call, args[1], &local,
				     (socklen_t)room < len ? (size_t)room : len);
	if (error == 0)
		error = tracee_write(call, args[2], &len, sizeof(len));
	return error < 0 ? tracee_failed(call, error) : reply_value(0);
}
