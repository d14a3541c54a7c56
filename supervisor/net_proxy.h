/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_PROXY_H
#define PROCTOR_SUPERVISOR_NET_PROXY_H

#include "core/error.h"
#include "supervisor/net_address.h"

/*
 * network.proxy: the addresses of a proxy, which the tool may always connect to: a port of 127.0.0.1 and
 * an abstract unix name. Nobody listens there, so that nobody else can use it: both are only held, and each
 * connect of the tool's is answered with a connection of its own to proxy.h.
 */
struct net_proxy;
struct policy;

/* Holds the addresses. 0 and *ret, or a negative errno and *err. */
int net_proxy_open(struct session *session, const char *session_id, struct net_proxy **ret,
		   struct error *err);

/*
 * `environment` and the variables that say where the proxy is, but for what the policy sets itself;
 * NULL-terminated, lives as long as the proxy and its argument. NULL: no memory.
 */
char **net_proxy_environment(struct net_proxy *proxy, const struct policy *policy,
			     char *const *environment);

/* True: the prepared address is the proxy's. */
bool net_proxy_is(const struct session *session, const struct tool_address *address);

/* For connect(2), with a prepared address. True: *ret is the answer. False: it is another one. */
bool net_proxy_connect(struct call *call, const struct tool_socket *socket,
		       const struct tool_address *address, struct reply *ret);

#endif
