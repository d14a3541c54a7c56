/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/proxy_request.h"

#include <arpa/inet.h>
#include <string.h>

#include "tests/unit/runner.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))
#define V " HTTP/1.1\r\n"

static struct proxy_request request;

static enum proxy_word ask(const char *text, size_t len, int greeted)
{
	memset(&request, 0, sizeof(request));
	return proxy_request_read((const unsigned char *)text, len, greeted, &request);
}

static void address_is(const char *expected)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &request.address, text, sizeof(text));
	ck_assert_str_eq(text, expected);
}

START_TEST(http)
{
	static const struct {
		const char *text;
		enum proxy_word word;
		const char *host; /* NULL: none */
	} rows[] = {
		{"CONNECT good.example:443" V "\r\n", PROXY_CONNECT, "good.example"},
		{"CONNECT GOOD.example.:443" V "Host: other\r\n\r\n", PROXY_CONNECT, "good.example"},
		{"CONNECT b\303\274cher.example:443" V "\r\n", PROXY_CONNECT, "xn--bcher-kva.example"},
		{"CONNECT good.example:443 HTTP/1.0\r\n\r\n", PROXY_CONNECT, "good.example"},
		{"CONNECT good.example:443" V, PROXY_INCOMPLETE, NULL},
		{"CONNECT good.example:443" V "\r", PROXY_INCOMPLETE, NULL},
		{"CONN", PROXY_INCOMPLETE, NULL},
		{"GET http://good.example/" V "\r\n", PROXY_METHOD, NULL},
		{"CONNECT good.example:443 HTTP/2.0\r\n\r\n", PROXY_MALFORMED, NULL},
		{"CONNECT good.example:443\r\n\r\n", PROXY_MALFORMED, NULL},
		{"CONNECT  good.example:443" V "\r\n", PROXY_MALFORMED, NULL},
		{"CONNECT good.example" V "\r\n", PROXY_MALFORMED, NULL},
		{"CONNECT good.example:" V "\r\n", PROXY_MALFORMED, NULL},
		{"CONNECT good.example:0" V "\r\n", PROXY_MALFORMED, NULL},
		{"CONNECT good.example:65536" V "\r\n", PROXY_MALFORMED, NULL},
		{"CONNECT good.example:+443" V "\r\n", PROXY_MALFORMED, NULL},
		{"connect good.example:443" V "\r\n", PROXY_MALFORMED, NULL},
		{"CONNECT good.example:443" V "\n", PROXY_MALFORMED, NULL},
		{"CONNECT good.example:443\nHost: x\r\n\r\n", PROXY_MALFORMED, NULL},
		{"CONNECT good.example:443" V "a\rb: c\r\n\r\n", PROXY_MALFORMED, NULL},
		{"\r\nCONNECT good.example:443" V "\r\n", PROXY_MALFORMED, NULL},
		{"\4\1", PROXY_MALFORMED, NULL}, /* SOCKS4 */
		{"\26\3\1", PROXY_MALFORMED, NULL}, /* TLS */
		{"CONNECT udp:good.example:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT a@good.example:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT good..example:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT 2130706433:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT 0x7f.1:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT 0177.0.0.1:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT ::1:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT [::1%1]:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT [127.0.0.1]:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT [good.example]:443" V "\r\n", PROXY_NO_HOST, NULL},
		{"CONNECT :443" V "\r\n", PROXY_NO_HOST, NULL},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		const size_t len = strlen(rows[i].text);

		ck_assert_msg(ask(rows[i].text, len, 0) == rows[i].word, "%s", rows[i].text);
		if (rows[i].word == PROXY_CONNECT) {
			ck_assert_str_eq(request.host, rows[i].host);
			ck_assert_uint_eq(request.len, len);
			ck_assert_uint_eq(request.port, 443);
		}
	}
	ck_assert_int_eq(ask("CONNECT good.example\0x:443" V "\r\n", 39, 0), PROXY_MALFORMED);
}
END_TEST

START_TEST(http_addresses)
{
	ck_assert_int_eq(ask("CONNECT 192.0.2.1:80" V "\r\nrest", 37, 0), PROXY_CONNECT);
	address_is("::ffff:192.0.2.1");
	ck_assert_str_eq(request.host, "");
	ck_assert_str_eq(request.asked, "192.0.2.1:80");
	ck_assert_uint_eq(request.len, 33);
	ck_assert_int_eq(ask("CONNECT [2001:db8::1]:80" V "\r\n", 37, 0), PROXY_CONNECT);
	address_is("2001:db8::1");
	ck_assert_int_eq(ask("CONNECT [::ffff:127.0.0.1]:80" V "\r\n", 42, 0), PROXY_CONNECT);
	address_is("::ffff:127.0.0.1");
}
END_TEST

START_TEST(a_head_has_an_end)
{
	static char text[PROXY_HEAD_MAX] = "CONNECT good.example:443" V;
	const size_t begun = strlen(text);

	memset(text + begun, 'x', sizeof(text) - begun);
	ck_assert_int_eq(ask(text, sizeof(text) - 1, 0), PROXY_INCOMPLETE);
	ck_assert_int_eq(ask(text, sizeof(text), 0), PROXY_MALFORMED);
	memcpy(text + sizeof(text) - 4, "\r\n\r\n", 4);
	ck_assert_int_eq(ask(text, sizeof(text), 0), PROXY_CONNECT);
}
END_TEST

START_TEST(socks)
{
	static const char six[] = "\5\1\0\4 \1\r\270\0\0\0\0\0\0\0\0\0\0\0\1\0P";
	static const char name[] = "\5\1\0\3\15GOOD.example.\1\273rest";

	ck_assert_int_eq(ask("\5", 1, 0), PROXY_INCOMPLETE);
	ck_assert_int_eq(ask("\5\2\0", 3, 0), PROXY_INCOMPLETE);
	ck_assert_int_eq(ask("\5\2\2\0", 4, 0), PROXY_GREETING);
	ck_assert_uint_eq(request.len, 4);
	ck_assert_int_eq(ask("\5\1\2", 3, 0), PROXY_PASSWORD);
	ck_assert_int_eq(ask("\5\0", 2, 0), PROXY_PASSWORD);
	ck_assert_int_eq(ask(name, sizeof(name) - 1, 1), PROXY_CONNECT);
	ck_assert_str_eq(request.host, "good.example");
	ck_assert_str_eq(request.asked, "GOOD.example.:443");
	ck_assert_uint_eq(request.port, 443);
	ck_assert_uint_eq(request.len, 20);
	for (size_t len = 0; len < 20; len++)
		ck_assert_int_eq(ask(name, len, 1), PROXY_INCOMPLETE);
	ck_assert_int_eq(ask("\5\1\0\1\177\0\0\1\0P", 10, 1), PROXY_CONNECT);
	address_is("::ffff:127.0.0.1");
	ck_assert_int_eq(ask(six, sizeof(six) - 1, 1), PROXY_CONNECT);
	address_is("2001:db8::1");
	ck_assert_int_eq(ask("\5\1\0\3\11" "127.0.0.1\0P", 16, 1), PROXY_CONNECT);
	address_is("::ffff:127.0.0.1");
	ck_assert_int_eq(ask("\5\1\0\3\12good\0.evil\0P", 17, 1), PROXY_NO_HOST);
	ck_assert_str_eq(request.asked, "good\\x00.evil:80");
	ck_assert_int_eq(ask("\5\1\0\3\0\0P", 7, 1), PROXY_NO_HOST);
	ck_assert_int_eq(ask("\5\3\0\1\177\0\0\1\0P", 10, 1), PROXY_METHOD); /* UDP ASSOCIATE */
	ck_assert_int_eq(ask("\5\2\0\1\177\0\0\1\0P", 10, 1), PROXY_METHOD); /* BIND */
	ck_assert_int_eq(ask("\5\1\0\2\177\0\0\1\0P", 10, 1), PROXY_MALFORMED);
	ck_assert_int_eq(ask("\5\1\1\1\177\0\0\1\0P", 10, 1), PROXY_MALFORMED);
	ck_assert_int_eq(ask("CONNECT a.b:1" V "\r\n", 26, 1), PROXY_MALFORMED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy_request");
	TCase *tests = tcase_create("proxy_request");

	tcase_add_test(tests, http);
	tcase_add_test(tests, http_addresses);
	tcase_add_test(tests, a_head_has_an_end);
	tcase_add_test(tests, socks);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
