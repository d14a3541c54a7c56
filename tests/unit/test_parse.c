/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/runner.h"

static void expect_faults(const char *name, const char *expected)
{
	struct policy *policy;
	char *faults = load_text(name, &policy);

	ck_assert_str_eq(faults, expected);
	free(faults);
	policy_free(policy);
}

START_TEST(unusable_files)
{
	static const char nul[] = "version: 1\nfiles: {}\n  \0";
	static const char utf16[] = "\xff\xfev\0e\0r\0";

	ck_assert_int_eq(mkdir("folder.yaml", 0700), 0);
	expect_faults("folder.yaml", "folder.yaml: this is a folder; expected a policy file\n");
	expect_faults("missing.yaml",
		      "missing.yaml: cannot read it: No such file or directory\n");
	write_file("binary.yaml", nul, sizeof(nul));
	expect_faults("binary.yaml", "binary.yaml:3:3: this is a binary file (it holds a NUL byte); "
				     "expected YAML text\n");
	write_file("utf16.yaml", utf16, sizeof(utf16));
	expect_faults("utf16.yaml", "utf16.yaml:1:4: this is a binary file (it holds a NUL byte); "
				    "expected YAML text\n");
	write_file("latin.yaml", "version: 1\n# \xe4\n", 0);
	expect_faults("latin.yaml", "latin.yaml:2:3: this is not text in UTF-8: incomplete "
				    "UTF-8 octet sequence\n");
	write_file("file", "version: 1\n", 0);
	expect_faults("file/policy.yaml", "file/policy.yaml: cannot read it: Not a directory\n");
}
END_TEST

START_TEST(unreadable_file)
{
	write_file("secret.yaml", "version: 1\n", 0);
	ck_assert_int_eq(chmod("secret.yaml", 0), 0);
	if (geteuid() == 0) /* the superuser reads it all the same */
		expect_faults("secret.yaml", "");
	else
		expect_faults("secret.yaml", "secret.yaml: cannot read it: Permission denied\n");
}
END_TEST

START_TEST(file_of_one_mebibyte)
{
	enum { LIMIT = 1024 * 1024 };
	char *text = malloc(LIMIT + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, '#', LIMIT + 1);
	memcpy(text, "version: 1\n", 11);
	write_file("big.yaml", text, LIMIT);
	expect_faults("big.yaml", "");
	write_file("big.yaml", text, LIMIT + 1);
	expect_faults("big.yaml", "big.yaml:1:1: the file is larger than 1 MiB, the most that a "
				  "policy may have\n");
	free(text);
}
END_TEST

START_TEST(extends_loop)
{
	write_file("a.yaml", "version: 1\nextends: [b.yaml]\n", 0);
	write_file("b.yaml", "version: 1\nextends: [./a.yaml]\n", 0);
	expect_faults("a.yaml", "b.yaml:2:11: extends loops: a.yaml -> b.yaml -> ./a.yaml\n");
}
END_TEST

START_TEST(faults_of_what_is_extended)
{
	write_file("a.yaml", "version: 1\nextends: [b.yaml, c.yaml]\nfoo: 1\n", 0);
	write_file("b.yaml", "version: 1\nfiles: {read: [\"[\"]}\n", 0);
	write_file("c.yaml", "bar: 1\n", 0);
	expect_faults("a.yaml",
		      "c.yaml:1:1: unknown key 'bar'; expected one of version, extends, vars, "
		      "files, exec, network, syscalls, env, limits, on_block, rollback, observe\n"
		      "c.yaml:1:1: the key 'version' is missing; expected 'version: 1'\n"
		      "a.yaml:3:1: unknown key 'foo'; expected one of version, extends, vars, "
		      "files, exec, network, syscalls, env, limits, on_block, rollback, observe\n"
		      "b.yaml:2:16: bad path pattern '[': a '[' has no ']'\n");
}
END_TEST

/* "a: ${b}${b}, b: ${c}${c}..." must take neither for ever nor all memory. */
START_TEST(variables_that_swell)
{
	char text[8192] = "version: 1\nvars:\n  v0: \"xxxxxxxxxxxxxxxx\"\n";
	struct policy *policy;
	char *faults;

	for (int i = 1; i < 60; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "  v%d: \"${v%d}${v%d}\"\n", i, i - 1,
			 i - 1);
	}
	write_file("policy.yaml", text, 0);
	faults = load_text("policy.yaml", &policy);
	ck_assert_ptr_nonnull(strstr(faults, "longer than 65535 bytes"));
	free(faults);
}
END_TEST

START_TEST(aliases_are_fine)
{
	struct policy *policy = load_good("version: 1\nfiles:\n  read: &list [&one /a, /b]\n"
					  "  modify: *list\n  delete: [*one]\n");
	struct access access = {.class = CLASS_FILE, .op = OP_DELETE, .path = "/a/x"};

	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_ALLOW);
	access.path = "/b/x";
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_DENY);
	access.op = OP_MODIFY;
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_ALLOW);
	policy_free(policy);
}
END_TEST

START_TEST(defaults_are_accepted)
{
	policy_free(load_good("version: 1\non_block: deny\nrollback: never\n"
			      "observe: {library: false}\nfiles: {}\nvars: {}\nextends: []\n"));
}
END_TEST

START_TEST(builtin_profiles)
{
	const char *const *names = policy_profile_names();
	size_t count = 0;

	for (; names[count]; count++) {
		expect_faults(names[count], "");
		if (count > 0)
			ck_assert_int_lt(strcmp(names[count - 1], names[count]), 0);
	}
	ck_assert_uint_ge(count, 4);
	ck_assert_ptr_null(policy_profile_text("nix"));
}
END_TEST

/* Each entry of a built-in profile says why it is there. */
START_TEST(profiles_are_commented)
{
	for (const char *const *name = policy_profile_names(); *name; name++) {
		for (const char *line = policy_profile_text(*name); *line;) {
			const char *end = strchr(line, '\n');
			const char *start = line + strspn(line, " ");

			if (start[0] == '-' && !memmem(line, (size_t)(end - line), "  # ", 4) &&
			    !memmem(line, (size_t)(end - line), " # ", 3))
				ck_abort_msg("%s: no comment: %.*s", *name, (int)(end - line), line);
			line = end + 1;
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parse");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(files, make_folder, remove_folder);
	tcase_add_test(files, unusable_files);
	tcase_add_test(files, unreadable_file);
	tcase_add_test(files, file_of_one_mebibyte);
	tcase_add_test(files, extends_loop);
	tcase_add_test(files, faults_of_what_is_extended);
	tcase_add_test(files, variables_that_swell);
	tcase_add_test(files, aliases_are_fine);
	tcase_add_test(files, defaults_are_accepted);
	tcase_add_test(files, builtin_profiles);
	tcase_add_test(files, profiles_are_commented);
	suite_add_tcase(suite, files);
	return run_suite(suite);
}
