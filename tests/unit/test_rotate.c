/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/rotate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/runner.h"

enum { SIZE = 4096, KEEP = 3 };

/* A session of `count` blocked attempts into a row of files. */
static void rotated_session(const char *file, int count)
{
	const struct audit_config config = {
		.session = "s",
		.targets = &file,
		.target_count = 1,
		.folder = "/nowhere",
		.rotate_size = SIZE,
		.rotate_count = KEEP,
	};
	const struct audit_record record = log_blocked();
	struct audit *audit = NULL;
	struct error err;

	ck_assert_msg(audit_open(&config, &audit, &err) == 0, "%s", err.message);
	log_start(audit);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(audit_write(audit, &record), 0);
	ck_assert_int_eq(audit_write_end(audit, 0, 1), 0);
	audit_close(audit);
}

static const char *numbered(const char *file, int number)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.%d", file, number);
	return log_path(name);
}

static uint64_t check_row(const char *file)
{
	struct error err;
	uint64_t lines = 0;

	ck_assert_msg(audit_verify(file, NULL, &lines, &err) == 0, "%s", err.message);
	ck_assert_str_eq(err.message, "");
	return lines;
}

static void check_bad(const char *file, uint64_t line, const char *words)
{
	struct error err;
	uint64_t bad = 0;

	ck_assert_int_eq(audit_verify(file, NULL, &bad, &err), 1);
	ck_assert_msg(bad == line && strstr(err.message, words), "line %lu: %s",
		      (unsigned long)bad, err.message);
}

/* As long as nothing is removed the files one after the other are one log. */
START_TEST(chain_is_carried_over)
{
	AUTO_FREE char *file = strdup(log_path("log"));

	rotated_session(file, 8);
	ck_assert_int_eq(access(numbered("log", 1), F_OK), 0);
	ck_assert_int_ne(access(numbered("log", KEEP), F_OK), 0);
	ck_assert_uint_eq(check_row(file), 10);
	rotated_session(file, 2);
	ck_assert_uint_eq(check_row(file), 14);
}
END_TEST

START_TEST(files_are_full_and_few)
{
	AUTO_FREE char *file = strdup(log_path("log"));

	rotated_session(file, 100);
	for (int number = 1; number <= KEEP; number++) {
		AUTO_FREE char *bytes = NULL;
		size_t len;

		bytes = log_slurp(numbered("log", number), &len);
		ck_assert_uint_ge(len, SIZE);
		ck_assert_uint_lt(len, SIZE + 2048);
		ck_assert_int_eq(bytes[len - 1], '\n');
	}
	ck_assert_int_ne(access(numbered("log", KEEP + 1), F_OK), 0);
	ck_assert_uint_gt(check_row(file), 4 * KEEP);
	ck_assert_uint_lt(check_row(file), 100);
}
END_TEST

/* What rotation itself removed is no fault; what somebody else removed is. */
START_TEST(removed_files_are_missed)
{
	AUTO_FREE char *file = strdup(log_path("log"));

	rotated_session(file, 100);
	unlink(numbered("log", KEEP));
	check_bad(file, 1, "oldest file");
	unlink(numbered("log", 1));
	check_bad(file, 1, "removed");
}
END_TEST

START_TEST(faults_are_named_by_file)
{
	AUTO_FREE char *file = strdup(log_path("log"));
	AUTO_FREE char *second = strdup(numbered("log", 2));
	AUTO_FREE char *bytes = NULL;
	size_t len;

	rotated_session(file, 100);
	bytes = log_slurp(second, &len);
	*strstr(strchr(bytes, '\n'), "EACCES") = 'F';
	log_spill(second, bytes, len);
	check_bad(file, 2, "log.2: line 2 was changed");
}
END_TEST

/* Killed between the renaming and the new file. */
START_TEST(goes_on_after_a_half_done_rotation)
{
	AUTO_FREE char *file = strdup(log_path("log"));

	log_session(file, 3);
	ck_assert_int_eq(rename(file, numbered("log", 1)), 0);
	rotated_session(file, 1);
	ck_assert_uint_eq(check_row(file), 5 + 3);
}
END_TEST

/* A file that goes away while it is read, as for `proctor log --follow`. */
START_TEST(reader_follows)
{
	AUTO_FREE char *file = strdup(log_path("log"));
	struct row_reader row;
	struct error err;
	int lines = 0;

	rotated_session(file, 1);
	ck_assert_int_eq(row_open(&row, file, &err), 0);
	while (row_next(&row) > 0)
		lines++;
	ck_assert_int_eq(lines, 3);
	rotated_session(file, 8);
	ck_assert_int_eq(access(numbered("log", 1), F_OK), 0);
	ck_assert_int_eq(reader_retry(&row.reader), 0);
	while (row_next(&row) > 0)
		lines++;
	ck_assert_int_eq(lines, 3 + 10);
	row_close(&row);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rotate");
	TCase *tcase = tcase_create("rotate");

	tcase_add_checked_fixture(tcase, log_setup, log_teardown);
	tcase_add_test(tcase, chain_is_carried_over);
	tcase_add_test(tcase, files_are_full_and_few);
	tcase_add_test(tcase, removed_files_are_missed);
	tcase_add_test(tcase, faults_are_named_by_file);
	tcase_add_test(tcase, goes_on_after_a_half_done_rotation);
	tcase_add_test(tcase, reader_follows);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
