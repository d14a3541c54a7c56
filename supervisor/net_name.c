/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_name.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/dns_names.h"
#include "supervisor/dns_stub.h"
#include "supervisor/net_dial.h"
#include "supervisor/net_hosts.h"
#include "supervisor/net_site.h"
#include "supervisor/session.h"

enum { DNS_PORT = 53 };

static struct net_peer peer_of(const struct endpoint *endpoint)
{
	return (struct net_peer){
		.address = endpoint->address,
		.scope_id = endpoint->scope_id,
		.port = endpoint->port,
	};
}

/* ---------------------------------------------------------------------- port 53 */

static bool is_dns(const struct tool_address *address)
{
	return address->decide && address->endpoint.port == DNS_PORT &&
	       (address->endpoint.transport == TRANSPORT_UDP ||
		address->endpoint.transport == TRANSPORT_TCP);
}

/* Allowed to everybody: what is asked there is decided on. */
static bool permit_dns(struct call *call, const struct tool_address *address, enum access_op op,
		       struct reply *ret)
{
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {op},
		.op_count = 1,
		.endpoint = &address->endpoint,
		.arg = address->arg,
		.own = true,
	};

	return call_permit(call, &ask, ret);
}

/* Puts a door of the stub in the place of the address, and the caller's name on the socket. A UDP
 * socket is bound first: what it sends is then known to be the caller's when it arrives. */
static void aim_at_stub(struct call *call, const struct tool_socket *socket,
			struct tool_address *address, enum dns_door door, const char *name)
{
	struct session *session = call->session;
	const struct net_peer asked = peer_of(&address->endpoint);
	const bool v6 = socket->domain == AF_INET6 && !endpoint_is_v4(&address->endpoint);
	const struct net_peer real = dns_stub_address(session->dns, door, v6);

	net_peer_write(&real, socket->domain, &address->addr, &address->len);
	net_peers_put(session->peers, tool_socket_cookie(socket), &real, &asked);
	address->decide = false;
	if (door == DNS_DOOR_TCP)
		return;
	tool_socket_bind_any(socket);
	dns_stub_note(session->dns, call, door, socket->fd, &asked, name);
}

static struct reply connect_dns(struct call *call, struct tool_socket *socket,
				struct tool_address *address)
{
	const struct net_peer asked = peer_of(&address->endpoint);
	const bool tcp = address->endpoint.transport == TRANSPORT_TCP;
	struct reply reply;

	if (!permit_dns(call, address, OP_CONNECT, &reply))
		return reply;
	aim_at_stub(call, socket, address, tcp ? DNS_DOOR_TCP : DNS_DOOR_UDP, NULL);
	reply = net_connect(call, socket, (const struct sockaddr *)&address->addr, address->len);
	if (tcp)
		dns_stub_note(call->session->dns, call, DNS_DOOR_TCP, socket->fd, &asked, NULL);
	return reply;
}

/* ------------------------------------------------------------------------- names */

const char *net_name_of(struct call *call, const struct tool_address *address)
{
	const enum transport transport = address->endpoint.transport;

	if (!call->session->dns || !address->decide || (transport != TRANSPORT_TCP && transport != TRANSPORT_UDP))
		return NULL;
	return dns_names_find(call->session->names, &address->endpoint.address);
}

/* The access by name alone: which addresses it has is not known yet. */
static struct endpoint nameless(const struct tool_address *address)
{
	return (struct endpoint){
		.transport = address->endpoint.transport,
		.family = AF_UNSPEC,
		.port = address->endpoint.port,
	};
}

static bool permit_name(struct call *call, const struct tool_address *address, enum access_op op,
			const char *name, struct reply *ret)
{
	const struct endpoint endpoint = nameless(address);
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {op},
		.op_count = 1,
		.endpoint = &endpoint,
		.host = name,
		.arg = address->arg,
	};

	return call_permit(call, &ask, ret);
}

static struct verdict decide_name(struct call *call, const struct tool_address *address,
				  enum access_op op, const char *name)
{
	const struct endpoint endpoint = nameless(address);
	const struct access access = {
		.class = CLASS_NETWORK,
		.op = op,
		.endpoint = &endpoint,
		.host = name,
	};

	return policy_decide(call->session->policy, &access);
}

static bool is_udp(const struct tool_address *address)
{
	return address->endpoint.transport == TRANSPORT_UDP;
}

/* connect(2) of a UDP socket sends nothing: see DNS_DOOR_SINK. */
static struct reply connect_sink(struct call *call, struct tool_socket *socket,
				 struct tool_address *address, const char *name)
{
	struct reply reply;

	if (!permit_dns(call, address, OP_CONNECT, &reply))
		return reply;
	aim_at_stub(call, socket, address, DNS_DOOR_SINK, name);
	return net_connect(call, socket, (const struct sockaddr *)&address->addr, address->len);
}

static struct net_dial dial_of(const struct tool_address *address, enum access_op op,
			       const char *name)
{
	return (struct net_dial){
		.op = op,
		.name = name,
		.transport = address->endpoint.transport,
		.port = address->endpoint.port,
		.arg = address->arg,
		.shown = peer_of(&address->endpoint),
	};
}

/*
 * Services of the host that look up any name for whoever asks: nscd(8), and systemd-resolved(8) by
 * its varlink socket. Whatever is allowed, names are looked up here; resolvers go on to DNS then.
 */
static bool is_resolver_socket(const struct tool_address *address)
{
	static const char *const paths[] = {
		"/run/nscd/socket",
		"/var/run/nscd/socket",
		"/run/systemd/resolve/io.systemd.Resolve",
		"/run/systemd/resolve/io.systemd.Resolve.Monitor",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!strcmp(address->endpoint.path, paths[i]))
			return true;
	return false;
}

/* True: *ret is the answer. */
static bool refuse_resolver(struct call *call, struct tool_socket *socket,
			    const struct tool_address *address, enum access_op op,
			    struct reply *ret)
{
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {op},
		.op_count = 1,
		.endpoint = &address->endpoint,
		.arg = address->arg,
	};

	return socket->domain == AF_UNIX && address->decide && address->error == 0 &&
	       address->endpoint.transport == TRANSPORT_UNIX && is_resolver_socket(address) &&
	       !tool_socket_refuse(call, &ask, EACCES, "host names are looked up by proctor", ret);
}

bool net_name_connect(struct call *call, struct tool_socket *socket, struct tool_address *address,
		      struct reply *ret)
{
	const char *name;
	struct verdict verdict;
	struct net_dial dial;

	if (!call->session->dns)
		return false;
	if (refuse_resolver(call, socket, address, OP_CONNECT, ret))
		return true;
	if (is_dns(address)) {
		*ret = connect_dns(call, socket, address);
		return true;
	}
	name = net_name_of(call, address);
	if (!name)
		return false;
	verdict = decide_name(call, address, OP_CONNECT, name);
	if (is_udp(address) && verdict.decision == DECISION_DENY && !call->session->observe) {
		*ret = connect_sink(call, socket, address, name);
		return true;
	}
	if (permit_name(call, address, OP_CONNECT, name, ret)) {
		dial = dial_of(address, OP_CONNECT, name);
		*ret = verdict.binds_site ? net_site_connect(call, socket, &dial)
					  : net_dial_connect(call, socket, &dial);
	}
	return true;
}

/* MSG_FASTOPEN: as on a host where it is not switched on; the tool connects then. */
static bool no_fastopen(struct reply *ret)
{
	*ret = reply_error(EOPNOTSUPP);
	return false;
}

bool net_name_send(struct call *call, struct tool_socket *socket, struct tool_address *address,
		   enum access_op op, struct reply *ret)
{
	const bool tcp = address->endpoint.transport == TRANSPORT_TCP;
	const uint64_t cookie = tool_socket_cookie(socket);
	struct net_peer shown;
	struct net_peer real;
	struct net_dial dial;
	const char *name;

	/* tcp_sendmsg(): only MSG_FASTOPEN looks at a name. */
	if (!call->session->dns || (tcp && op != OP_CONNECT))
		return true;
	if (is_dns(address)) {
		if (!permit_dns(call, address, op, ret) || (tcp && !no_fastopen(ret)))
			return false;
		aim_at_stub(call, socket, address, DNS_DOOR_UDP, NULL);
		return true;
	}
	name = net_name_of(call, address);
	if (!name)
		return true;
	if (!permit_name(call, address, op, name, ret) || (tcp && !no_fastopen(ret)))
		return false;
	dial = dial_of(address, op, name);
	shown = dial.shown;
	/* One lookup for the first datagram, and for those that follow it the same address. */
	if (!net_peers_real(call->session->peers, cookie, &shown, &real)) {
		if (!net_dial_first(call, socket, &dial, &real, ret))
			return false;
		net_peers_put(call->session->peers, cookie, &real, &shown);
	}
	net_peer_write(&real, socket->domain, &address->addr, &address->len);
	address->decide = false;
	return true;
}

bool net_name_frees_bind(struct call *call, const struct tool_address *address)
{
	return call->session->dns && address->decide && is_udp(address) &&
	       address->endpoint.port == 0 && endpoint_is_unspecified(&address->endpoint);
}

/* --------------------------------------------------------------------- /etc/hosts */

struct search {
	struct call *call;
	struct access access;
	char *ret;
};

static bool allows(const char *name, void *context)
{
	struct search *search = context;

	search->access.host = name;
	if (policy_decide(search->call->session->policy, &search->access).decision == DECISION_DENY)
		return false;
	snprintf(search->ret, HOST_NAME_SIZE, "%s", name);
	return true;
}

bool net_name_of_hosts(struct call *call, enum access_op op, const struct endpoint *endpoint,
		       char ret[HOST_NAME_SIZE])
{
	struct search search = {
		.call = call,
		.access = {.class = CLASS_NETWORK, .op = op, .endpoint = endpoint},
		.ret = ret,
	};

	if (!call->session->dns || (op != OP_CONNECT && op != OP_SEND) ||
	    (endpoint->transport != TRANSPORT_TCP && endpoint->transport != TRANSPORT_UDP) ||
	    policy_decide(call->session->policy, &search.access).decision != DECISION_DENY)
		return false;
	return net_hosts_find_name(call->session->hosts, &endpoint->address, allows, &search);
}

/* ------------------------------------------------------------------ what is shown */

bool net_name_disguises(struct call *call, const struct tool_socket *socket)
{
	return call->session->peers &&
	       net_peers_know(call->session->peers, tool_socket_cookie(socket));
}

bool net_name_shown(struct call *call, const struct tool_socket *socket,
		    struct sockaddr_storage *addr, socklen_t *len)
{
	struct net_peer real;
	struct net_peer shown;

	if (!net_peer_from(addr, *len, &real) ||
	    !net_peers_shown(call->session->peers, tool_socket_cookie(socket), &real, &shown))
		return false;
	net_peer_write(&shown, socket->domain, addr, len);
	return true;
}
