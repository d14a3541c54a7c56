/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/dns_message.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/runner.h"

/* "API.github.com", type A, class IN; RD is set. */
static const unsigned char query_a[] = {
	0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 3,	'A', 'P', 'I', 6, 'g', 'i', 't', 'h',
	'u',  'b',  3,	  'c',	'o', 'm', 0, 0, 1, 0, 1,
};
/* The same with an OPT record that takes 4096 bytes. */
static const unsigned char opt[] = {0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0};

static struct dns_query query;
static unsigned char message[DNS_MESSAGE_MAX];
static unsigned char out[DNS_MESSAGE_MAX];
static size_t len;

static void setup(void)
{
	len = sizeof(query_a);
	memcpy(message, query_a, len);
}

static void add_opt(void)
{
	message[11] = 1;
	memcpy(message + len, opt, sizeof(opt));
	len += sizeof(opt);
}

static unsigned int u16(const unsigned char *at)
{
	return (unsigned int)(at[0] << 8 | at[1]);
}

START_TEST(reads_a_query)
{
	ck_assert_int_eq(dns_parse_query(message, len, &query), 0);
	ck_assert_str_eq(query.name, "api.github.com");
	ck_assert(query.host_name);
	ck_assert_uint_eq(query.id, 0x1234);
	ck_assert_uint_eq(query.type, DNS_A);
	ck_assert_uint_eq(query.class, DNS_CLASS_IN);
	ck_assert_uint_eq(query.question_len, len - DNS_HEADER_SIZE);
	ck_assert(!query.edns);
	ck_assert_uint_eq(dns_udp_room(&query), DNS_UDP_SIZE);
}
END_TEST

START_TEST(reads_edns)
{
	add_opt();
	ck_assert_int_eq(dns_parse_query(message, len, &query), 0);
	ck_assert(query.edns);
	ck_assert_uint_eq(query.udp_size, 4096);
	ck_assert_uint_eq(dns_udp_room(&query), DNS_UDP_SIZE_MAX);
}
END_TEST

START_TEST(every_cut_is_refused)
{
	add_opt();
	for (size_t cut = 0; cut < len; cut++) {
		unsigned char *exact = malloc(cut + !cut); /* a read behind it is seen by ASan */
		int error;

		memcpy(exact, message, cut);
		error = dns_parse_query(exact, cut, &query);
		ck_assert_int_eq(error, cut < DNS_HEADER_SIZE ? -EBADMSG : -EINVAL);
		free(exact);
	}
}
END_TEST

START_TEST(refuses_what_is_no_query)
{
	message[2] |= 0x80;
	ck_assert_int_eq(dns_parse_query(message, len, &query), -EBADMSG);
	message[2] = 0x29; /* UPDATE */
	ck_assert_int_eq(dns_parse_query(message, len, &query), -EOPNOTSUPP);
	message[2] = 1;
	message[5] = 2;
	ck_assert_int_eq(dns_parse_query(message, len, &query), -EINVAL);
	message[5] = 0;
	ck_assert_int_eq(dns_parse_query(message, len, &query), -EINVAL);
}
END_TEST

START_TEST(refuses_a_pointer_in_the_question)
{
	message[DNS_HEADER_SIZE] = 0xc0;
	message[DNS_HEADER_SIZE + 1] = DNS_HEADER_SIZE;
	ck_assert_int_eq(dns_parse_query(message, len, &query), -EINVAL);
	message[DNS_HEADER_SIZE] = 64;
	ck_assert_int_eq(dns_parse_query(message, len, &query), -EINVAL);
}
END_TEST

/* A name of `total` bytes on the wire, of labels of 63. */
static size_t long_name(size_t total)
{
	size_t at = DNS_HEADER_SIZE;
	const size_t end = DNS_HEADER_SIZE + total - 1;

	while (at < end) {
		const size_t label = end - at - 1 < 63 ? end - at - 1 : 63;

		message[at] = (unsigned char)label;
		memset(message + at + 1, 'x', label);
		at += label + 1;
	}
	memcpy(message + at, "\0\0\1\0\1", 5);
	return at + 5;
}

START_TEST(names_have_a_longest_length)
{
	ck_assert_int_eq(dns_parse_query(message, long_name(255), &query), 0);
	ck_assert_uint_eq(strlen(query.name), 253);
	ck_assert_int_eq(dns_parse_query(message, long_name(256), &query), -EINVAL);
}
END_TEST

START_TEST(odd_bytes_are_no_host_name)
{
	static const char bytes[] = {'\0', '.', ' ', '\\', '\n', '\x80', '@'};

	for (size_t i = 0; i < sizeof(bytes); i++) {
		message[DNS_HEADER_SIZE + 1] = (unsigned char)bytes[i];
		ck_assert_int_eq(dns_parse_query(message, len, &query), 0);
		ck_assert(!query.host_name);
		ck_assert_int_eq(query.name[0], '\\');
	}
	memcpy(message + DNS_HEADER_SIZE, "\0\0\1\0\1", 5);
	ck_assert_int_eq(dns_parse_query(message, DNS_HEADER_SIZE + 5, &query), 0);
	ck_assert(!query.host_name);
	ck_assert_str_eq(query.name, ".");
}
END_TEST

START_TEST(answers_with_the_question_as_it_came)
{
	static const unsigned char address[4] = {198, 18, 0, 1};
	const struct dns_answer answer = {.type = DNS_A, .ttl = 60, .len = 4, .data = address};
	const unsigned char *record;
	size_t size;

	ck_assert_int_eq(dns_parse_query(message, len, &query), 0);
	size = dns_answer(&query, message, DNS_NOERROR, &answer, 1, NULL, out, DNS_UDP_SIZE);
	ck_assert_uint_eq(size, len + 16);
	ck_assert_uint_eq(u16(out), 0x1234);
	ck_assert_uint_eq(u16(out + 2), 0x8180);
	ck_assert_uint_eq(u16(out + 6), 1);
	ck_assert_uint_eq(u16(out + 10), 0);
	ck_assert_mem_eq(out + DNS_HEADER_SIZE, query_a + DNS_HEADER_SIZE, query.question_len);
	record = out + len;
	ck_assert_mem_eq(record, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x12\0\1", 16);
}
END_TEST

START_TEST(says_why_with_edns)
{
	size_t size;

	add_opt();
	ck_assert_int_eq(dns_parse_query(message, len, &query), 0);
	size = dns_answer(&query, message, DNS_NXDOMAIN, NULL, 0, "no rule", out, DNS_UDP_SIZE);
	ck_assert_uint_eq(u16(out + 2), 0x8183);
	ck_assert_uint_eq(u16(out + 10), 1);
	ck_assert_uint_eq(size, len + 6 + strlen("no rule"));
	ck_assert_mem_eq(out + size - 7, "no rule", 7);
	ck_assert_uint_eq(u16(out + size - 9), 18);
}
END_TEST

START_TEST(what_does_not_fit_is_marked)
{
	static unsigned char text[600];
	const struct dns_answer answer = {.type = DNS_TXT, .len = sizeof(text), .data = text};
	size_t size;

	ck_assert_int_eq(dns_parse_query(message, len, &query), 0);
	size = dns_answer(&query, message, DNS_NOERROR, &answer, 1, NULL, out, DNS_UDP_SIZE);
	ck_assert_uint_eq(size, len);
	ck_assert_uint_eq(u16(out + 2) & 0x0200, 0x0200);
	ck_assert_uint_eq(u16(out + 6), 0);
}
END_TEST

/* A reply to the query with a CNAME and an authority record behind it. */
static size_t make_reply(unsigned char *reply)
{
	static const unsigned char records[] = {
		0xc0, 0x0c, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 0x10, /* github.com */
		0xc0, 0x10, 0, 2, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 0x10,
	};

	memcpy(reply, query_a, sizeof(query_a));
	reply[2] = 0x81;
	reply[3] = 0x80;
	reply[7] = 1;
	reply[9] = 1;
	memcpy(reply + sizeof(query_a), records, sizeof(records));
	return sizeof(query_a) + sizeof(records);
}

START_TEST(forwards_the_answer_section_only)
{
	unsigned char reply[128];
	const size_t reply_len = make_reply(reply);

	ck_assert_int_eq(dns_parse_query(message, len, &query), 0);
	query.id = 7;
	ck_assert_uint_eq(dns_forward(&query, message, reply, reply_len, out, 512), len + 14);
	ck_assert_uint_eq(u16(out), 7);
	ck_assert_uint_eq(u16(out + 6), 1);
	ck_assert_uint_eq(u16(out + 8), 0);
	ck_assert_mem_eq(out + len, reply + len, 14);
}
END_TEST

START_TEST(forwards_nothing_that_is_malformed)
{
	unsigned char reply[128];
	const size_t reply_len = make_reply(reply);

	ck_assert_int_eq(dns_parse_query(message, len, &query), 0);
	for (size_t cut = 0; cut < len + 14; cut++) {
		unsigned char *exact = malloc(cut + !cut);

		memcpy(exact, reply, cut);
		ck_assert_uint_eq(dns_forward(&query, message, exact, cut, out, 512), 0);
		free(exact);
	}
	reply[DNS_HEADER_SIZE + 1] = 'x';
	ck_assert_uint_eq(dns_forward(&query, message, reply, reply_len, out, 512), 0);
}
END_TEST

START_TEST(writes_names)
{
	unsigned char wire[DNS_WIRE_NAME_MAX];

	ck_assert_uint_eq(dns_write_name("a.bc", wire), 6);
	ck_assert_mem_eq(wire, "\1a\2bc\0", 6);
	ck_assert_uint_eq(dns_write_name("a..b", wire), 0);
	memset(out, 'x', 64);
	out[64] = '\0';
	ck_assert_uint_eq(dns_write_name((const char *)out, wire), 0);
}
END_TEST

START_TEST(reads_reverse_names)
{
	unsigned char address[16];
	char name[] = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";

	ck_assert(dns_reverse_address("4.3.18.198.in-addr.arpa", address));
	ck_assert_mem_eq(address + 10, "\xff\xff\xc6\x12\3\4", 6);
	ck_assert(dns_reverse_address(name, address));
	ck_assert_mem_eq(address, "\x20\1\xd\xb8", 4);
	ck_assert_uint_eq(address[15], 1);
	ck_assert(!dns_reverse_address(name + 2, address));
	ck_assert(!dns_reverse_address("256.3.18.198.in-addr.arpa", address));
	ck_assert(!dns_reverse_address("3.18.198.in-addr.arpa", address));
	ck_assert(!dns_reverse_address("4.3.18.198.in-addr.arpa.example", address));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns_message");
	TCase *tests = tcase_create("dns_message");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, reads_a_query);
	tcase_add_test(tests, reads_edns);
	tcase_add_test(tests, every_cut_is_refused);
	tcase_add_test(tests, refuses_what_is_no_query);
	tcase_add_test(tests, refuses_a_pointer_in_the_question);
	tcase_add_test(tests, names_have_a_longest_length);
	tcase_add_test(tests, odd_bytes_are_no_host_name);
	tcase_add_test(tests, answers_with_the_question_as_it_came);
	tcase_add_test(tests, says_why_with_edns);
	tcase_add_test(tests, what_does_not_fit_is_marked);
	tcase_add_test(tests, forwards_the_answer_section_only);
	tcase_add_test(tests, forwards_nothing_that_is_malformed);
	tcase_add_test(tests, writes_names);
	tcase_add_test(tests, reads_reverse_names);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
