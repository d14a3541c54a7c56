/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "supervisor/dns_client.h"
#include "supervisor/dns_names.h"
#include "supervisor/dns_stub.h"
#include "supervisor/net_hosts.h"
#include "supervisor/net_peers.h"
#include "supervisor/net_proxy.h"
#include "supervisor/relay.h"
#include "supervisor/session.h"

/* A socket on which the kernel looks at the address of no message, but with MSG_FASTOPEN. */
static bool is_stream(int fd)
{
	int domain = 0;
	int type = 0;
	int protocol = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) < 0)
		return errno == ENOTSOCK || errno == EBADF;
	if (domain == AF_UNIX)
		return type == SOCK_STREAM || type == SOCK_SEQPACKET;
	return (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM &&
	       protocol == IPPROTO_TCP;
}

/*
 * Where no datagram could go anywhere, socket(2) makes no socket for them. What the tool is given (0 to
 * 2) is the only other one that it can have: what it can reach is a stream, and what comes to it by
 * SCM_RIGHTS comes from itself.
 */
static bool may_have_datagrams(const struct session *session)
{
	if (session->observe || session->level == AUDIT_ALL ||
	    policy_allows_datagrams(session->policy))
		return true;
	for (int fd = 0; fd <= 2; fd++)
		if (!is_stream(fd))
			return true;
	return false;
}

int net_state_open(struct session *session, const char *session_id, struct error *err)
{
	const bool rewrites = policy_rewrites(session->policy, CLASS_NETWORK);
	const bool names = policy_has_name_rules(session->policy);
	const bool proxy = policy_offers_proxy(session->policy);
	int error;

	session->datagrams = may_have_datagrams(session);
	if (!rewrites && !names && !proxy)
		return 0;
	session->peers = net_peers_new();
	session->relay = relay_new();
	if (!session->peers || !session->relay)
		return error_set(err, ENOMEM, "cannot start");
	if (!names && !proxy)
		return 0;
	session->hosts = net_hosts_new("/etc/hosts");
	if (!session->hosts)
		return error_set(err, ENOMEM, "cannot start");
	error = dns_client_new(&session->resolvers);
	if (error)
		return error_set(err, 0, "cannot ask name servers: %s", ares_strerror(error));
	error = proxy ? net_proxy_open(session, session_id, &session->proxy, err) : 0;
	if (error < 0 || !names)
		return error;
	session->names = dns_names_new();
	if (!session->names)
		return error_set(err, ENOMEM, "cannot start");
	return dns_stub_open(session, &session->dns, err);
}

int net_state_start(struct session *session, struct error *err)
{
	return session->dns ? dns_stub_start(session->dns, err) : 0;
}

void net_state_finish(struct session *session)
{
	enum { LAST_BYTES_MS = 2000 };

	if (!session_is_over(session))
		relay_finish(session->relay, LAST_BYTES_MS);
}
