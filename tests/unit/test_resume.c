/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/resume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/runner.h"

static void append(const char *file, const char *bytes, size_t len)
{
	AUTO_FILE FILE *out = fopen(file, "ae");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
}

START_TEST(sessions_share_one_chain)
{
	const char *file = log_path("log");

	log_session(file, 3);
	log_session(file, 0);
	log_session(file, 200);
	ck_assert_int_eq(log_lines(file), 5 + 2 + 202);
	log_check_sound(file);
}
END_TEST

/* A line torn at any byte is cut off, and the next start says so. */
START_TEST(torn_line_is_cut_off)
{
	const char *file = log_path("log");
	AUTO_FREE char *bytes = NULL;
	size_t whole;
	size_t len;

	log_session(file, 1);
	bytes = log_slurp(file, &len);
	whole = (size_t)((char *)memrchr(bytes, '\n', len - 1) + 1 - bytes);
	for (size_t cut = whole + 1; cut < len;
	     cut += cut < whole + 12 || cut > len - 12 ? 1 : 40) {
		AUTO_FREE char *after = NULL;
		char detail[80];

		log_spill(file, bytes, cut);
		log_session(file, 1);
		after = log_slurp(file, NULL);
		snprintf(detail, sizeof(detail),
			 "\"detail\":\"cut off %zu bytes of a torn last line\"", cut - whole);
		ck_assert_ptr_nonnull(strstr(after, detail));
		ck_assert(!memcmp(after, bytes, whole));
	}
	log_check_sound(file);
}
END_TEST

START_TEST(torn_first_line_is_cut_off)
{
	const char *file = log_path("log");
	AUTO_FREE char *bytes = NULL;
	size_t len;

	log_session(file, 1);
	bytes = log_slurp(file, &len);
	log_spill(file, bytes, 50);
	log_session(file, 1);
	ck_assert_int_eq(log_lines(file), 3);
	log_check_sound(file);
}
END_TEST

/* A last line, whole or torn, longer than what is read of the end at first. */
START_TEST(long_last_line)
{
	static char name[4000];
	static const char *list[100];
	const char *file = log_path("log");
	struct audit *audit = log_open(file, AUDIT_BLOCKED);
	struct audit_record record = log_blocked();
	AUTO_FREE char *bytes = NULL;
	size_t len;

	memset(name, 1, sizeof(name) - 1);
	for (int i = 0; i < 99; i++)
		list[i] = name;
	record.args = list;
	record.arg = name;
	record.path = name;
	record.to = name;
	log_start(audit);
	ck_assert_int_eq(audit_write(audit, &record), 0);
	audit_close(audit);
	bytes = log_slurp(file, &len);
	ck_assert_uint_gt(len, 80 * 1024);

	log_session(file, 1);
	log_check_sound(file);
	log_spill(file, bytes, len - 100);
	log_session(file, 1);
	log_check_sound(file);
	ck_assert_int_eq(log_lines(file), 1 + 3);
}
END_TEST

START_TEST(other_files_are_left_alone)
{
	static const char *const texts[] = {
		"important\n", "important, and without an end", "{\"ts\":\"but no record\"}\n",
		"\n",          "important\n{\"ts\":\"torn",
	};
	const char *file = log_path("file");
	const struct audit_config config = {.session = "s", .targets = &file, .target_count = 1, .folder = "/"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		AUTO_FREE char *after = NULL;
		struct audit *audit = NULL;
		struct error err;

		log_spill(file, texts[i], strlen(texts[i]));
		ck_assert_int_lt(audit_open(&config, &audit, &err), 0);
		ck_assert_msg(strstr(err.message, "does not end in an audit record"), "%s",
			      err.message);
		after = log_slurp(file, NULL);
		ck_assert_str_eq(after, texts[i]);
	}
}
END_TEST

START_TEST(changed_end_is_refused)
{
	const char *file = log_path("log");
	const struct audit_config config = {.session = "s", .targets = &file, .target_count = 1, .folder = "/"};
	AUTO_FREE char *bytes = NULL;
	struct audit *audit = NULL;
	struct error err;
	size_t len;

	log_session(file, 1);
	bytes = log_slurp(file, &len);
	bytes[len - 200] ^= 1;
	log_spill(file, bytes, len);
	ck_assert_int_lt(audit_open(&config, &audit, &err), 0);

	bytes[len - 200] ^= 1;
	log_spill(file, bytes, len);
	append(file, "note to myself", 14);
	ck_assert_int_lt(audit_open(&config, &audit, &err), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resume");
	TCase *tcase = tcase_create("resume");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, log_setup, log_teardown);
	tcase_add_test(tcase, sessions_share_one_chain);
	tcase_add_test(tcase, torn_line_is_cut_off);
	tcase_add_test(tcase, torn_first_line_is_cut_off);
	tcase_add_test(tcase, long_last_line);
	tcase_add_test(tcase, other_files_are_left_alone);
	tcase_add_test(tcase, changed_end_is_refused);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
