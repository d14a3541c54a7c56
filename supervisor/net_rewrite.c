/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/net_dial.h"
#include "supervisor/net_name.h"
#include "supervisor/net_peers.h"
#include "supervisor/net_relay.h"
#include "supervisor/pool.h"
#include "supervisor/session.h"

struct rewrite {
	struct policy_target target;
	struct verdict verdict;
	struct endpoint asked;
	char host[HOST_NAME_SIZE]; /* that was asked for; empty: none */
};

/* ---------------------------------------------------------------------- deciding */

static bool find(struct call *call, enum access_op op, const struct tool_address *address,
		 struct rewrite *ret)
{
	const struct policy *policy = call->session->policy;
	const char *name = net_name_of(call, address);
	struct access access = {.class = CLASS_NETWORK, .op = op, .endpoint = &ret->asked};

	if (!address->decide || !policy_rewrites(policy, CLASS_NETWORK))
		return false;
	ret->asked = address->endpoint;
	ret->host[0] = '\0';
	if (name) {
		ret->asked.family = AF_UNSPEC;
		snprintf(ret->host, sizeof(ret->host), "%s", name);
	} else {
		net_name_of_hosts(call, op, &address->endpoint, ret->host);
	}
	access.host = ret->host[0] ? ret->host : NULL;
	ret->verdict = policy_decide(policy, &access);
	return ret->verdict.decision == DECISION_REWRITE &&
	       policy_rewrite_endpoint(policy, &access, &ret->target);
}

/* Writes the record; false: answer with *ret. */
static bool permit(struct call *call, enum access_op op, const struct tool_address *address,
		   const struct rewrite *rewrite, struct reply *ret)
{
	const struct endpoint *to = &rewrite->target.endpoint;
	char text[ENDPOINT_TEXT_MAX];
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {op},
		.op_count = 1,
		.endpoint = &rewrite->asked,
		.host = rewrite->host[0] ? rewrite->host : NULL,
		.arg = address->arg,
		.to = text,
	};

	if (rewrite->target.host)
		snprintf(text, sizeof(text), "%s:%s:%u",
			 to->transport == TRANSPORT_UDP ? "udp" : "tcp", rewrite->target.host,
			 to->port);
	else
		endpoint_format(to, text, sizeof(text));
	return call_permit_rewrite(call, &ask, &rewrite->verdict, ret);
}

/* ------------------------------------------------------------------- unix addresses */

/* A unix address; of a path that is too long for one by way of *ret_fd, which pins it. */
static int unix_address(const struct endpoint *to, struct sockaddr_storage *ret,
			socklen_t *ret_len, int *ret_fd)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ret;
	const size_t start = offsetof(struct sockaddr_un, sun_path);

	memset(ret, 0, sizeof(*ret));
	un->sun_family = AF_UNIX;
	if (to->transport == TRANSPORT_UNIX_ABSTRACT) {
		if (to->path_len >= sizeof(un->sun_path))
			return -ENAMETOOLONG;
		memcpy(un->sun_path + 1, to->path, to->path_len);
		*ret_len = (socklen_t)(start + 1 + to->path_len);
		return 0;
	}
	if (to->path_len < sizeof(un->sun_path)) {
		memcpy(un->sun_path, to->path, to->path_len + 1);
	} else {
		*ret_fd = open(to->path, O_PATH | O_CLOEXEC);
		if (*ret_fd < 0)
			return -errno;
		object_proc_path(*ret_fd, un->sun_path);
	}
	*ret_len = (socklen_t)(start + strlen(un->sun_path) + 1);
	return 0;
}

static bool is_unix(const struct endpoint *endpoint)
{
	return endpoint->transport == TRANSPORT_UNIX ||
	       endpoint->transport == TRANSPORT_UNIX_ABSTRACT;
}

/* -------------------------------------------------------------------- connecting */

static struct net_dial dial_to(const struct rewrite *rewrite, const struct tool_address *address)
{
	const struct endpoint *to = &rewrite->target.endpoint;

	return (struct net_dial){
		.op = OP_CONNECT,
		.name = rewrite->target.host,
		.transport = to->transport,
		.port = to->port,
		.arg = address->arg,
		.shown = {
			.address = address->endpoint.address,
			.scope_id = address->endpoint.scope_id,
			.port = address->endpoint.port,
		},
		.trusted = true,
	};
}

/* Connects `socket` (the tool's or one of ours) to where the rewrite leads. */
static struct reply connect_to(struct call *call, const struct tool_socket *socket,
			       const struct rewrite *rewrite, const struct tool_address *address)
{
	const struct endpoint *to = &rewrite->target.endpoint;
	const struct net_dial dial = dial_to(rewrite, address);
	const struct net_peer real = {
		.address = to->address,
		.scope_id = to->scope_id,
		.port = to->port,
	};
	struct sockaddr_storage addr;
	AUTO_CLOSE int pinned = -1;
	socklen_t len = 0;
	int error;

	if (rewrite->target.host)
		return net_dial_connect(call, socket, &dial);
	if (is_unix(to)) {
		error = unix_address(to, &addr, &len, &pinned);
		if (error < 0)
			return reply_error(-error);
	} else {
		net_peer_write(&real, socket->domain, &addr, &len);
		net_peers_put(call->session->peers, tool_socket_cookie(socket), &real, &dial.shown);
	}
	return net_connect(call, socket, (const struct sockaddr *)&addr, len);
}

static struct reply connect_across(struct call *call, const struct tool_socket *socket,
				   const struct rewrite *rewrite,
				   const struct tool_address *address)
{
	const struct endpoint *to = &rewrite->target.endpoint;
	const struct net_dial dial = dial_to(rewrite, address);
	AUTO_SOCKET struct tool_socket upstream = {
		.fd = -1,
		.domain = is_unix(to) ? AF_UNIX : AF_INET6, /* reaches IPv4 as well */
		.type = SOCK_STREAM,
	};
	struct reply reply;

	if (socket->type != SOCK_STREAM || to->transport == TRANSPORT_UDP)
		return reply_error(rewrite->verdict.error ? rewrite->verdict.error : ECONNREFUSED);
	upstream.fd = tool_socket_own(upstream.domain);
	if (upstream.fd < 0 && !is_unix(to)) {
		upstream.domain = AF_INET;
		upstream.fd = tool_socket_own(AF_INET);
	}
	if (upstream.fd < 0)
		return reply_error(errno);
	if (net_relay_in_use(call, socket, &reply))
		return reply;
	reply = connect_to(call, &upstream, rewrite, address);
	if (reply.kind != REPLY_VALUE)
		return reply;
	return net_relay_connect(call, socket, &dial.shown, TAKE_FD(upstream.fd), NULL);
}

/* Can the tool's own socket have the other end? */
static bool is_direct(const struct tool_socket *socket, const struct rewrite *rewrite)
{
	const struct endpoint *to = &rewrite->target.endpoint;

	if (socket->domain == AF_UNIX || is_unix(to))
		return socket->domain == AF_UNIX && is_unix(to);
	return rewrite->target.host || socket->domain == AF_INET6 || endpoint_is_v4(to);
}

bool net_rewrite_connect(struct call *call, const struct tool_socket *socket,
			 struct tool_address *address, struct reply *ret)
{
	struct rewrite rewrite;

	if (!find(call, OP_CONNECT, address, &rewrite))
		return false;
	if (!permit(call, OP_CONNECT, address, &rewrite, ret))
		return true;
	if (is_direct(socket, &rewrite))
		*ret = connect_to(call, socket, &rewrite, address);
	else
		*ret = connect_across(call, socket, &rewrite, address);
	return true;
}

/* ---------------------------------------------------------------------- messages */

bool net_rewrite_send(struct call *call, const struct tool_socket *socket,
		      struct tool_address *address, enum access_op op, struct reply *ret)
{
	struct net_peer real;
	struct rewrite rewrite;
	struct net_dial dial;
	int error;

	if ((op == OP_SEND && socket->type != SOCK_DGRAM) || !find(call, op, address, &rewrite))
		return true;
	if (!permit(call, op, address, &rewrite, ret))
		return false;
	/* MSG_FASTOPEN: the tool connects then. */
	*ret = reply_error(op == OP_CONNECT ? EOPNOTSUPP : ECONNREFUSED);
	if (op == OP_CONNECT || !is_direct(socket, &rewrite))
		return false;
	address->decide = false;
	if (socket->domain == AF_UNIX) {
		close_fd(&address->object.fd);
		error = unix_address(&rewrite.target.endpoint, &address->addr, &address->len,
				     &address->object.fd);
		*ret = reply_error(-error);
		return error == 0;
	}
	dial = dial_to(&rewrite, address);
	real = (struct net_peer){
		.address = rewrite.target.endpoint.address,
		.port = rewrite.target.endpoint.port,
	};
	if (rewrite.target.host && !net_dial_first(call, socket, &dial, &real, ret))
		return false;
	net_peers_put(call->session->peers, tool_socket_cookie(socket), &real, &dial.shown);
	net_peer_write(&real, socket->domain, &address->addr, &address->len);
	return true;
}
