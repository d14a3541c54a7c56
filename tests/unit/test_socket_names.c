/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/socket_names.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/runner.h"

static struct socket_names *names;
static char given[SOCKET_NAME_SIZE];

static void setup(void)
{
	names = socket_names_new();
	ck_assert_ptr_nonnull(names);
	strcpy(given, "untouched");
}

static void teardown(void)
{
	socket_names_free(names);
}

START_TEST(gives_back_what_was_given)
{
	socket_names_put(names, 7, "x", "/run/x");
	ck_assert(socket_names_get(names, 7, "x", given));
	ck_assert_str_eq(given, "/run/x");
}
END_TEST

START_TEST(knows_nothing_of_others)
{
	ck_assert(!socket_names_get(names, 7, "x", given));
	socket_names_put(names, 7, "x", "/run/x");
	ck_assert(!socket_names_get(names, 7, "y", given));
	ck_assert_str_eq(given, "untouched");
	ck_assert(!socket_names_get(names, 0, "", given));
}
END_TEST

START_TEST(takes_the_latest_for_an_accepted_socket)
{
	socket_names_put(names, 7, "x", "/run/x");
	socket_names_put(names, 8, "x", "/tmp/x");
	ck_assert(socket_names_get(names, 99, "x", given));
	ck_assert_str_eq(given, "/tmp/x");
	ck_assert(socket_names_get(names, 7, "x", given));
	ck_assert_str_eq(given, "/run/x");
}
END_TEST

START_TEST(replaces_an_inode_used_again)
{
	socket_names_put(names, 7, "x", "/run/x");
	socket_names_put(names, 7, "y", "/run/y");
	ck_assert(!socket_names_get(names, 7, "x", given));
	ck_assert(socket_names_get(names, 7, "y", given));
}
END_TEST

START_TEST(forgets_the_least_used)
{
	char bound[16];

	for (unsigned int i = 1; i <= SOCKET_NAMES_MAX; i++) {
		snprintf(bound, sizeof(bound), "s%u", i);
		socket_names_put(names, i, bound, bound);
	}
	ck_assert(socket_names_get(names, 1, "s1", given)); /* in use again */
	socket_names_put(names, SOCKET_NAMES_MAX + 1, "new", "/new");
	ck_assert(socket_names_get(names, 1, "s1", given));
	ck_assert(!socket_names_get(names, 2, "s2", given));
	ck_assert(socket_names_get(names, SOCKET_NAMES_MAX + 1, "new", given));
}
END_TEST

START_TEST(holds_the_longest_name)
{
	char longest[SOCKET_NAME_SIZE];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	socket_names_put(names, 7, "x", longest);
	ck_assert(socket_names_get(names, 7, "x", given));
	ck_assert_str_eq(given, longest);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket_names");
	TCase *tcase = tcase_create("socket_names");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, gives_back_what_was_given);
	tcase_add_test(tcase, knows_nothing_of_others);
	tcase_add_test(tcase, takes_the_latest_for_an_accepted_socket);
	tcase_add_test(tcase, replaces_an_inode_used_again);
	tcase_add_test(tcase, forgets_the_least_used);
	tcase_add_test(tcase, holds_the_longest_name);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
