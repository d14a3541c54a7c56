/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/policy_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/runner.h"

char folder[] = "/tmp/proctor-policy-XXXXXX";

static const char *const variables[] = {"EXTRA=/extra", "EMPTY=", NULL};

static const char *syscall_name(size_t index)
{
	static const char *const names[] = {"read", "ptrace", "io_uring_setup", "io_uring_enter"};

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

struct policy_context context = {
	.home = "/home/u",
	.cwd = "/work/p",
	.user = "u",
	.tmpdir = "/tmp/t",
	.uid = 1000,
	.environ = (char *const *)variables,
	.syscall_name = syscall_name,
};

void make_folder(void)
{
	static const char template[] = "/tmp/proctor-policy-XXXXXX";

	memcpy(folder, template, sizeof(template));
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void remove_folder(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void write_file(const char *name, const char *text, size_t len)
{
	FILE *out = fopen(name, "w");

	ck_assert_ptr_nonnull(out);
	len = len ? len : strlen(text);
	ck_assert_uint_eq(fwrite(text, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
}

char *load_text(const char *name, struct policy **ret)
{
	struct diagnostics diagnostics = {NULL, 0};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	*ret = NULL;
	if (policy_load(&name, 1, &context, ret, &diagnostics) < 0) {
		ck_assert_uint_gt(diagnostics.count, 0);
		ck_assert_ptr_null(*ret);
	}
	for (size_t i = 0; i < diagnostics.count; i++) {
		const struct diagnostic *item = &diagnostics.items[i];

		if (item->line)
			fprintf(out, "%s:%u:%u: %s\n", item->file, item->line, item->column,
				item->message);
		else
			fprintf(out, "%s: %s\n", item->file, item->message);
	}
	diagnostics_free(&diagnostics);
	fclose(out);
	return text;
}

struct policy *load_good(const char *text)
{
	struct policy *policy;
	char *faults;

	write_file("policy.yaml", text, 0);
	faults = load_text("policy.yaml", &policy);
	ck_assert_str_eq(faults, "");
	free(faults);
	return policy;
}
