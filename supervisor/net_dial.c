/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/dns_client.h"
#include "supervisor/net_hosts.h"
#include "supervisor/pool.h"
#include "supervisor/session.h"

enum { ATTEMPT_DELAY_MS = 250 }; /* RFC 8305, 5: "Connection Attempt Delay" */

/* A connect on this host hardly ever waits, and one that is not to wait does so only if the tool takes
 * O_NONBLOCK away at this moment. */
static bool is_brief(const struct tool_socket *socket, const struct sockaddr *addr)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)addr;

	switch (addr->sa_family) {
	case AF_INET:
		if (ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
			return true;
		break;
	case AF_INET6:
		if (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
		    (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr[12] == 127))
			return true;
		break;
	case AF_UNIX:
		return true;
	default:
		break;
	}
	return !tool_socket_may_wait(socket);
}

struct reply net_connect(struct call *call, const struct tool_socket *socket,
			 const struct sockaddr *addr, socklen_t len)
{
	/* Also where O_NONBLOCK is set: the tool could take it away at this moment. */
	const bool wait = socket->type != SOCK_DGRAM;
	int error = 0;

	if (wait && is_brief(socket, addr))
		blocking_begin_brief(call);
	else if (wait)
		blocking_begin(call);
	if (connect(socket->fd, addr, len) < 0)
		error = errno;
	if (wait)
		blocking_end(call);
	/* A connect that goes on in the background is waited for again when the call restarts. */
	if (error == EINTR)
		return tool_socket_interrupted(socket);
	return error ? reply_error(error) : reply_value(0);
}

/* ------------------------------------------------------------------------ looking up */

/* The families of addresses that the socket can reach, the one that was asked for first. */
static int families_of(const struct tool_socket *socket, const struct net_dial *dial,
		       int ret_families[2])
{
	int only_v6 = 0;
	socklen_t len = sizeof(only_v6);

	ret_families[0] = IN6_IS_ADDR_V4MAPPED(&dial->shown.address) ? AF_INET : AF_INET6;
	ret_families[1] = ret_families[0] == AF_INET ? AF_INET6 : AF_INET;
	if (socket->domain != AF_INET6)
		return 1;
	if (getsockopt(socket->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &len) == 0 && only_v6)
		return 1;
	return 2;
}

static bool has_family(const struct in6_addr *address, int family)
{
	return (bool)IN6_IS_ADDR_V4MAPPED(address) == (family == AF_INET);
}

/* Those of /etc/hosts in the families, in their order. */
static void take_local(struct session *session, const char *name, const int *families, int count,
		       struct dns_addresses *ret)
{
	struct in6_addr list[DNS_ADDRESSES_MAX];
	const size_t found = net_hosts_addresses(session->hosts, name, list, DNS_ADDRESSES_MAX);

	for (int i = 0; i < count; i++)
		for (size_t j = 0; j < found; j++)
			if (has_family(&list[j], families[i]))
				ret->list[ret->count++] = list[j];
}

/* 0 with the addresses; or a negative errno of dns_lookup(). *ret_local: from /etc/hosts. */
static int look_up(struct call *call, const struct tool_socket *socket,
		   const struct net_dial *dial, struct dns_addresses *ret, bool *ret_local)
{
	int families[2];
	const int count = families_of(socket, dial, families);
	int error = -ENOENT;

	take_local(call->session, dial->name, families, count, ret);
	*ret_local = ret->count > 0;
	if (*ret_local)
		return 0;
	blocking_begin(call);
	for (int i = 0; i < count && error < 0 && error != -EINTR; i++)
		error = dns_lookup(call->session->resolvers, dial->name, families[i], ret);
	blocking_end(call);
	return error;
}

static struct reply no_address(const struct tool_socket *socket, int error)
{
	if (error == -EINTR)
		return tool_socket_interrupted(socket);
	return reply_error(error == -ENOENT ? EHOSTUNREACH : ETIMEDOUT);
}

/* ------------------------------------------------------------------------- deciding */

/* Why an address may not be used. */
struct objection {
	struct verdict verdict;
	const char *detail;
	struct endpoint endpoint;
};

static bool objects(struct call *call, const struct net_dial *dial, const struct in6_addr *address,
		    bool local, struct objection *objection)
{
	const struct policy *policy = call->session->policy;
	struct access access = {
		.class = CLASS_NETWORK,
		.op = dial->op,
		.endpoint = &objection->endpoint,
		.host = dial->name,
	};

	objection->endpoint.transport = dial->transport;
	objection->endpoint.family = IN6_IS_ADDR_V4MAPPED(address) ? AF_INET : AF_INET6;
	objection->endpoint.address = *address;
	objection->endpoint.port = dial->port;
	objection->detail = NULL;
	objection->verdict = policy_decide(policy, &access);
	/* Of a name that is merely observed it has been said already that no rule allows it. */
	if (objection->verdict.decision == DECISION_DENY &&
	    (objection->verdict.rule || !call->session->observe))
		return true;
	if (local || !net_is_special(address))
		return false;
	access.host = NULL;
	objection->verdict = policy_decide(policy, &access);
	if (objection->verdict.decision != DECISION_DENY)
		return false;
	objection->detail = "the name leads to an address that is not public";
	return true;
}

/* The addresses that may be used. True: there is one; false: answer with *ret. */
static bool choose(struct call *call, const struct net_dial *dial, bool local,
		   struct dns_addresses *addresses, struct reply *ret)
{
	struct objection objection = {.endpoint = {.transport = TRANSPORT_OTHER}};
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {dial->op},
		.op_count = 1,
		.endpoint = &objection.endpoint,
		.host = dial->name,
		.arg = dial->arg,
	};
	const struct access by_address = {
		.class = CLASS_NETWORK,
		.op = dial->op,
		.endpoint = &objection.endpoint,
	};
	size_t count = 0;

	*ret = reply_none();
	for (size_t i = 0; i < addresses->count; i++)
		if (!objects(call, dial, &addresses->list[i], local, &objection))
			addresses->list[count++] = addresses->list[i];
	if (count == 0)
		return call_deny(call, &ask, &by_address, &objection.verdict, objection.detail,
				 ret);
	addresses->count = count;
	return call_valid(call);
}

static bool resolve(struct call *call, const struct tool_socket *socket,
		    const struct net_dial *dial, struct dns_addresses *ret_addresses,
		    struct reply *ret)
{
	bool local;
	int error = look_up(call, socket, dial, ret_addresses, &local);

	if (error < 0) {
		*ret = no_address(socket, error);
		return false;
	}
	if (dial->trusted) {
		*ret = reply_none();
		return call_valid(call);
	}
	return choose(call, dial, local, ret_addresses, ret);
}

/* ------------------------------------------------------------------------ connecting */

/* True when it is worth while to try another address. */
static bool is_about_address(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ETIMEDOUT:
	case EADDRNOTAVAIL:
	case EACCES: /* a filter of the host's */
	case EPERM:
		return true;
	default:
		return false;
	}
}

/* A connect that goes on in the background: EINPROGRESS, or what it has failed with in due time. */
static int await_failure(struct call *call, const struct tool_socket *socket,
			 const struct sockaddr_storage *addr, socklen_t len)
{
	struct pollfd ready = {.fd = socket->fd, .events = POLLOUT};

	blocking_begin(call);
	(void)poll(&ready, 1, ATTEMPT_DELAY_MS);
	blocking_end(call);
	if (!(ready.revents & (POLLERR | POLLHUP)))
		return EINPROGRESS;
	/* Takes the error off the socket, which can be connected again then. */
	if (connect(socket->fd, (const struct sockaddr *)addr, len) == 0)
		return EINPROGRESS;
	return errno;
}

struct reply net_dial_connect(struct call *call, const struct tool_socket *socket,
			      const struct net_dial *dial)
{
	struct dns_addresses addresses = {0};
	struct net_peer peer = {.port = dial->port};
	struct sockaddr_storage addr;
	struct reply reply;
	socklen_t len;

	if (!resolve(call, socket, dial, &addresses, &reply))
		return reply;
	for (size_t i = 0; i < addresses.count; i++) {
		const bool last = i + 1 == addresses.count;

		peer.address = addresses.list[i];
		net_peer_write(&peer, socket->domain, &addr, &len);
		net_peers_put(call->session->peers, tool_socket_cookie(socket), &peer,
			      &dial->shown);
		reply = net_connect(call, socket, (const struct sockaddr *)&addr, len);
		if (reply.kind == REPLY_ERROR && reply.error == EINPROGRESS && !last &&
		    !tool_socket_may_wait(socket))
			reply = reply_error(await_failure(call, socket, &addr, len));
		if (reply.kind != REPLY_ERROR || !is_about_address(reply.error) ||
		    !call_valid(call))
			break;
	}
	return reply;
}

bool net_dial_first(struct call *call, const struct tool_socket *socket,
		    const struct net_dial *dial, struct net_peer *ret_peer, struct reply *ret)
{
	struct dns_addresses addresses = {0};

	if (!resolve(call, socket, dial, &addresses, ret))
		return false;
	*ret_peer = (struct net_peer){.address = addresses.list[0], .port = dial->port};
	return true;
}
