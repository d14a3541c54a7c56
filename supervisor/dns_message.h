/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_DNS_MESSAGE_H
#define PROCTOR_SUPERVISOR_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * DNS messages (RFC 1035, EDNS of RFC 6891) as the stub takes and makes them. Everything here is
 * bytes in, bytes out: nothing is trusted, nothing is reserved by a length that was read.
 */

enum {
	DNS_HEADER_SIZE = 12,
	DNS_MESSAGE_MAX = 65535,
	DNS_WIRE_NAME_MAX = 255, /* of a name on the wire */
	DNS_UDP_SIZE = 512,      /* of an answer by UDP without EDNS */
	DNS_UDP_SIZE_MAX = 1232, /* and with it: no fragments on any link */
	/* Text of a name: each byte of it may stand as "\ddd". */
	DNS_TEXT_SIZE = 4 * DNS_WIRE_NAME_MAX + 1,
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_NAPTR = 35,
	DNS_OPT = 41,
	DNS_TLSA = 52,
	DNS_SVCB = 64,
	DNS_HTTPS = 65,
	DNS_CAA = 257,
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
};

enum { DNS_CLASS_IN = 1 };

/* A query. `name` is lower case, without a final dot; "." for the root. */
struct dns_query {
	uint16_t id;
	uint16_t flags;
	uint16_t type;
	uint16_t class;
	bool host_name;      /* only letters, digits, '-' and '_' in its labels */
	bool edns;
	uint16_t udp_size;   /* that the asker takes by UDP */
	size_t question_len; /* bytes of the question, after the header */
	char name[DNS_TEXT_SIZE];
};

/*
 * Reads a query. Returns 0; -EBADMSG when nothing can be answered (too short, or no query at all);
 * -EINVAL for one that is malformed and -EOPNOTSUPP for an operation other than QUERY, which are
 * answered with dns_error(). *ret is set as far as it was read.
 */
int dns_parse_query(const unsigned char *message, size_t len, struct dns_query *ret);

/* The header alone, with `rcode`, in answer to what dns_parse_query() found fault with. Returns
 * the length. `out` has room for DNS_HEADER_SIZE bytes. */
size_t dns_error(const struct dns_query *query, enum dns_rcode rcode, unsigned char *out);

struct dns_answer {
	uint16_t type;
	uint32_t ttl;
	uint16_t len;
	const unsigned char *data;
};

/*
 * Answers the query of which `message` is the text: the question again (in the letters that it
 * came in: some compare), `count` records about its name, and, where EDNS was used, an OPT record,
 * in which `why` (NULL: nothing) says that the name was refused (RFC 8914, 18 "Prohibited").
 * What does not fit in `size` bytes is left out, and the answer marked as cut (TC).
 * Returns the length. `size` is at least DNS_UDP_SIZE.
 */
size_t dns_answer(const struct dns_query *query, const unsigned char *message,
		  enum dns_rcode rcode, const struct dns_answer *answers, size_t count,
		  const char *why, unsigned char *out, size_t size);

/*
 * Answers with the answer section of `reply`, which a resolver gave to the same question; what
 * stands behind it is left out. Cut (TC) when it does not fit in `size`.
 * Returns the length, or 0 when `reply` is malformed or answers another question.
 */
size_t dns_forward(const struct dns_query *query, const unsigned char *message,
		   const unsigned char *reply, size_t reply_len, unsigned char *out, size_t size);

/* How long an answer by UDP to the query may be. */
size_t dns_udp_room(const struct dns_query *query);

/*
 * Writes `name` (text without escapes) as it stands on the wire. Returns the length, or 0 when it
 * is no name.
 */
size_t dns_write_name(const char *name, unsigned char out[DNS_WIRE_NAME_MAX]);

/*
 * The address that a name in in-addr.arpa or ip6.arpa asks about, as IPv6 (an IPv4 one mapped).
 * False when it is no such name.
 */
bool dns_reverse_address(const char *name, unsigned char ret_address[16]);

#endif
