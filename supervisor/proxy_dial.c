/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/proxy_dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "supervisor/dns_client.h"
#include "supervisor/dns_names.h"
#include "supervisor/net_connect.h"
#include "supervisor/net_dial.h"
#include "supervisor/net_hosts.h"
#include "supervisor/net_name.h"
#include "supervisor/session.h"

enum { ATTEMPT_DELAY_MS = 250 }; /* RFC 8305, 5 */

struct dialing {
	struct call call;
	struct detached detached;
	const struct proxy_request *request;
	struct tool_socket socket; /* of ours; what is there for the tool's own */
};

static void set_up(struct dialing *dialing, struct session *session, pid_t tid, int nr,
		   const struct proxy_request *request)
{
	*dialing = (struct dialing){
		.call = {
			.session = session,
			.request = {.tid = tid, .nr = nr},
			.row = syscall_row(nr),
			.detached = &dialing->detached,
		},
		.detached = {.fd = -1},
		.request = request,
		.socket = TOOL_SOCKET_INIT,
	};
}

static void write_arg(const struct dialing *dialing, char *arg, size_t size)
{
	snprintf(arg, size, "%.*s by the proxy", (int)size - 16, dialing->request->asked);
}

/* A socket that does not wait: IPv6 reaches IPv4 as well. */
static bool open_socket(struct dialing *dialing, bool v4)
{
	struct tool_socket *socket = &dialing->socket;

	close_fd(&socket->fd);
	socket->domain = v4 ? AF_INET : AF_INET6;
	socket->type = SOCK_STREAM;
	socket->protocol = IPPROTO_TCP;
	socket->fd = tool_socket_own(socket->domain);
	if (socket->fd < 0 && !v4) {
		socket->domain = AF_INET;
		socket->fd = tool_socket_own(AF_INET);
	}
	return socket->fd >= 0 && fcntl(socket->fd, F_SETFL, O_NONBLOCK) == 0;
}

static struct reply connect_to(struct dialing *dialing, const struct in6_addr *address)
{
	const struct net_peer peer = {.address = *address, .port = dialing->request->port};
	AUTO_ADDRESS struct tool_address target = TOOL_ADDRESS_INIT;
	struct reply reply;

	net_peer_write(&peer, dialing->socket.domain, &target.addr, &target.len);
	if (!tool_address_prepare(&dialing->call, &dialing->socket, OP_CONNECT, &target, &reply))
		return reply;
	write_arg(dialing, target.arg, sizeof(target.arg));
	return net_connect_address(&dialing->call, &dialing->socket, &target);
}

static bool is_on_its_way(const struct reply *reply)
{
	return reply->kind == REPLY_VALUE ||
	       (reply->kind == REPLY_ERROR && reply->error == EINPROGRESS);
}

/* What it has failed with in due time; 0: nothing. */
static int await_failure(const struct dialing *dialing)
{
	struct pollfd ready = {.fd = dialing->socket.fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int error = 0;

	if (dialing->detached.fd < 0 && poll(&ready, 1, ATTEMPT_DELAY_MS) > 0)
		getsockopt(ready.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return error;
}

/* An address; one after the other, those that the host's table has for a name and a rule allows. */
static struct reply connect_in_turn(struct dialing *dialing, const struct in6_addr *list, size_t count)
{
	const struct endpoint where = {.transport = TRANSPORT_TCP, .port = dialing->request->port};
	struct reply reply = reply_error(EHOSTUNREACH);
	bool tried = false;

	for (size_t i = 0; i < count; i++) {
		struct endpoint endpoint = where;
		const struct ask ask = {
			.class = CLASS_NETWORK,
			.ops = {OP_CONNECT},
			.op_count = 1,
			.endpoint = &endpoint,
		};
		const bool last = i + 1 == count;
		char host[HOST_NAME_SIZE];

		endpoint.address = list[i];
		endpoint.family = IN6_IS_ADDR_V4MAPPED(&list[i]) ? AF_INET : AF_INET6;
		/* Of several that are refused one has a record. */
		if (!(last && !tried) && !call_would_permit(&dialing->call, &ask) &&
		    !net_name_of_hosts(&dialing->call, OP_CONNECT, &endpoint, host))
			continue;
		tried = true;
		if (!open_socket(dialing, IN6_IS_ADDR_V4MAPPED(&list[i])))
			return reply_error(errno);
		reply = connect_to(dialing, &list[i]);
		if (!last && is_on_its_way(&reply)) {
			const int error = await_failure(dialing);

			reply = error ? reply_error(error) : reply;
		}
		if (is_on_its_way(&reply))
			break;
	}
	return reply;
}

/* A name where no rule is about names: refused, or merely recorded. */
static struct reply connect_unruled(struct dialing *dialing)
{
	const struct endpoint endpoint = {
		.transport = TRANSPORT_TCP,
		.family = AF_UNSPEC,
		.port = dialing->request->port,
	};
	struct net_dial dial = {
		.op = OP_CONNECT,
		.name = dialing->request->host,
		.transport = TRANSPORT_TCP,
		.port = dialing->request->port,
		.trusted = true,
	};
	char arg[PROXY_ASKED_SIZE + 16];
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_CONNECT},
		.op_count = 1,
		.endpoint = &endpoint,
		.host = dialing->request->host,
		.arg = arg,
	};
	struct reply reply;

	write_arg(dialing, arg, sizeof(arg));
	dial.arg = arg;
	if (!call_permit(&dialing->call, &ask, &reply))
		return reply;
	dial.shown.address = (struct in6_addr){.s6_addr = {[10] = 0xff, 0xff}};
	return net_dial_connect(&dialing->call, &dialing->socket, &dial);
}

static struct reply connect_by_name(struct dialing *dialing)
{
	struct session *session = dialing->call.session;
	const char *host = dialing->request->host;
	struct in6_addr list[DNS_ADDRESSES_MAX];
	const size_t count = net_hosts_addresses(session->hosts, host, list, DNS_ADDRESSES_MAX);
	struct in6_addr address = {.s6_addr = {[10] = 0xff, 0xff}};
	uint32_t number;

	if (count > 0)
		return connect_in_turn(dialing, list, count);
	if (!open_socket(dialing, false))
		return reply_error(errno);
	if (!session->names)
		return connect_unruled(dialing);
	/* By the address that stands for the name, as the tool itself would. */
	number = dns_names_number(session->names, host);
	if (number == 0)
		return reply_error(EHOSTUNREACH);
	dns_names_v4(number, &address.s6_addr[12]);
	return connect_to(dialing, &address);
}

struct proxy_end proxy_dial(struct session *session, pid_t tid, int nr,
			    const struct proxy_request *request)
{
	struct dialing dialing;
	struct reply reply;

	set_up(&dialing, session, tid, nr, request);
	reply = request->host[0] ? connect_by_name(&dialing)
				 : connect_in_turn(&dialing, &request->address, 1);
	if (is_on_its_way(&reply)) {
		struct proxy_end end = {.fd = dialing.detached.fd, .gate = dialing.detached.gate};

		if (end.fd < 0)
			end.fd = TAKE_FD(dialing.socket.fd);
		tool_socket_release(&dialing.socket);
		return end;
	}
	tool_socket_release(&dialing.socket);
	return (struct proxy_end){
		.fd = -1,
		.error = reply.kind == REPLY_ERROR && reply.error ? reply.error : ECONNABORTED,
	};
}

void proxy_refuse_name(struct session *session, pid_t tid, int nr,
		       const struct proxy_request *request)
{
	const struct endpoint endpoint = {.transport = TRANSPORT_OTHER, .family = AF_UNSPEC};
	char arg[PROXY_ASKED_SIZE + 16];
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_CONNECT},
		.op_count = 1,
		.endpoint = &endpoint,
		.arg = arg,
	};
	struct dialing dialing;

	set_up(&dialing, session, tid, nr, request);
	write_arg(&dialing, arg, sizeof(arg));
	(void)call_refuse(&dialing.call, &ask, EACCES, "this is no host name");
}
