/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/host_name.h"
#include "tests/unit/runner.h"

#define LABEL_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text;
	const char *name; /* NULL: none */
} names[] = {
	{"example.com", "example.com"},
	{"EXAMPLE.Com", "example.com"},
	{"example.com.", "example.com"},
	{"localhost", "localhost"},
	{"a", "a"},
	{"a_b.c-d.e1", "a_b.c-d.e1"},
	{"_srv._tcp.x", "_srv._tcp.x"},
	{"b\xc3\xbc" "cher.example", "xn--bcher-kva.example"},
	{"B\xc3\x9c" "CHER.example", "xn--bcher-kva.example"},
	{"bu\xcc\x88" "cher.example", "xn--bcher-kva.example"},
	{"XN--BCHER-KVA.Example", "xn--bcher-kva.example"},
	{"fa\xc3\x9f.de", "xn--fa-hia.de"},
	{"\xef\xbd\x85xample\xe3\x80\x82" "com", "example.com"}, /* full-width e, ideographic dot */
	{LABEL_63 ".x", LABEL_63 ".x"},
	{LABEL_63 "." LABEL_63 "." LABEL_63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 LABEL_63 "." LABEL_63 "." LABEL_63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	{"1.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa"},
	{"0xg", "0xg"},
	{"1a", "1a"},

	{LABEL_63 "." LABEL_63 "." LABEL_63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 NULL},
	{"a" LABEL_63 ".x", NULL},
	{"", NULL},
	{".", NULL},
	{".a", NULL},
	{"a..b", NULL},
	{"a..", NULL},
	{"-a.b", NULL},
	{"a-.b", NULL},
	{"a b", NULL},
	{" a", NULL},
	{"a\t", NULL},
	{"a\n.b", NULL},
	{"a/b", NULL},
	{"a:b", NULL},
	{"a@b", NULL},
	{"*.a", NULL},
	{"a\x7f", NULL},
	{"a\xc3", NULL},           /* broken UTF-8 */
	{"a\xe2\x80\x8b" "b.c\xed\xa0\x80", NULL}, /* a surrogate */
	{"xn--0.com", NULL},
	{"xn--.com", NULL},
	{"\xef\xbc\x8f", NULL},    /* full-width slash */
	/* Addresses, as some program or other reads them. */
	{"127.0.0.1", NULL},
	{"127.1", NULL},
	{"2130706433", NULL},
	{"0x7f000001", NULL},
	{"0X7F.1", NULL},
	{"0177.0.0.01", NULL},
	{"127.0.0.1.", NULL},
	{"a.0x", NULL},
	{"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1", NULL}, /* full-width 127 */
	{"127\xe3\x80\x82" "0.0.1", NULL},
	{"::1", NULL},
	{"[::1]", NULL},
};

START_TEST(normalise)
{
	char name[HOST_NAME_SIZE] = "untouched";
	const int result = host_name_normalise(names[_i].text, strlen(names[_i].text), name);

	if (names[_i].name) {
		ck_assert_msg(result == 0, "%s", names[_i].text);
		ck_assert_str_eq(name, names[_i].name);
		/* What it gives stays as it is. */
		ck_assert_int_eq(host_name_normalise(names[_i].name, strlen(names[_i].name), name),
				 0);
		ck_assert_str_eq(name, names[_i].name);
	} else {
		ck_assert_msg(result == -EINVAL, "%s: %s", names[_i].text, name);
		ck_assert_str_eq(name, "untouched");
	}
}
END_TEST

START_TEST(bytes_that_end_no_name)
{
	char name[HOST_NAME_SIZE];
	char *bytes = malloc(9); /* of just this size: nothing behind is read */

	ck_assert_ptr_nonnull(bytes);
	memcpy(bytes, "good.exam", 9);
	ck_assert_int_eq(host_name_normalise(bytes, 9, name), 0);
	ck_assert_str_eq(name, "good.exam");
	bytes[4] = '\0';
	ck_assert_int_eq(host_name_normalise(bytes, 9, name), -EINVAL);
	bytes[4] = '.';
	bytes[8] = '\0';
	ck_assert_int_eq(host_name_normalise(bytes, 9, name), -EINVAL);
	free(bytes);
}
END_TEST

START_TEST(very_long)
{
	char name[HOST_NAME_SIZE];
	char text[4096];

	memset(text, 'a', sizeof(text));
	for (size_t i = 9; i < sizeof(text); i += 10)
		text[i] = '.';
	ck_assert_int_eq(host_name_normalise(text, sizeof(text), name), -EINVAL);
	ck_assert_int_eq(host_name_normalise(text, 254, name), -EINVAL);
	ck_assert_int_eq(host_name_normalise(text, 253, name), 0);
}
END_TEST

START_TEST(named_endpoints)
{
	char host[HOST_NAME_SIZE];
	struct endpoint endpoint;

	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "udp:Time.Example:123"), 0);
	ck_assert_str_eq(host, "time.example");
	ck_assert_int_eq(endpoint.transport, TRANSPORT_UDP);
	ck_assert_int_eq(endpoint.family, AF_UNSPEC);
	ck_assert_uint_eq(endpoint.port, 123);
	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "[::1]:80"), 0);
	ck_assert_str_eq(host, "");
	ck_assert_int_eq(endpoint.family, AF_INET6);
	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "unix:/x"), 0);
	ck_assert_int_eq(endpoint.transport, TRANSPORT_UNIX);
	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "a.example"), -EINVAL);
	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "a.example:"), -EINVAL);
	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "a.example:65536"), -EINVAL);
	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "a.example: 1"), -EINVAL);
	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "127.1:80"), -EINVAL);
	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "unix:"), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("host name");
	TCase *tcase = tcase_create("names");

	tcase_add_loop_test(tcase, normalise, 0, sizeof(names) / sizeof(names[0]));
	tcase_add_test(tcase, bytes_that_end_no_name);
	tcase_add_test(tcase, very_long);
	tcase_add_test(tcase, named_endpoints);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
