/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DNS messages of the tool and of a resolver. */
#include "tests/fuzz/net.h"

#include <stdlib.h>
#include <string.h>

#include "supervisor/dns_message.h"

static unsigned char out[DNS_MESSAGE_MAX];

/* What was answered has the question in it, and no more room than there was. */
static void check_answer(const struct dns_query *query, const unsigned char *message, size_t len,
			 size_t room)
{
	struct dns_query echoed;
	unsigned char *copy;

	check(len >= DNS_HEADER_SIZE + query->question_len && len <= room);
	check(!memcmp(out + DNS_HEADER_SIZE, message + DNS_HEADER_SIZE, query->question_len));
	/* As a query again it is the same one. */
	copy = malloc(len);
	check(copy != NULL);
	memcpy(copy, out, len);
	copy[2] &= 0x7f;
	check(dns_parse_query(copy, len, &echoed) == 0);
	check(!strcmp(echoed.name, query->name) && echoed.type == query->type);
	free(copy);
}

/* The first two bytes say where the query ends and the reply begins. */
void fuzz_dns(const unsigned char *data, size_t size)
{
	static const unsigned char address[16];
	const struct dns_answer answers[] = {
		{.type = DNS_A, .len = 4, .data = address},
		{.type = DNS_AAAA, .len = 16, .data = address},
	};
	struct dns_query query;
	unsigned char reverse[16];
	unsigned char wire[DNS_WIRE_NAME_MAX];
	size_t query_len, len;

	if (size < 2)
		return;
	query_len = (size_t)(data[0] << 8 | data[1]) % (size - 1);
	data += 2;
	size -= 2;
	if (dns_parse_query(data, query_len, &query) < 0)
		return;
	check(strlen(query.name) < sizeof(query.name) && strlen(query.name) > 0);
	check(query.question_len <= DNS_WIRE_NAME_MAX + 4);
	(void)dns_reverse_address(query.name, reverse);
	if (query.host_name)
		check(dns_write_name(query.name, wire) == query.question_len - 4);
	len = dns_answer(&query, data, DNS_NOERROR, answers, 2, NULL, out, dns_udp_room(&query));
	check_answer(&query, data, len, dns_udp_room(&query));
	len = dns_answer(&query, data, DNS_NXDOMAIN, NULL, 0, "why", out, DNS_UDP_SIZE);
	check_answer(&query, data, len, DNS_UDP_SIZE);
	len = dns_forward(&query, data, data + query_len, size - query_len, out, DNS_UDP_SIZE);
	if (len)
		check_answer(&query, data, len, DNS_UDP_SIZE);
}
