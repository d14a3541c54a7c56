/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_site.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "core/cleanup.h"
#include "supervisor/net_relay.h"
#include "supervisor/pool.h"
#include "supervisor/session.h"
#include "supervisor/site_name.h"

enum { AWAIT_MS = 250 };

struct site_gate {
	struct relay_gate gate;
	struct session *session;
	pid_t tid;
	int nr;
	uint16_t port;
	char name[HOST_NAME_SIZE];
	char arg[sizeof(((struct tool_address *)0)->arg)];
};

_Static_assert((int)RELAY_FIRST_MAX == (int)SITE_BYTES_MAX, "what is held is what can be read");

/* ------------------------------------------------------------------------ the gate */

static void set_farewell(struct relay_gate *gate, enum site_protocol protocol)
{
	/* RFC 8446, 6: a fatal alert, access_denied. */
	static const char alert[] = {21, 3, 1, 0, 2, 2, 49};
	static const char forbidden[] = "HTTP/1.1 403 Forbidden\r\n"
					"Content-Type: text/plain\r\n"
					"Content-Length: 50\r\n"
					"Connection: close\r\n\r\n"
					"proctor: the policy does not allow this site here\n";

	if (protocol == SITE_TLS) {
		gate->farewell = alert;
		gate->farewell_len = sizeof(alert);
	} else if (protocol == SITE_HTTP) {
		gate->farewell = forbidden;
		gate->farewell_len = sizeof(forbidden) - 1;
	}
}

/* Why it is refused, in words. */
static void describe(enum site_answer answer, enum site_protocol protocol, const char *asked,
		     char *ret, size_t size)
{
	const char *what = protocol == SITE_HTTP ? "HTTP" : "TLS";

	switch (answer) {
	case SITE_NAMED:
		snprintf(ret, size, "%s asks for %s on this connection", what, asked);
		break;
	case SITE_NAMELESS:
		snprintf(ret, size, "%s names no host on this connection", what);
		break;
	case SITE_ENCRYPTED:
		snprintf(ret, size, "TLS hides the name that it asks for (ECH)");
		break;
	case SITE_INCOMPLETE:
	case SITE_NEITHER:
		snprintf(ret, size, "neither TLS nor HTTP that names a host; a rule with \"tcp:\" "
				    "in front lets other protocols through");
		break;
	}
}

/* Writes the record. True: let it pass, since nothing is enforced. */
static bool refuse(const struct site_gate *site, const char *detail)
{
	const struct endpoint endpoint = {
		.transport = TRANSPORT_TCP,
		.family = AF_UNSPEC,
		.port = site->port,
	};
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_CONNECT},
		.op_count = 1,
		.endpoint = &endpoint,
		.host = site->name,
		.arg = site->arg,
	};
	const struct access access = {
		.class = CLASS_NETWORK,
		.op = OP_CONNECT,
		.endpoint = &endpoint,
		.host = site->name,
	};
	struct verdict verdict = policy_decide(site->session->policy, &access);

	/* The rule that lets it connect is the one that binds it. */
	verdict.decision = DECISION_DENY;
	verdict.error = ECONNRESET;
	return call_permit_later(site->session, site->tid, site->nr, &ask, &verdict, NULL, detail);
}

static enum relay_word look(struct relay_gate *gate, const unsigned char *data, size_t len,
			    bool whole)
{
	const struct site_gate *site = (const struct site_gate *)gate;
	char detail[HOST_NAME_SIZE + 64];
	char asked[HOST_NAME_SIZE] = "";
	enum site_protocol protocol;
	const enum site_answer answer = site_name_read(data, len, asked, &protocol);

	if (answer == SITE_INCOMPLETE && !whole)
		return RELAY_WAIT;
	if ((answer == SITE_NAMED && !strcmp(asked, site->name)) || len == 0)
		return RELAY_PASS;
	describe(answer, protocol, asked, detail, sizeof(detail));
	if (refuse(site, detail))
		return RELAY_PASS;
	set_farewell(gate, protocol);
	return RELAY_REFUSE;
}

static void release(struct relay_gate *gate)
{
	free(gate);
}

static struct relay_gate *gate_new(struct call *call, const struct net_dial *dial)
{
	struct site_gate *site = calloc(1, sizeof(*site));

	if (!site)
		return NULL;
	site->gate = (struct relay_gate){.look = look, .release = release};
	site->session = call->session;
	site->tid = call->request.tid;
	site->nr = call->request.nr;
	site->port = dial->port;
	snprintf(site->name, sizeof(site->name), "%s", dial->name);
	snprintf(site->arg, sizeof(site->arg), "%s", dial->arg);
	return &site->gate;
}

/* ---------------------------------------------------------------------- connecting */

/* A socket of ours that reaches what the tool's would, and waits as long. */
static int open_upstream(const struct tool_socket *socket)
{
	AUTO_CLOSE int fd = tool_socket_own(socket->domain);
	struct timeval timeout = {0};
	socklen_t len = sizeof(timeout);
	int only_v6 = 0;

	if (fd < 0)
		return -errno;
	getsockopt(socket->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	len = sizeof(only_v6);
	if (socket->domain == AF_INET6 &&
	    getsockopt(socket->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &len) == 0)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6));
	if (!tool_socket_may_wait(socket) && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* What a connection on its way has failed with, or 0. */
static int await(struct call *call, int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int error = 0;

	blocking_begin(call);
	(void)poll(&ready, 1, AWAIT_MS);
	blocking_end(call);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

struct reply net_site_connect(struct call *call, const struct tool_socket *socket,
			      const struct net_dial *dial)
{
	AUTO_SOCKET struct tool_socket upstream = *socket;
	struct relay_gate *gate;
	struct reply reply;

	upstream.fd = -1;
	if (net_relay_in_use(call, socket, &reply))
		return reply;
	upstream.fd = open_upstream(socket);
	if (upstream.fd < 0)
		return reply_error(-upstream.fd);
	reply = net_dial_connect(call, &upstream, dial);
	if (reply.kind == REPLY_ERROR && reply.error == EINPROGRESS &&
	    !tool_socket_may_wait(socket)) {
		const int error = await(call, upstream.fd);

		reply = error ? reply_error(error) : reply_value(0);
	}
	if (reply.kind != REPLY_VALUE)
		return reply;
	gate = gate_new(call, dial);
	if (!gate)
		return reply_error(ENOBUFS);
	return net_relay_connect(call, socket, &dial->shown, TAKE_FD(upstream.fd), gate);
}
