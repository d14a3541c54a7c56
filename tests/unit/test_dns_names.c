/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/dns_names.h"

#include <stdio.h>

#include "tests/unit/address.h"
#include "tests/unit/runner.h"

static struct dns_names *names;

static void setup(void)
{
	names = dns_names_new();
	ck_assert_ptr_nonnull(names);
}

static void teardown(void)
{
	dns_names_free(names);
}

static const char *find(const char *text)
{
	const struct in6_addr address = address_of(text);

	return dns_names_find(names, &address);
}

START_TEST(each_name_has_its_own)
{
	unsigned char v4[4];

	ck_assert_uint_eq(dns_names_number(names, "a.example"), 1);
	ck_assert_uint_eq(dns_names_number(names, "b.example"), 2);
	ck_assert_uint_eq(dns_names_number(names, "a.example"), 1);
	dns_names_v4(2, v4);
	ck_assert_mem_eq(v4, "\xc6\x12\0\2", 4);
	ck_assert_str_eq(find("198.18.0.2"), "b.example");
	ck_assert_str_eq(find("fd70:726f:6374:6f72::1"), "a.example");
}
END_TEST

START_TEST(others_stand_for_nothing)
{
	dns_names_number(names, "a.example");
	ck_assert_ptr_null(find("198.18.0.0"));
	ck_assert_ptr_null(find("198.18.0.2"));
	ck_assert_ptr_null(find("198.20.0.1"));
	ck_assert_ptr_null(find("0.0.0.1"));
	ck_assert_ptr_null(find("fd70:726f:6374:6f72::"));
	ck_assert_ptr_null(find("fd70:726f:6374:6f72:0:1:0:1"));
	ck_assert_ptr_null(find("fd70:726f:6374:6f73::1"));
	ck_assert_ptr_null(find("::1"));
}
END_TEST

START_TEST(there_is_an_end)
{
	char name[32];

	for (uint32_t i = 1; i <= DNS_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		ck_assert_uint_eq(dns_names_number(names, name), i);
	}
	ck_assert_uint_eq(dns_names_number(names, "one.more"), 0);
	ck_assert_str_eq(find("198.18.255.255"), "n65535.example");
	ck_assert_uint_eq(dns_names_number(names, "n65535.example"), DNS_NAMES_MAX);
}
END_TEST

START_TEST(form)
{
	const struct in6_addr last = address_of("198.19.255.255");
	const struct in6_addr behind = address_of("198.20.0.0");

	ck_assert(dns_names_has_form(&last));
	ck_assert(!dns_names_has_form(&behind));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns_names");
	TCase *tests = tcase_create("dns_names");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, each_name_has_its_own);
	tcase_add_test(tests, others_stand_for_nothing);
	tcase_add_test(tests, there_is_an_end);
	tcase_add_test(tests, form);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
