/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_CONNECT_H
#define PROCTOR_SUPERVISOR_NET_CONNECT_H

#include "supervisor/net_address.h"

/*
 * Connects the socket to where a prepared address (tool_address_prepare()) leads: what stands in for it, the
 * name that it stands for, or itself; each asked about. The answer to connect(2).
 */
struct reply net_connect_address(struct call *call, struct tool_socket *socket,
				 struct tool_address *address);

#endif
