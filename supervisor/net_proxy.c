/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "core/cleanup.h"
#include "supervisor/net_relay.h"
#include "supervisor/proxy.h"
#include "supervisor/session.h"

enum { VARIABLES = 4, VARIABLE_SIZE = 160 };

struct net_proxy {
	int fds[2]; /* bound, and deaf: TCP, unix */
	struct net_peer address;
	char name[64]; /* abstract */
	struct proxy *service;
	char variables[VARIABLES][VARIABLE_SIZE];
	char **environment;
};

static const struct in6_addr loopback = {.s6_addr = {[10] = 0xff, 0xff, 127, 0, 0, 1}};

static int hold_port(struct net_peer *ret)
{
	AUTO_CLOSE int fd = tool_socket_own(AF_INET);
	struct sockaddr_storage addr;
	socklen_t len;

	*ret = (struct net_peer){.address = loopback};
	net_peer_write(ret, AF_INET, &addr, &len);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, len) < 0)
		return -1;
	len = sizeof(addr);
	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 || !net_peer_from(&addr, len, ret))
		return -1;
	return TAKE_FD(fd);
}

static int hold_name(const char *name)
{
	AUTO_CLOSE int fd = tool_socket_own(AF_UNIX);
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	const size_t len = strlen(name);

	memcpy(un.sun_path + 1, name, len);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&un,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) < 0)
		return -1;
	return TAKE_FD(fd);
}

int net_proxy_open(struct session *session, const char *session_id, struct net_proxy **ret,
		   struct error *err)
{
	struct net_proxy *proxy = calloc(1, sizeof(*proxy));
	unsigned int port;

	if (!proxy)
		return error_set(err, ENOMEM, "proxy");
	snprintf(proxy->name, sizeof(proxy->name), "proctor-proxy-%s", session_id);
	proxy->fds[0] = hold_port(&proxy->address);
	proxy->fds[1] = hold_name(proxy->name);
	if (proxy->fds[0] < 0 || proxy->fds[1] < 0)
		return error_set(err, errno, "cannot hold an address for the proxy");
	proxy->service = proxy_new(session);
	if (!proxy->service)
		return error_set(err, ENOMEM, "proxy");
	port = proxy->address.port;
	snprintf(proxy->variables[0], VARIABLE_SIZE, "HTTPS_PROXY=http://127.0.0.1:%u", port);
	snprintf(proxy->variables[1], VARIABLE_SIZE, "https_proxy=http://127.0.0.1:%u", port);
	snprintf(proxy->variables[2], VARIABLE_SIZE, "PROCTOR_PROXY=127.0.0.1:%u", port);
	snprintf(proxy->variables[3], VARIABLE_SIZE, "PROCTOR_PROXY_UNIX=@%s", proxy->name);
	*ret = proxy;
	return 0;
}

/* --------------------------------------------------------------------------- variables */

static bool same_name(const char *a, const char *b)
{
	const size_t len = strcspn(a, "=");

	return !strncmp(a, b, len) && b[len] == '=';
}

static bool is_set(const struct policy *policy, const char *variable)
{
	size_t count = 0;
	const char *const *set = policy_set_variables(policy, &count);

	for (size_t i = 0; i < count; i++)
		if (same_name(variable, set[i]))
			return true;
	return false;
}

static bool is_ours(const struct net_proxy *proxy, const struct policy *policy, const char *entry)
{
	for (size_t i = 0; i < VARIABLES; i++)
		if (same_name(proxy->variables[i], entry) && !is_set(policy, entry))
			return true;
	return false;
}

char **net_proxy_environment(struct net_proxy *proxy, const struct policy *policy,
			     char *const *environment)
{
	size_t count = 0;
	size_t put = 0;

	while (environment[count])
		count++;
	proxy->environment = calloc(count + VARIABLES + 1, sizeof(char *));
	if (!proxy->environment)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (!is_ours(proxy, policy, environment[i]))
			proxy->environment[put++] = environment[i];
	for (size_t i = 0; i < VARIABLES; i++)
		if (!is_set(policy, proxy->variables[i]))
			proxy->environment[put++] = proxy->variables[i];
	return proxy->environment;
}

/* -------------------------------------------------------------------------- connecting */

bool net_proxy_is(const struct session *session, const struct tool_address *address)
{
	const struct net_proxy *proxy = session->proxy;
	const struct endpoint *endpoint = &address->endpoint;

	if (!proxy || !address->decide)
		return false;
	if (endpoint->transport == TRANSPORT_TCP)
		return endpoint->port == proxy->address.port &&
		       !memcmp(&endpoint->address, &loopback, sizeof(loopback));
	return endpoint->transport == TRANSPORT_UNIX_ABSTRACT &&
	       endpoint->path_len == strlen(proxy->name) &&
	       !memcmp(endpoint->path, proxy->name, endpoint->path_len);
}

/* Allowed to the tool: what is asked there is decided on. */
static bool permit(struct call *call, const struct tool_address *address, struct reply *ret)
{
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_CONNECT},
		.op_count = 1,
		.endpoint = &address->endpoint,
		.arg = address->arg,
		.own = true,
	};

	return call_permit(call, &ask, ret);
}

bool net_proxy_connect(struct call *call, const struct tool_socket *socket,
		       const struct tool_address *address, struct reply *ret)
{
	struct net_proxy *proxy = call->session->proxy;
	int fd;

	if (!net_proxy_is(call->session, address))
		return false;
	*ret = reply_error(EPROTOTYPE); /* unix(7) */
	if (socket->type != SOCK_STREAM || net_relay_in_use(call, socket, ret) ||
	    !permit(call, address, ret))
		return true;
	fd = net_relay_join(call, socket, &proxy->address, ret);
	if (fd >= 0 && proxy_serve(proxy->service, fd, call->request.tid, call->request.nr) < 0)
		*ret = reply_error(ECONNREFUSED);
	return true;
}
