/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_DIAL_H
#define PROCTOR_SUPERVISOR_NET_DIAL_H

#include "supervisor/net_address.h"
#include "supervisor/net_peers.h"

/* From a name that the policy allows to a connection, on the tool's own socket. */

struct net_dial {
	enum access_op op; /* OP_CONNECT, OP_SEND */
	const char *name;  /* normalised */
	enum transport transport;
	uint16_t port;
	const char *arg;       /* as the tool wrote it, for a record */
	struct net_peer shown; /* what the tool is to see as its peer */
	bool trusted;          /* the policy itself names it (network.rewrite): any address will do */
};

/*
 * Looks the name up, afresh, and connects to its addresses in turn until one answers. Of a socket
 * that does not wait the first is tried, and the next as long as that fails within 250 ms
 * (RFC 8305, 5). An address that a rule denies is passed over; so is one in a network that is not
 * the world's (private, loopback, link-local, metadata), unless a rule for addresses allows it, or
 * /etc/hosts has it: a name of somebody else's must not lead there. When none is left, that is
 * refused, with a record.
 */
struct reply net_dial_connect(struct call *call, const struct tool_socket *socket,
			      const struct net_dial *dial);

/* The first of those addresses, for a datagram. False: answer with *ret. */
bool net_dial_first(struct call *call, const struct tool_socket *socket,
		    const struct net_dial *dial, struct net_peer *ret_peer, struct reply *ret);

/* connect(2) on the duplicate, which may wait: the answer to the call. */
struct reply net_connect(struct call *call, const struct tool_socket *socket,
			 const struct sockaddr *addr, socklen_t len);

/* True for an address in a network that is not the world's. */
bool net_is_special(const struct in6_addr *address);

#endif
