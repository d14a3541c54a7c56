/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_STATE_H
#define PROCTOR_SUPERVISOR_NET_STATE_H

#include "core/error.h"

struct session;

/*
 * What host names, network.rewrite and the proxy need in a session. Nothing of it exists where the policy
 * has none.
 */

/* Before the tool runs: sockets, tables. 0, or a negative errno and *err. */
int net_state_open(struct session *session, const char *session_id, struct error *err);

/* Once the signal mask of threads is set up: the name server's thread. 0, or a negative errno and
 * *err. */
int net_state_start(struct session *session, struct error *err);

/* After the tool's end: lets what it has sent go on to where it was sent. */
void net_state_finish(struct session *session);

#endif
