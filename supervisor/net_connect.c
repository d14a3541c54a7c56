/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_connect.h"

#include "supervisor/net_dial.h"
#include "supervisor/net_name.h"
#include "supervisor/net_rewrite.h"

struct reply net_connect_address(struct call *call, struct tool_socket *socket,
				 struct tool_address *address)
{
	struct reply reply;

	if (net_rewrite_connect(call, socket, address, &reply) ||
	    net_name_connect(call, socket, address, &reply) ||
	    !tool_address_permit(call, OP_CONNECT, address, &reply))
		return reply;
	return net_connect(call, socket, (const struct sockaddr *)&address->addr, address->len);
}
