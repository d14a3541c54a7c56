/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_SITE_H
#define PROCTOR_SUPERVISOR_NET_SITE_H

#include "supervisor/net_dial.h"

/*
 * As net_dial_connect(), for a rule that binds the site: the connection goes through the relay, and what
 * the tool sends first is held back until it asks for the very name, in TLS's SNI or HTTP's Host. Else it is
 * refused, with a record: TLS is told by an alert (access_denied), HTTP by 403, anything else by the
 * end of the connection. Of a socket that does not wait the connection is waited for 250 ms, so
 * that a failure is told as such; what fails later is a reset.
 */
struct reply net_site_connect(struct call *call, const struct tool_socket *socket,
			      const struct net_dial *dial);

#endif
