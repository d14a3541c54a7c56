/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/runner.h"

static char seen[1024];

static void note(const char *path, void *arg)
{
	const size_t used = strlen(seen);

	ck_assert_ptr_eq(arg, seen);
	snprintf(seen + used, sizeof(seen) - used, "%s ", path);
}

static void expect(const struct policy *policy, enum access_class class, enum access_op op,
		   const char *expected)
{
	seen[0] = '\0';
	policy_each_grant(policy, class, op, note, seen);
	ck_assert_str_eq(seen, expected);
}

START_TEST(grants)
{
	struct policy *policy =
		load_good("version: 1\n"
			  "files:\n"
			  "  read: [/nowhere/a, \"/nowhere/b/*.c\", \"!/nowhere/b/x.c\", \"**/z\"]\n"
			  "  write: [\"${PWD}/{o,p}\"]\n"
			  "  create: [\"/nowhere/new/**\"]\n"
			  "  deny: [/nowhere/a/secret]\n"
			  "exec: {allow: [/nowhere/bin], deny: [/nowhere/bin/su]}\n"
			  "network: {connect: [\"unix:/nowhere/socket\"]}\n");

	expect(policy, CLASS_FILE, OP_READ, "/nowhere/a /nowhere/b / /work/p/o /work/p/p ");
	expect(policy, CLASS_FILE, OP_CREATE, "/work/p/o /work/p/p /nowhere/new ");
	expect(policy, CLASS_FILE, OP_DELETE, "/work/p/o /work/p/p ");
	expect(policy, CLASS_EXEC, OP_EXEC, "/nowhere/bin ");
	/* An operation of another class is no grant of anything. */
	expect(policy, CLASS_EXEC, OP_READ, "");
	policy_free(policy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("grants");
	TCase *tests = tcase_create("grants");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, grants);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
