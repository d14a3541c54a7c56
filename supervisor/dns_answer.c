/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host_name.h"
#include "supervisor/dns_names.h"
#include "supervisor/dns_private.h"
#include "supervisor/net_hosts.h"
#include "supervisor/session.h"
#include "supervisor/stats.h"

/* What the stub says to a question. */

enum {
	TTL_S = 60, /* the addresses stand for the name as long as the run */
	SUGGESTED_PORT = 443,
	ONE_LOOKUP_NS = 1000000000,
};

/* A question on its way to a real resolver. */
struct pending {
	struct dns_stub *stub;
	struct dns_query query;
	struct dns_way_back back;
	unsigned char question[DNS_HEADER_SIZE + DNS_WIRE_NAME_MAX + 4];
};

static size_t room_for(const struct dns_query *query, const struct dns_way_back *back)
{
	return back->client < 0 ? dns_udp_room(query) : DNS_MESSAGE_MAX;
}

static void answer(struct dns_stub *stub, const struct dns_query *query,
		   const struct dns_way_back *back, const unsigned char *message,
		   enum dns_rcode rcode, const struct dns_answer *record, const char *why)
{
	const size_t len = dns_answer(query, message, rcode, record, record ? 1 : 0, why,
				      stub->out, room_for(query, back));

	dns_send(stub, back, stub->out, len);
}

/* The address that stands for the name, of the family that was asked for. */
static void answer_address(struct dns_stub *stub, const struct dns_query *query,
			   const struct dns_way_back *back, const unsigned char *message)
{
	unsigned char address[16];
	const struct dns_answer record = {
		.type = query->type,
		.ttl = TTL_S,
		.len = query->type == DNS_A ? 4 : 16,
		.data = address,
	};
	const uint32_t number = dns_names_number(stub->session->names, query->name);

	if (number == 0) {
		answer(stub, query, back, message, DNS_SERVFAIL, NULL, NULL);
		return;
	}
	if (query->type == DNS_A)
		dns_names_v4(number, address);
	else
		dns_names_v6(number, address);
	answer(stub, query, back, message, DNS_NOERROR, &record, NULL);
}

/* ------------------------------------------------------------------------ refusals */

/* True when the same was refused a moment ago: the other half of one lookup, or its repetition. */
static bool is_recent(struct dns_stub *stub, const struct asker *asker, const char *name,
		      uint16_t port)
{
	const uint64_t now = stats_now();
	struct recent *next;

	for (size_t i = 0; i < DNS_RECENT; i++) {
		const struct recent *recent = &stub->recent[i];

		if (recent->tgid == asker->tgid && recent->port == port &&
		    now - recent->at < ONE_LOOKUP_NS && !strcmp(recent->name, name))
			return true;
	}
	next = &stub->recent[stub->recent_next++ % DNS_RECENT];
	next->at = now;
	next->tgid = asker->tgid;
	next->port = port;
	snprintf(next->name, sizeof(next->name), "%s", name);
	return false;
}

/* May the name be looked up? Writes the record that is due. */
static bool permit(struct dns_stub *stub, const struct asker *asker, const char *name,
		   bool is_host_name)
{
	const struct endpoint suggested = {
		.transport = TRANSPORT_TCP,
		.family = AF_UNSPEC,
		.port = SUGGESTED_PORT,
	};
	const struct access access = {
		.class = CLASS_NETWORK,
		.op = OP_CONNECT,
		.endpoint = &suggested,
		.host = name,
	};
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_RESOLVE},
		.op_count = 1,
		.host = name,
	};
	struct verdict verdict = {.decision = DECISION_DENY, .error = EACCES};

	if (is_host_name)
		verdict = policy_decide_lookup(stub->session->policy, name);
	if (verdict.decision == DECISION_DENY && is_recent(stub, asker, name, 0))
		return stub->session->observe;
	return call_permit_later(stub->session, asker->tid, asker->nr, &ask, &verdict,
				 is_host_name ? &access : NULL,
				 is_host_name ? NULL : "this is no host name");
}

void dns_refuse_datagram(struct dns_stub *stub, const struct asker *asker)
{
	const struct endpoint endpoint = {
		.transport = TRANSPORT_UDP,
		.family = AF_UNSPEC,
		.port = asker->asked.port,
	};
	const struct access access = {
		.class = CLASS_NETWORK,
		.op = OP_SEND,
		.endpoint = &endpoint,
		.host = asker->name,
	};
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_SEND},
		.op_count = 1,
		.endpoint = &endpoint,
		.host = asker->name,
	};
	const struct verdict verdict = policy_decide(stub->session->policy, &access);

	if (!is_recent(stub, asker, asker->name, asker->asked.port))
		call_permit_later(stub->session, asker->tid, asker->nr, &ask, &verdict, &access,
				  NULL);
}

/* ------------------------------------------------------------------ real resolvers */

static void on_reply(void *argument, int status, int timeouts, unsigned char *reply, int len)
{
	struct pending *pending = argument;
	struct dns_stub *stub = pending->stub;
	const struct dns_query *query = &pending->query;
	struct dns_addresses addresses = {0};
	size_t forwarded;

	(void)timeouts;
	stub->pending--;
	if (status == ARES_SUCCESS && (query->type == DNS_A || query->type == DNS_AAAA))
		status = dns_addresses_parse(query->type == DNS_A ? AF_INET : AF_INET6, reply, len,
					     &addresses);
	if (status == ARES_SUCCESS && addresses.count > 0) {
		dns_client_remember(stub->session->resolvers, query->name,
				    query->type == DNS_A ? AF_INET : AF_INET6, &addresses);
		answer_address(stub, query, &pending->back, pending->question);
	} else if (status == ARES_SUCCESS) {
		forwarded = dns_forward(query, pending->question, reply, (size_t)len, stub->out,
					room_for(query, &pending->back));
		if (forwarded)
			dns_send(stub, &pending->back, stub->out, forwarded);
		else
			answer(stub, query, &pending->back, pending->question, DNS_SERVFAIL, NULL,
			       NULL);
	} else {
		answer(stub, query, &pending->back, pending->question,
		       status == ARES_ENODATA	  ? DNS_NOERROR
		       : status == ARES_ENOTFOUND ? DNS_NXDOMAIN
						  : DNS_SERVFAIL,
		       NULL, NULL);
	}
	free(pending);
}

static void ask_resolver(struct dns_stub *stub, const struct dns_query *query,
			 const struct dns_way_back *back, const unsigned char *message)
{
	struct pending *pending = NULL;

	if (stub->pending < DNS_PENDING_MAX)
		pending = malloc(sizeof(*pending));
	if (!pending) {
		answer(stub, query, back, message, DNS_SERVFAIL, NULL, NULL);
		return;
	}
	*pending = (struct pending){.stub = stub, .query = *query, .back = *back};
	memcpy(pending->question, message, DNS_HEADER_SIZE + query->question_len);
	stub->pending++;
	ares_query(stub->channel, query->name, DNS_CLASS_IN, query->type, on_reply, pending);
}

/* ----------------------------------------------------------------------- questions */

/* A name of /etc/hosts has the families that stand there, and no server is asked. */
static bool answer_from_hosts(struct dns_stub *stub, const struct dns_query *query,
			      const struct dns_way_back *back, const unsigned char *message)
{
	struct in6_addr list[DNS_ADDRESSES_MAX];
	const size_t count = net_hosts_addresses(stub->session->hosts, query->name, list,
						 DNS_ADDRESSES_MAX);

	if (count == 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if ((bool)IN6_IS_ADDR_V4MAPPED(&list[i]) != (query->type == DNS_A))
			continue;
		answer_address(stub, query, back, message);
		return true;
	}
	answer(stub, query, back, message, DNS_NOERROR, NULL, NULL);
	return true;
}

/* The name of an address that stands for one. True: answered. */
static bool answer_reverse(struct dns_stub *stub, const struct dns_query *query,
			   const struct dns_way_back *back, const unsigned char *message)
{
	unsigned char wire[DNS_WIRE_NAME_MAX];
	struct in6_addr address;
	struct dns_answer record = {.type = DNS_PTR, .ttl = TTL_S, .data = wire};
	const char *name;

	if (!dns_reverse_address(query->name, address.s6_addr))
		return false;
	name = dns_names_find(stub->session->names, &address);
	if (!name)
		return false;
	record.len = (uint16_t)dns_write_name(name, wire);
	answer(stub, query, back, message, DNS_NOERROR, &record, NULL);
	return true;
}

static void handle_allowed(struct dns_stub *stub, const struct dns_query *query,
			   const struct dns_way_back *back, const unsigned char *message)
{
	switch (query->type) {
	case DNS_A:
	case DNS_AAAA:
		if (policy_rewrites_name(stub->session->policy, query->name))
			answer_address(stub, query, back, message);
		else if (!answer_from_hosts(stub, query, back, message))
			ask_resolver(stub, query, back, message);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_SOA:
	case DNS_MX:
	case DNS_TXT:
	case DNS_SRV:
	case DNS_NAPTR:
	case DNS_TLSA:
	case DNS_CAA:
		ask_resolver(stub, query, back, message);
		break;
	default:
		/* HTTPS and SVCB hold addresses and other names: without them clients take A. */
		answer(stub, query, back, message, DNS_NOERROR, NULL, NULL);
		break;
	}
}

void dns_handle(struct dns_stub *stub, const struct asker *asker, const struct dns_way_back *back,
		const unsigned char *message, size_t len)
{
	unsigned char header[DNS_HEADER_SIZE];
	char name[HOST_NAME_SIZE];
	struct dns_query query;
	int error = dns_parse_query(message, len, &query);

	if (error == -EBADMSG)
		return;
	if (error < 0) {
		dns_error(&query, error == -EINVAL ? DNS_FORMERR : DNS_NOTIMP, header);
		dns_send(stub, back, header, sizeof(header));
		return;
	}
	if (query.class != DNS_CLASS_IN) {
		answer(stub, &query, back, message, DNS_REFUSED, NULL, NULL);
		return;
	}
	if (query.type == DNS_PTR && answer_reverse(stub, &query, back, message))
		return;
	if (query.host_name &&
	    host_name_normalise(query.name, strlen(query.name), name) == 0)
		memcpy(query.name, name, sizeof(name));
	else
		query.host_name = false;
	if (permit(stub, asker, query.name, query.host_name))
		handle_allowed(stub, &query, back, message);
	else if (!session_is_over(stub->session)) /* on_block: kill */
		answer(stub, &query, back, message, DNS_NXDOMAIN, NULL,
		       "proctor: no rule of the policy allows this name");
}
