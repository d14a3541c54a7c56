/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_GROUP_H
#define PROCTOR_SUPERVISOR_NET_GROUP_H

#include "supervisor/call.h"

/*
 * True for an option of setsockopt(2) by which a socket joins a multicast group, or says from whom
 * it wants to hear there: the kernel tells the routers of the link (IGMP, MLD), whoever may send
 * nothing else, so that the group's address itself carries data out.
 */
bool tool_group_option(int level, int option);

/*
 * setsockopt() with such an option, carried out on our copy. It counts as a connection to the
 * group, at the port that the socket is bound to (0: none).
 */
struct reply tool_group_set(struct call *call);

#endif
