/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_ENDPOINT_PATTERN_H
#define PROCTOR_POLICY_ENDPOINT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/endpoint.h"
#include "policy/glob.h"
#include "policy/memory.h"

struct port_range {
	uint16_t first;
	uint16_t last;
};

/* One entry of a network list. A unix path is a path pattern and stands with those. */
struct endpoint_pattern {
	enum { ENDPOINT_ADDRESS, ENDPOINT_ABSTRACT, ENDPOINT_UNIX_PATH, ENDPOINT_HOST } kind;
	/* ENDPOINT_ADDRESS (and ENDPOINT_HOST: transports and ports) */
	bool tcp;
	bool udp;
	/* ENDPOINT_HOST: is the site that a connection asks for compared with the name? */
	enum { SITE_BY_PORT, SITE_ANY, SITE_SAME } site;
	bool any_address;       /* "*" */
	bool v4;
	struct in6_addr address; /* IPv4 as v4-mapped */
	unsigned int prefix;     /* leading bits of the 128 that count */
	const struct port_range *ports;
	size_t port_count;
	/* ENDPOINT_ABSTRACT */
	const struct glob *names;
	size_t name_count;
	/* ENDPOINT_UNIX_PATH: the path as written; ENDPOINT_HOST: the name, normalised, without "*." */
	const char *text;
	bool below; /* ENDPOINT_HOST: "*.NAME", all names below it and not itself */
};

/*
 * Compiles "[tcp:|udp:]ADDRESS[/BITS]:PORTS", "[IPV6]:PORTS", "[tls:]NAME:PORTS",
 * "unix:PATH" or "unix:@NAME" (a leading "!" taken off). Without a transport it
 * is TCP, and UDP as well when `both` is set: what a deny names is denied however
 * it is reached. "tls:" is TCP, for names in a list that allows. Returns NULL, or what is wrong,
 * in words.
 */
const char *endpoint_pattern_compile(struct memory *memory, const char *text, bool both,
				     struct endpoint_pattern *ret);

/*
 * A pattern of names is matched on `host` (normalised; NULL: not known), one of addresses on the
 * address alone: of an endpoint without one (AF_UNSPEC) only "*" says something. Not for
 * ENDPOINT_UNIX_PATH.
 */
bool endpoint_pattern_match(const struct endpoint_pattern *pattern,
			    const struct endpoint *endpoint, const char *host);

/*
 * Must a connection that the pattern allows ask for the very host (TLS's SNI, HTTP's Host)? With "tls:"
 * always, with "tcp:" never, and where nothing is said if it goes to port 443.
 */
bool endpoint_pattern_binds_site(const struct endpoint_pattern *pattern,
				 const struct endpoint *endpoint);

/* endpoint_pattern_match() for ENDPOINT_HOST, whatever the port and the protocol. */
bool endpoint_pattern_names(const struct endpoint_pattern *pattern, const char *host);

#endif
