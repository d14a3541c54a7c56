/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_DNS_STUB_H
#define PROCTOR_SUPERVISOR_DNS_STUB_H

#include <stdbool.h>

#include "core/error.h"
#include "supervisor/call.h"
#include "supervisor/net_peers.h"

/*
 * The name server that the tool has, whichever it asks: what the tool sends to port 53 of any
 * address is carried out to sockets of ours on loopback. Names that no rule allows are answered at
 * once, with a record, and go nowhere; the others are looked up (dns_client.h) and answered with the
 * addresses that stand for them (dns_names.h). A thread of its own; it exists only where the policy
 * has rules about names.
 */
struct dns_stub;

enum dns_door {
	DNS_DOOR_UDP,
	DNS_DOOR_TCP,
	/* Where a UDP socket is connected to whose tool may not send to the name that it connected
	 * to. That alone sends nothing, and every getaddrinfo(3) does it to sort addresses. What is
	 * sent to it is refused, with a record. */
	DNS_DOOR_SINK,
	DNS_DOOR_COUNT,
};

/* Opens the sockets. 0 and *ret, or a negative errno and *err. */
int dns_stub_open(struct session *session, struct dns_stub **ret, struct error *err);

/* Starts the thread, which ends with the process. 0, or a negative errno and *err. */
int dns_stub_start(struct dns_stub *stub, struct error *err);

/*
 * The address of a door for a socket of the tool: `v6` when the tool asked for an IPv6 address and
 * the socket can reach one. An IPv4 address comes back mapped.
 */
struct net_peer dns_stub_address(const struct dns_stub *stub, enum dns_door door, bool v6);

/*
 * Remembers who has the socket `fd`, a duplicate of the tool's, that goes through the door: what
 * comes from its local address (which it must have by now) is the caller's. `asked` is where the
 * tool wanted to go, `name` (DNS_DOOR_SINK) what that stands for; it lives as long as the run.
 */
void dns_stub_note(struct dns_stub *stub, struct call *call, enum dns_door door, int fd,
		   const struct net_peer *asked, const char *name);

#endif
