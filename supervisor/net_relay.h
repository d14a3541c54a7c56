/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_RELAY_H
#define PROCTOR_SUPERVISOR_NET_RELAY_H

#include "supervisor/net_peers.h"
#include "supervisor/net_socket.h"
#include "supervisor/relay.h"

/*
 * Connects the tool's stream socket to us: our end of the connection, with the answer to the call in *ret;
 * or -1: answer with *ret. The tool is shown `shown` as its peer.
 */
int net_relay_join(struct call *call, const struct tool_socket *socket, const struct net_peer *shown,
		   struct reply *ret);

/*
 * Connects the tool's stream socket to us, and joins it to `other` (relay.h), a connection of ours or one
 * that is on its way; the tool is shown `shown` as its peer. Takes `other` and the gate (NULL: none).
 * Returns the answer to the call. Where nobody waits for the call (struct detached), `other` and the gate
 * are handed over instead.
 */
struct reply net_relay_connect(struct call *call, const struct tool_socket *socket,
			       const struct net_peer *shown, int other, struct relay_gate *gate);

/*
 * True: the socket is connected, or listens, so that the kernel has an answer to a connect(2) without
 * anything being connected: *ret.
 */
bool net_relay_in_use(struct call *call, const struct tool_socket *socket, struct reply *ret);

#endif
