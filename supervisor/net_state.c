/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_state.h"

#include <errno.h>

#include "supervisor/dns_client.h"
#include "supervisor/dns_names.h"
#include "supervisor/dns_stub.h"
#include "supervisor/net_hosts.h"
#include "supervisor/net_peers.h"
#include "supervisor/relay.h"
#include "supervisor/session.h"

int net_state_open(struct session *session, struct error *err)
{
	const bool rewrites = policy_rewrites(session->policy, CLASS_NETWORK);
	const bool names = policy_has_name_rules(session->policy);
	int error;

	session->peers = rewrites || names ? net_peers_new() : NULL;
	session->relay = rewrites || names ? relay_new() : NULL;
	if ((rewrites || names) && (!session->peers || !session->relay))
		return error_set(err, ENOMEM, "cannot start");
	if (!names)
		return 0;
	session->names = dns_names_new();
	session->hosts = net_hosts_new("/etc/hosts");
	if (!session->names || !session->hosts)
		return error_set(err, ENOMEM, "cannot start");
	error = dns_client_new(&session->resolvers);
	if (error)
		return error_set(err, 0, "cannot ask name servers: %s", ares_strerror(error));
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
