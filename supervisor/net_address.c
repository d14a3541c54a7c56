/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/net_name.h"
#include "supervisor/session.h"
#include "supervisor/socket_names.h"
#include "supervisor/tracee.h"

void tool_address_release(struct tool_address *address)
{
	object_release(&address->object);
}

bool tool_address_read(struct call *call, uint64_t ptr, int len, struct tool_address *address,
		       struct reply *ret)
{
	int error;

	memset(&address->addr, 0, sizeof(address->addr));
	if (len < 0 || (size_t)len > sizeof(address->addr)) {
		*ret = reply_error(EINVAL);
		return false;
	}
	error = tracee_read(call, ptr, &address->addr, (size_t)len);
	if (error < 0) {
		*ret = tracee_failed(call, error);
		return false;
	}
	address->len = (socklen_t)len;
	return true;
}

static bool answer(struct reply *ret, int error)
{
	*ret = reply_error(error);
	return false;
}

static bool refuse(struct call *call, enum access_op op, const struct tool_address *address,
		   const char *detail, struct reply *ret)
{
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {op},
		.op_count = 1,
		.endpoint = &address->endpoint,
		.arg = address->arg[0] ? address->arg : NULL,
	};

	return tool_socket_refuse(call, &ask, EACCES, detail, ret);
}

/* An address of which nothing but the family means anything. */
static bool family_only(struct tool_address *address)
{
	const sa_family_t family = address->addr.ss_family;

	memset(&address->addr, 0, sizeof(address->addr));
	address->addr.ss_family = family;
	return true;
}

/* The kernel does not look at it. */
static bool drop(struct tool_address *address)
{
	address->len = 0;
	return true;
}

/* ---------------------------------------------------------------- ip(7), ipv6(7) */

static void write_inet_arg(struct tool_address *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->addr;
	char host[INET6_ADDRSTRLEN];

	if (address->addr.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(address->arg, sizeof(address->arg), "%s:%u", host, ntohs(in->sin_port));
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(address->arg, sizeof(address->arg), "[%s]:%u", host,
			 ntohs(in6->sin6_port));
	}
}

/*
 * To the kernel 0.0.0.0 and :: as a peer mean this host (tcp_v6_connect(), udpv6_sendmsg(),
 * ip_route_output_key_hash_rcu()): loopback, or for IPv4 the address that the socket is bound to.
 * That address is then both decided on and used.
 */
static void aim_at_this_host(const struct tool_socket *socket, struct tool_address *address)
{
	static const unsigned char loopback[4] = {127, 0, 0, 1};
	struct sockaddr_in *in = (struct sockaddr_in *)&address->addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->addr;
	struct in6_addr *target = &address->endpoint.address;
	const bool to_v4 = endpoint_is_v4(&address->endpoint);
	struct endpoint local;
	const bool from_v4 = tool_socket_local(socket, &local) && endpoint_is_v4(&local);

	if (to_v4 && from_v4 && !endpoint_is_unspecified(&local)) {
		*target = local.address;
	} else if (to_v4 || from_v4) {
		memset(target, 0, sizeof(*target));
		memset(&target->s6_addr[10], 0xff, 2);
		memcpy(&target->s6_addr[12], loopback, sizeof(loopback));
		address->endpoint.family = AF_INET;
	} else {
		*target = in6addr_loopback;
	}
	if (address->addr.ss_family == AF_INET)
		memcpy(&in->sin_addr, &target->s6_addr[12], sizeof(in->sin_addr));
	else
		in6->sin6_addr = *target;
}

/*
 * What AF_UNSPEC means. True: the address is ready. False: it is an IPv4 address, or *ret_error
 * says that it is none.
 */
static bool settle_unspec(const struct tool_socket *socket, enum access_op op,
			  struct tool_address *address, int *ret_error)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->addr;

	if (op == OP_CONNECT)
		return family_only(address); /* takes a connection away */
	if (op == OP_SEND && socket->domain == AF_INET6)
		return drop(address); /* udpv6_sendmsg(): as if there were none */
	/* Old programs leave the family out: udp_sendmsg(), inet_bind(). */
	if (op == OP_BIND &&
	    (socket->domain != AF_INET || in->sin_addr.s_addr != htonl(INADDR_ANY)))
		*ret_error = EAFNOSUPPORT;
	address->addr.ss_family = AF_INET;
	return false;
}

static bool prepare_inet(struct call *call, const struct tool_socket *socket, enum access_op op,
			 struct tool_address *address, struct reply *ret)
{
	const enum transport transport = tool_socket_transport(socket);
	/* On a stream a name is used by MSG_FASTOPEN only; what is none is nobody's. */
	const bool ignored = op == OP_SEND && transport == TRANSPORT_TCP;
	int error = 0;

	if (transport == TRANSPORT_OTHER)
		return refuse(call, op, address, "a kind of socket that no rule can name", ret);
	if (address->len < sizeof(sa_family_t))
		return ignored ? drop(address) : answer(ret, EINVAL);
	if (address->addr.ss_family == AF_UNSPEC && ignored)
		return drop(address);
	if (address->addr.ss_family == AF_UNSPEC && settle_unspec(socket, op, address, &error))
		return true;
	if (address->addr.ss_family != AF_INET && address->addr.ss_family != AF_INET6)
		error = op == OP_SEND && socket->domain == AF_INET6 ? EINVAL : EAFNOSUPPORT;
	else if (endpoint_from_sockaddr(&address->endpoint, &address->addr, address->len,
					transport) < 0)
		error = EINVAL;
	if (error)
		return ignored ? drop(address) : answer(ret, error);
	write_inet_arg(address);
	if (op != OP_BIND && endpoint_is_unspecified(&address->endpoint))
		aim_at_this_host(socket, address);
	address->decide = true;
	return true;
}

/* ------------------------------------------------------------------------ unix(7) */

static void set_unix_path(struct tool_address *address, const char *path, size_t len)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address->addr;

	memset(un->sun_path, 0, sizeof(un->sun_path));
	memcpy(un->sun_path, path, len);
	address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/*
 * The short name of a socket that was bound for the tool (bind_path()) comes back to it as the
 * sender's address of a datagram. Where nothing else has that name, an answer to it goes to the
 * name that was given.
 */
static int resolve_peer(struct call *call, const char *path, struct object *object)
{
	char given[SOCKET_NAME_SIZE];
	int error = resolve_object(call, AT_FDCWD, path, 0, 0, object);

	if (error != -ENOENT || strchr(path, '/') ||
	    !socket_names_get(call->session->socket_names, 0, path, given) || !strcmp(path, given))
		return error;
	object_release(object);
	return resolve_object(call, AT_FDCWD, given, 0, 0, object);
}

static bool pin_unix_path(struct call *call, enum access_op op, struct tool_address *address,
			  struct reply *ret)
{
	struct object *object = &address->object;
	struct endpoint *endpoint = &address->endpoint;
	char path[PROC_FD_PATH_MAX];
	int error;

	if (op == OP_BIND)
		error = resolve_entry(call, AT_FDCWD, endpoint->path, 0, object);
	else
		error = resolve_peer(call, endpoint->path, object);
	if (error < 0 && object->name[0] == '\0') {
		*ret = tracee_failed(call, error);
		return false;
	}
	address->error = -error;
	endpoint->path_len = strlen(object->name);
	memcpy(endpoint->path, object->name, endpoint->path_len + 1);
	if (error < 0)
		return true;
	if (op == OP_BIND) {
		set_unix_path(address, object->last, strlen(object->last));
	} else {
		object_proc_path(object->fd, path);
		set_unix_path(address, path, strlen(path) + 1);
	}
	return true;
}

static bool prepare_unix(struct call *call, const struct tool_socket *socket, enum access_op op,
			 struct tool_address *address, struct reply *ret)
{
	const sa_family_t family = address->addr.ss_family;

	/*
	 * Autobind: the kernel picks a free abstract name of five digits. Nobody's name can be
	 * taken by that, and nothing goes out; it also happens by itself (SO_PASSCRED).
	 */
	if (op == OP_BIND && family == AF_UNIX &&
	    address->len == offsetof(struct sockaddr_un, sun_path))
		return true;
	if (op == OP_CONNECT && family == AF_UNSPEC && socket->type == SOCK_DGRAM &&
	    address->len >= sizeof(sa_family_t))
		return family_only(address);
	if (family != AF_UNIX || endpoint_from_sockaddr(&address->endpoint, &address->addr,
							address->len, TRANSPORT_UNIX) < 0) {
		/* A name in a message on a connected kind of socket is not looked at. */
		if (op == OP_SEND && socket->type != SOCK_DGRAM)
			return family_only(address);
		return answer(ret, EINVAL);
	}
	address->decide = true;
	snprintf(address->arg, sizeof(address->arg), "%s%.*s",
		 address->endpoint.transport == TRANSPORT_UNIX ? "" : "@",
		 (int)sizeof(((struct sockaddr_un *)0)->sun_path), address->endpoint.path);
	if (address->endpoint.transport == TRANSPORT_UNIX)
		return pin_unix_path(call, op, address, ret);
	return true;
}

/* --------------------------------------------------------------------- netlink(7) */

static bool prepare_netlink(struct call *call, const struct tool_socket *socket, enum access_op op,
			    struct tool_address *address, struct reply *ret)
{
	const struct sockaddr_nl *nl = (const struct sockaddr_nl *)&address->addr;

	address->endpoint.transport = TRANSPORT_OTHER;
	address->endpoint.family = AF_NETLINK;
	if (socket->protocol != NETLINK_ROUTE)
		return refuse(call, op, address, "a kind of socket that no rule can name", ret);
	if (op == OP_CONNECT && address->len >= sizeof(sa_family_t) && nl->nl_family == AF_UNSPEC)
		return family_only(address);
	if (address->len < sizeof(*nl) || nl->nl_family != AF_NETLINK)
		return answer(ret, EINVAL);
	snprintf(address->arg, sizeof(address->arg), "AF_NETLINK pid %u groups %#x", nl->nl_pid,
		 nl->nl_groups);
	if (op != OP_BIND && (nl->nl_pid != 0 || nl->nl_groups != 0))
		return refuse(call, op, address, "netlink to another process", ret);
	return true;
}

bool tool_address_prepare(struct call *call, const struct tool_socket *socket, enum access_op op,
			  struct tool_address *address, struct reply *ret)
{
	address->decide = false;
	address->error = 0;
	address->arg[0] = '\0';
	address->endpoint.transport = TRANSPORT_OTHER;
	address->endpoint.family = socket->domain;
	switch (socket->domain) {
	case AF_INET:
	case AF_INET6:
		return prepare_inet(call, socket, op, address, ret);
	case AF_UNIX:
		return prepare_unix(call, socket, op, address, ret);
	case AF_NETLINK:
		return prepare_netlink(call, socket, op, address, ret);
	default:
		return refuse(call, op, address, "a kind of socket that no rule can name", ret);
	}
}

bool tool_address_permit(struct call *call, enum access_op op, const struct tool_address *address,
			 struct reply *ret)
{
	char host[HOST_NAME_SIZE];
	struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {op},
		.op_count = 1,
		.endpoint = &address->endpoint,
		.arg = address->arg[0] ? address->arg : NULL,
		.missing = address->error == EACCES ? 0 : address->error,
	};

	if (!address->decide) {
		*ret = reply_none();
		return call_valid(call);
	}
	if (net_name_of_hosts(call, op, &address->endpoint, host))
		ask.host = host;
	if (!call_permit(call, &ask, ret))
		return false;
	if (address->error)
		*ret = reply_error(address->error);
	return address->error == 0;
}
