/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/dns_message.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FLAG_RESPONSE = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_TRUNCATED = 0x0200,
	FLAG_RECURSION_DESIRED = 0x0100,
	FLAG_RECURSION_AVAILABLE = 0x0080,
	FLAG_CHECKING_DISABLED = 0x0010,
	RECORD_FIXED = 10, /* type, class, ttl, length */
	LABEL_MAX = 63,
	OPTION_ERROR = 15, /* RFC 8914 */
	ERROR_PROHIBITED = 18,
	POINTER_TO_QUESTION = 0xc000 | DNS_HEADER_SIZE,
};

/* A message that is being read; past its end everything fails. */
struct reader {
	const unsigned char *data;
	size_t len;
	size_t at;
};

static bool skip(struct reader *reader, size_t count)
{
	if (count > reader->len - reader->at)
		return false;
	reader->at += count;
	return true;
}

static bool read_u16(struct reader *reader, uint16_t *ret)
{
	const unsigned char *data = reader->data + reader->at;

	if (!skip(reader, 2))
		return false;
	*ret = (uint16_t)(data[0] << 8 | data[1]);
	return true;
}

static uint16_t get_u16(const unsigned char *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

static void put_u16(unsigned char *data, unsigned int value)
{
	data[0] = (unsigned char)(value >> 8);
	data[1] = (unsigned char)value;
}

/* Passes over a name, which may end in a pointer; where that leads is not looked at. */
static bool skip_name(struct reader *reader)
{
	size_t total = 0;

	for (;;) {
		unsigned char len;

		if (reader->at >= reader->len)
			return false;
		len = reader->data[reader->at];
		if ((len & 0xc0) == 0xc0)
			return skip(reader, 2);
		total += len + 1U;
		if (len > LABEL_MAX || total > DNS_WIRE_NAME_MAX || !skip(reader, len + 1U))
			return false;
		if (len == 0)
			return true;
	}
}

static bool skip_record(struct reader *reader)
{
	uint16_t len;

	return skip_name(reader) && skip(reader, RECORD_FIXED - 2) && read_u16(reader, &len) &&
	       skip(reader, len);
}

static size_t add_byte(char *text, size_t at, unsigned char byte, bool *host_name)
{
	if (isalnum(byte) || byte == '-' || byte == '_') {
		text[at] = (char)tolower(byte);
		return at + 1;
	}
	*host_name = false;
	return at + (size_t)snprintf(text + at, 5, "\\%03u", byte);
}

/* The name of the question: no pointer can stand in it. */
static bool read_name(struct reader *reader, struct dns_query *query)
{
	const size_t start = reader->at;
	size_t at = 0;

	query->host_name = true;
	for (;;) {
		const unsigned char *label = reader->data + reader->at + 1;
		unsigned char len;

		if (reader->at >= reader->len)
			return false;
		len = reader->data[reader->at];
		if (len > LABEL_MAX || !skip(reader, len + 1U) ||
		    reader->at - start > DNS_WIRE_NAME_MAX)
			return false;
		if (len == 0)
			break;
		if (at > 0)
			query->name[at++] = '.';
		for (size_t i = 0; i < len; i++)
			at = add_byte(query->name, at, label[i], &query->host_name);
	}
	if (at == 0) {
		query->name[at++] = '.';
		query->host_name = false;
	}
	query->name[at] = '\0';
	return true;
}

/* The OPT record among the additional ones says what the asker can take. */
static bool read_additional(struct reader *reader, unsigned int before, unsigned int count,
			    struct dns_query *query)
{
	for (unsigned int i = 0; i < before; i++)
		if (!skip_record(reader))
			return false;
	for (unsigned int i = 0; i < count; i++) {
		const size_t start = reader->at;
		const unsigned char *record = reader->data + start;

		if (!skip_record(reader))
			return false;
		/* The name of an OPT record is the root. */
		if (record[0] != 0 || get_u16(record + 1) != DNS_OPT)
			continue;
		query->edns = true;
		query->udp_size = get_u16(record + 3);
	}
	return true;
}

int dns_parse_query(const unsigned char *message, size_t len, struct dns_query *ret)
{
	struct reader reader = {.data = message, .len = len, .at = DNS_HEADER_SIZE};

	*ret = (struct dns_query){0};
	if (len < DNS_HEADER_SIZE)
		return -EBADMSG;
	ret->id = get_u16(message);
	ret->flags = get_u16(message + 2);
	if (ret->flags & FLAG_RESPONSE)
		return -EBADMSG;
	if (ret->flags & FLAG_OPCODE)
		return -EOPNOTSUPP;
	if (get_u16(message + 4) != 1 || !read_name(&reader, ret) ||
	    !read_u16(&reader, &ret->type) || !read_u16(&reader, &ret->class))
		return -EINVAL;
	ret->question_len = reader.at - DNS_HEADER_SIZE;
	if (!read_additional(&reader, get_u16(message + 6) + (unsigned int)get_u16(message + 8),
			     get_u16(message + 10), ret))
		return -EINVAL;
	return 0;
}

/* ---------------------------------------------------------------------- answers */

static void put_header(const struct dns_query *query, unsigned int flags, unsigned int questions,
		       unsigned char *out)
{
	const unsigned int kept =
		query->flags & (FLAG_OPCODE | FLAG_RECURSION_DESIRED | FLAG_CHECKING_DISABLED);

	memset(out, 0, DNS_HEADER_SIZE);
	put_u16(out, query->id);
	put_u16(out + 2, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | kept | flags);
	put_u16(out + 4, questions);
}

size_t dns_error(const struct dns_query *query, enum dns_rcode rcode, unsigned char *out)
{
	put_header(query, rcode, 0, out);
	return DNS_HEADER_SIZE;
}

size_t dns_udp_room(const struct dns_query *query)
{
	if (!query->edns || query->udp_size < DNS_UDP_SIZE)
		return DNS_UDP_SIZE;
	return query->udp_size < DNS_UDP_SIZE_MAX ? query->udp_size : DNS_UDP_SIZE_MAX;
}

/* The OPT record; returns its length. */
static size_t put_opt(const char *why, unsigned char *out)
{
	const size_t why_len = why ? strnlen(why, 128) : 0;
	const size_t option = why ? 4 + 2 + why_len : 0;

	out[0] = 0;
	put_u16(out + 1, DNS_OPT);
	put_u16(out + 3, DNS_UDP_SIZE_MAX);
	memset(out + 5, 0, 4);
	put_u16(out + 9, (unsigned int)option);
	if (!why)
		return 1 + RECORD_FIXED;
	put_u16(out + 11, OPTION_ERROR);
	put_u16(out + 13, (unsigned int)(2 + why_len));
	put_u16(out + 15, ERROR_PROHIBITED);
	memcpy(out + 17, why, why_len);
	return 1 + RECORD_FIXED + option;
}

/* A record about the name of the question; returns its length. */
static size_t put_record(const struct dns_answer *answer, unsigned char *out)
{
	put_u16(out, POINTER_TO_QUESTION);
	put_u16(out + 2, answer->type);
	put_u16(out + 4, DNS_CLASS_IN);
	put_u16(out + 6, answer->ttl >> 16);
	put_u16(out + 8, answer->ttl & 0xffff);
	put_u16(out + 10, answer->len);
	memcpy(out + 12, answer->data, answer->len);
	return 2U + RECORD_FIXED + answer->len;
}

size_t dns_answer(const struct dns_query *query, const unsigned char *message,
		  enum dns_rcode rcode, const struct dns_answer *answers, size_t count,
		  const char *why, unsigned char *out, size_t size)
{
	unsigned char opt[256];
	const size_t opt_len = query->edns ? put_opt(why, opt) : 0;
	size_t at = DNS_HEADER_SIZE + query->question_len;
	size_t put = 0;

	put_header(query, rcode, 1, out);
	memcpy(out + DNS_HEADER_SIZE, message + DNS_HEADER_SIZE, query->question_len);
	while (put < count && at + 2 + RECORD_FIXED + answers[put].len + opt_len <= size)
		at += put_record(&answers[put++], out + at);
	put_u16(out + 6, (unsigned int)put);
	if (put < count)
		put_u16(out + 2, get_u16(out + 2) | FLAG_TRUNCATED);
	if (opt_len && at + opt_len <= size) {
		memcpy(out + at, opt, opt_len);
		put_u16(out + 10, 1);
		at += opt_len;
	}
	return at;
}

size_t dns_forward(const struct dns_query *query, const unsigned char *message,
		   const unsigned char *reply, size_t reply_len, unsigned char *out, size_t size)
{
	struct reader reader = {.data = reply, .len = reply_len, .at = DNS_HEADER_SIZE};
	struct dns_query echoed = {0};
	unsigned int count;

	if (reply_len < DNS_HEADER_SIZE || get_u16(reply + 4) != 1 || !read_name(&reader, &echoed) ||
	    !read_u16(&reader, &echoed.type) || !read_u16(&reader, &echoed.class) ||
	    strcmp(echoed.name, query->name) != 0 || echoed.type != query->type ||
	    reader.at != DNS_HEADER_SIZE + query->question_len)
		return 0;
	count = get_u16(reply + 6);
	for (unsigned int i = 0; i < count; i++)
		if (!skip_record(&reader))
			return 0;
	if (reader.at > size) {
		const size_t len = dns_answer(query, message, DNS_NOERROR, NULL, 0, NULL, out, size);

		put_u16(out + 2, get_u16(out + 2) | FLAG_TRUNCATED);
		return len;
	}
	/* Names in the records point back into the message, which keeps its places. */
	memcpy(out, reply, reader.at);
	put_header(query, get_u16(reply + 2) & 0xf, 1, out);
	put_u16(out + 6, count);
	memcpy(out + DNS_HEADER_SIZE, message + DNS_HEADER_SIZE, query->question_len);
	return reader.at;
}

/* ------------------------------------------------------------------------- names */

size_t dns_write_name(const char *name, unsigned char out[DNS_WIRE_NAME_MAX])
{
	size_t at = 0;

	while (*name) {
		const size_t len = strcspn(name, ".");

		if (len == 0 || len > LABEL_MAX || at + len + 2 > DNS_WIRE_NAME_MAX)
			return 0;
		out[at] = (unsigned char)len;
		memcpy(out + at + 1, name, len);
		at += len + 1;
		name += len;
		if (*name == '.')
			name++;
	}
	out[at] = 0;
	return at + 1;
}

/* One number of in-addr.arpa or digit of ip6.arpa, and the dot behind it. */
static bool read_part(const char **name, int base, unsigned int max, unsigned int *ret)
{
	char *end;
	unsigned long value;

	if (!isxdigit((unsigned char)**name))
		return false;
	value = strtoul(*name, &end, base);
	if (*end != '.' || value > max || end - *name > 3)
		return false;
	*name = end + 1;
	*ret = (unsigned int)value;
	return true;
}

bool dns_reverse_address(const char *name, unsigned char ret_address[16])
{
	unsigned char address[16] = {[10] = 0xff, [11] = 0xff};
	const char *at = name;
	unsigned int part;
	int count;

	for (count = 0; count < 4 && read_part(&at, 10, 255, &part); count++)
		address[15 - count] = (unsigned char)part;
	if (count == 4 && !strcmp(at, "in-addr.arpa")) {
		memcpy(ret_address, address, sizeof(address));
		return true;
	}
	memset(address, 0, sizeof(address));
	at = name;
	for (count = 0; count < 32 && read_part(&at, 16, 15, &part); count++)
		address[15 - count / 2] |= (unsigned char)(part << (count % 2 ? 4 : 0));
	if (count < 32 || strcmp(at, "ip6.arpa") != 0)
		return false;
	memcpy(ret_address, address, sizeof(address));
	return true;
}
