/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_REWRITE_H
#define PROCTOR_SUPERVISOR_NET_REWRITE_H

#include "supervisor/net_address.h"

/*
 * network.rewrite: the tool's socket is connected to another endpoint than the tool asked for, and
 * goes on to see that one. Where it cannot have that other end (a TCP socket and a unix one, IPv4 and
 * IPv6), a relay of ours (relay.h) stands between.
 */

/* For connect(2), with a prepared address. True: *ret is the answer. False: it is not rewritten. */
bool net_rewrite_connect(struct call *call, const struct tool_socket *socket,
			 struct tool_address *address, struct reply *ret);

/* For a message: puts the other address in the place of the tool's, with address->decide false. True:
 * go on, rewritten or not. False: answer with *ret. */
bool net_rewrite_send(struct call *call, const struct tool_socket *socket,
		      struct tool_address *address, enum access_op op, struct reply *ret);

#endif
