/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/runner.h"

enum { AT = 0x1000, OTHER = 0x2000 };

START_TEST(messages)
{
	static const struct {
		uint64_t args[6];
		size_t texts; /* 0: not a message of the library's */
	} cases[] = {
		{{PRELOAD_MAGIC, PRELOAD_GETENV, AT, 3, 0, 0}, 1},
		{{PRELOAD_MAGIC, PRELOAD_GETENV, AT, 0, 0, 0}, 1},
		{{PRELOAD_MAGIC, PRELOAD_GETENV, AT, PRELOAD_TEXT_MAX, 0, 0}, 1},
		{{PRELOAD_MAGIC, PRELOAD_GETADDRINFO, AT, 3, 0, 0}, 1},
		{{PRELOAD_MAGIC, PRELOAD_GETADDRINFO, AT, 3, OTHER, 4}, 2},
		{{PRELOAD_MAGIC, PRELOAD_POPEN, AT, 3, OTHER, 1}, 2},
		{{PRELOAD_MAGIC, PRELOAD_SSL_READ, AT, 3, 0, 0}, 1},
		{{PRELOAD_WORD, PRELOAD_GETENV, AT, 3, 0, 0}, 0},
		{{PRELOAD_MAGIC, 0, AT, 3, 0, 0}, 0},
		{{PRELOAD_MAGIC, PRELOAD_FUNCTION_END, AT, 3, 0, 0}, 0},
		{{PRELOAD_MAGIC, 1ULL << 32 | PRELOAD_GETENV, AT, 3, 0, 0}, 0},
		{{PRELOAD_MAGIC, PRELOAD_GETENV, AT, PRELOAD_TEXT_MAX + 1, 0, 0}, 0},
		{{PRELOAD_MAGIC, PRELOAD_GETENV, AT, 1ULL << 32 | 3, 0, 0}, 0},
		{{PRELOAD_MAGIC, PRELOAD_GETENV, 0, 3, 0, 0}, 0},
		{{PRELOAD_MAGIC, PRELOAD_GETENV, 0, 0, 0, 0}, 0},
		{{PRELOAD_MAGIC, PRELOAD_GETENV, 0, 0, AT, 3}, 0},
		{{PRELOAD_MAGIC, PRELOAD_GETENV, AT, 3, OTHER, 3}, 0},
		{{PRELOAD_MAGIC, PRELOAD_GETENV, AT, 3, 0, 3}, 0},
		{{PRELOAD_MAGIC, PRELOAD_POPEN, AT, 3, 0, 0}, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct library_message message = {.text_count = 77};
		const int wanted = cases[i].texts ? 0 : -EINVAL;

		ck_assert_msg(library_decode(cases[i].args, &message) == wanted, "case %zu", i);
		ck_assert_uint_eq(message.text_count, cases[i].texts ? cases[i].texts : 77);
		ck_assert(library_is_message(cases[i].args));
		if (cases[i].texts == 2)
			ck_assert(message.texts[1].address == OTHER &&
				  message.texts[1].length == cases[i].args[5]);
	}
}
END_TEST

START_TEST(what_is_no_message)
{
	static const uint64_t others[][6] = {
		{0}, {PRELOAD_WORD + 1}, {PRELOAD_WORD & UINT32_MAX}, {PRELOAD_MAGIC ^ 1UL << 55}};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert(!library_is_message(others[i]));
}
END_TEST

START_TEST(functions_have_names)
{
	ck_assert_ptr_null(library_function_name((enum preload_function)0));
	for (int i = PRELOAD_GETENV; i < PRELOAD_FUNCTION_END; i++)
		ck_assert_ptr_nonnull(library_function_name((enum preload_function)i));
	ck_assert_ptr_null(library_function_name(PRELOAD_FUNCTION_END));
}
END_TEST

/* What is left of an LD_PRELOAD is what the tool put there, and is given back behind the library. */
START_TEST(values)
{
	static const struct {
		const char *value;
		const char *own;
	} cases[] = {
		{"", ""},
		{"/p/a.so", ""},
		{"/p/a.so:/p/b.so", ""},
		{"/p/a.so /p/b.so:/x.so", "/x.so"},
		{"/x.so:/p/a.so:/y.so", "/x.so:/y.so"},
		{"/x.so::/y.so /p/b.so:", "/x.so:/y.so"},
		{"/p/a.so.1:/p/a.s", "/p/a.so.1:/p/a.s"},
		{"libm.so", "libm.so"},
		{":", ""},
	};
	struct library library = {.paths = {(char[]){"/p/a.so"}, (char[]){"/p/b.so"}}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_FREE char *value = strdup(cases[i].value);
		AUTO_FREE char *again = NULL;

		library_strip(&library, value);
		ck_assert_str_eq(value, cases[i].own);
		again = library_variable(&library, value);
		ck_assert_int_eq(strncmp(again, "LD_PRELOAD=/p/a.so:/p/b.so", 26), 0);
		ck_assert_str_eq(again + 26 + (again[26] == ':'), cases[i].own);
	}
}
END_TEST

START_TEST(only_the_file_itself)
{
	struct library library = {.paths = {(char[]){"/p/a.so"}, NULL}};
	struct access access = {.class = CLASS_FILE, .op = OP_READ, .path = "/p/a.so"};

	ck_assert(library_is_own(&library, &access));
	ck_assert(!library_is_own(NULL, &access));
	access.op = OP_MODIFY;
	ck_assert(!library_is_own(&library, &access));
	access = (struct access){.class = CLASS_EXEC, .op = OP_MAP, .path = "/p/a.so"};
	ck_assert(library_is_own(&library, &access));
	access.op = OP_EXEC;
	ck_assert(!library_is_own(&library, &access));
	access = (struct access){.class = CLASS_FILE, .op = OP_READ, .path = "/p/a.so.1"};
	ck_assert(!library_is_own(&library, &access));
	access.path = "/p";
	ck_assert(!library_is_own(&library, &access));
	access.path = NULL;
	ck_assert(!library_is_own(&library, &access));
}
END_TEST

/* Names that LD_PRELOAD would take apart, files that are not there. */
START_TEST(files_that_cannot_be)
{
	static const char *const names[] = {"a b.so", "a:b.so", "$LIB.so"};
	struct policy *policy = load_good("version: 1\n");
	struct library *library = NULL;
	struct error err;

	ck_assert_int_eq(library_new((const char *const[]){"/not/there.so", NULL}, policy, &library, &err),
			 -ENOENT);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		close(open(names[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		ck_assert_int_eq(library_new((const char *const[]){names[i], NULL}, policy, &library,
					     &err),
				 -EINVAL);
		unlink(names[i]);
	}
	close(open("a.so", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	ck_assert_int_eq(library_new((const char *const[]){"a.so", NULL}, policy, &library, &err), 0);
	ck_assert(library->paths[0][0] == '/' && !library->paths[1]);
	library_free(library);
	unlink("a.so");
	policy_free(policy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("library");
	TCase *tests = tcase_create("library");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, messages);
	tcase_add_test(tests, what_is_no_message);
	tcase_add_test(tests, functions_have_names);
	tcase_add_test(tests, values);
	tcase_add_test(tests, only_the_file_itself);
	tcase_add_test(tests, files_that_cannot_be);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
