/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_NAME_H
#define PROCTOR_SUPERVISOR_NET_NAME_H

#include "core/host_name.h"
#include "supervisor/net_address.h"
#include "supervisor/net_peers.h"

/*
 * Addresses that are a matter of names: port 53, which the stub answers (dns_stub.h), and those
 * that stand for a host name (dns_names.h). Only where the policy has rules about names.
 */

/*
 * Connects the socket to where such an address leads, a prepared one (tool_address_prepare()).
 * True: *ret is the answer to the call. False: it is an address like any other.
 */
bool net_name_connect(struct call *call, struct tool_socket *socket, struct tool_address *address,
		      struct reply *ret);

/*
 * The same for a message: puts the address in its place to which it is to be sent, with the policy
 * asked. True: go on, with address->decide false when nothing is left to be decided. False: answer
 * with *ret.
 */
bool net_name_send(struct call *call, struct tool_socket *socket, struct tool_address *address,
		   enum access_op op, struct reply *ret);

/*
 * True for bind(2) of a UDP socket to any address and port: sending does the same where it was not
 * done before, and resolvers do it first. It opens nothing that asking a name server does not.
 */
bool net_name_frees_bind(struct call *call, const struct tool_address *address);

/* The name that a prepared address stands for; NULL: none. Lives as long as the run. */
const char *net_name_of(struct call *call, const struct tool_address *address);

/*
 * The name by which the policy allows an access to an address: of those that /etc/hosts has for it.
 * Written to `ret`; false when there is none, or the address alone is allowed.
 */
bool net_name_of_hosts(struct call *call, enum access_op op, const struct endpoint *endpoint,
		       char ret[HOST_NAME_SIZE]);

/* What the tool is shown for the address `real` of a peer of its socket, in the form that the
 * socket has; false when that is itself. */
bool net_name_shown(struct call *call, const struct tool_socket *socket,
		    struct sockaddr_storage *addr, socklen_t *len);

/* True when something is shown otherwise on the socket. */
bool net_name_disguises(struct call *call, const struct tool_socket *socket);

#endif
