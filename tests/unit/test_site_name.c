/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/site_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/hello.h"
#include "tests/unit/runner.h"

static unsigned char bytes[HELLO_MAX];
static char name[HOST_NAME_SIZE];
static enum site_protocol protocol;

/* From memory of just that size, so that a sanitizer sees what is read beyond. */
static enum site_answer ask(const void *data, size_t len)
{
	unsigned char *copy = malloc(len ? len : 1);
	enum site_answer answer;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, data, len);
	snprintf(name, sizeof(name), "untouched");
	answer = site_name_read(copy, len, name, &protocol);
	free(copy);
	if (answer != SITE_NAMED)
		ck_assert_str_eq(name, "untouched");
	return answer;
}

static enum site_answer ask_text(const char *text)
{
	return ask(text, strlen(text));
}

static enum site_answer ask_hello(const struct hello *hello)
{
	return ask(bytes, hello_write(hello, bytes));
}

START_TEST(tls_names)
{
	const struct hello plain = {.names = {"Good.Example"}};
	const struct hello in_pieces = {.names = {"good.example"}, .padding = 3000, .record_max = 100};
	const struct hello large = {.names = {"good.example"}, .padding = 20000};

	ck_assert_int_eq(ask_hello(&plain), SITE_NAMED);
	ck_assert_str_eq(name, "good.example");
	ck_assert_int_eq(protocol, SITE_TLS);
	ck_assert_int_eq(ask_hello(&in_pieces), SITE_NAMED);
	ck_assert_str_eq(name, "good.example");
	ck_assert_int_eq(ask_hello(&large), SITE_NAMED);
}
END_TEST

/* However it is cut, all of it is waited for, and the answer is the same. */
START_TEST(tls_in_parts)
{
	const struct hello hello = {.names = {"good.example"}, .padding = 200, .record_max = 50};
	const size_t len = hello_write(&hello, bytes);

	for (size_t i = 0; i < len; i++)
		ck_assert_msg(ask(bytes, i) == SITE_INCOMPLETE, "%zu of %zu", i, len);
	ck_assert_int_eq(ask(bytes, len), SITE_NAMED);
}
END_TEST

START_TEST(tls_without_a_name)
{
	const struct hello none = {.no_extensions = true};
	const struct hello others = {.padding = 10};
	const struct hello hidden = {.names = {"good.example"}, .encrypted = true};

	ck_assert_int_eq(ask_hello(&none), SITE_NAMELESS);
	ck_assert_int_eq(ask_hello(&others), SITE_NAMELESS);
	ck_assert_int_eq(ask_hello(&hidden), SITE_ENCRYPTED);
}
END_TEST

/* What a server could read otherwise than we do names nothing. */
START_TEST(tls_in_two_ways)
{
	const struct hello twice = {.names = {"good.example", "evil.example"}};
	const struct hello list = {.names = {"good.example", "evil.example"}, .two_in_one = true};
	const struct hello address = {.names = {"127.0.0.1"}};
	const struct hello empty = {.names = {""}};
	const struct hello spaced = {.names = {"good.example "}};
	const struct hello plain = {.names = {"good.example"}};
	size_t len;

	ck_assert_int_eq(ask_hello(&twice), SITE_NEITHER);
	ck_assert_int_eq(ask_hello(&list), SITE_NEITHER);
	ck_assert_int_eq(ask_hello(&address), SITE_NEITHER);
	ck_assert_int_eq(ask_hello(&empty), SITE_NEITHER);
	ck_assert_int_eq(ask_hello(&spaced), SITE_NEITHER);
	/* A NUL in the name; a length that lies; another message; something behind it. */
	len = hello_write(&plain, bytes);
	bytes[len - 3] = '\0';
	ck_assert_int_eq(ask(bytes, len), SITE_NEITHER);
	for (size_t i = 0; i < len - strlen(plain.names[0]); i++) {
		hello_write(&plain, bytes);
		bytes[i] ^= 0x40;
		ck_assert_msg(ask(bytes, len) != SITE_NAMED || !strcmp(name, "good.example"),
			      "byte %zu", i);
	}
	hello_write(&plain, bytes);
	bytes[5] = 2;
	ck_assert_int_eq(ask(bytes, len), SITE_NEITHER);
	hello_write(&plain, bytes);
	bytes[4]++;
	bytes[len] = 0;
	ck_assert_int_eq(ask(bytes, len + 1), SITE_NEITHER);
}
END_TEST

START_TEST(tls_that_is_too_large)
{
	const struct hello hello = {.names = {"good.example"}, .padding = 40000};

	ck_assert_int_eq(ask_hello(&hello), SITE_NEITHER);
}
END_TEST

START_TEST(http_names)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: good.example\r\n\r\n",
		"POST /x?y HTTP/1.0\r\nA: b\r\nhOST:\tGood.Example.:8080 \r\n\r\nbody",
		"OPTIONS * HTTP/1.1\nhost:good.example\n\n",
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const size_t end = strcspn(requests[i], "\n");

		ck_assert_msg(ask_text(requests[i]) == SITE_NAMED, "%s", requests[i]);
		ck_assert_str_eq(name, "good.example");
		ck_assert_int_eq(protocol, SITE_HTTP);
		for (size_t part = 0; part <= end; part++)
			ck_assert_int_eq(ask(requests[i], part), SITE_INCOMPLETE);
	}
	ck_assert_int_eq(ask_text("GET / HTTP/1.1\r\nHost: good.example\r\nA: b\r\n"),
			 SITE_INCOMPLETE);
	ck_assert_int_eq(ask_text("GET / HTTP/1.0\r\nA: b\r\n\r\n"), SITE_NAMELESS);
}
END_TEST

START_TEST(http_in_two_ways)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: good.example\r\nHost: evil.example\r\n\r\n",
		"GET http://evil.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n",
		"CONNECT evil.example:443 HTTP/1.1\r\nHost: good.example\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : good.example\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n Host: evil.example\r\nHost: good.example\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\rHost: evil.example\r\nHost: good.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: good.example, evil.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: good.example:80x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost:\r\n\r\n",
		"GET / HTTP/1.1\r\nnonsense\r\nHost: good.example\r\n\r\n",
		" GET / HTTP/1.1\r\nHost: good.example\r\n\r\n",
		"\r\nGET / HTTP/1.1\r\nHost: good.example\r\n\r\n",
		"get / HTTP/1.1\r\nHost: good.example\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		ck_assert_msg(ask_text(requests[i]) == SITE_NEITHER, "%s", requests[i]);
}
END_TEST

START_TEST(neither)
{
	static const char *const others[] = {"SSH-2.0-OpenSSH_9.6\r\n", "\x80\x2e\x01\x03\x01",
					     "\x05\x01", "EHLO x\r\nmore\r\n"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(ask_text(others[i]) == SITE_NEITHER, "%zu", i);
	ck_assert_int_eq(ask("", 0), SITE_INCOMPLETE);
	ck_assert_int_eq(protocol, SITE_UNKNOWN);
	ck_assert_int_eq(ask_text("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), SITE_NEITHER);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("site_name");
	TCase *tests = tcase_create("site_name");

	tcase_add_test(tests, tls_names);
	tcase_add_test(tests, tls_in_parts);
	tcase_add_test(tests, tls_without_a_name);
	tcase_add_test(tests, tls_in_two_ways);
	tcase_add_test(tests, tls_that_is_too_large);
	tcase_add_test(tests, http_names);
	tcase_add_test(tests, http_in_two_ways);
	tcase_add_test(tests, neither);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
