/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/reader.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/runner.h"

/* A sound log to tamper with: two sessions, LINES lines. */
enum { LINES = 9 };

static char *original;
static size_t original_len;
static const char *lines[LINES + 1]; /* starts; the last is the end */

static void setup(void)
{
	const char *file;
	const char *at;

	log_setup();
	file = log_path("log");
	log_session(file, 3);
	log_session(file, 2);
	original = log_slurp(file, &original_len);
	at = original;
	for (int i = 0; i <= LINES; i++) {
		lines[i] = at;
		at = i < LINES ? strchr(at, '\n') + 1 : at;
	}
	ck_assert_ptr_eq(lines[LINES], original + original_len);
}

static void teardown(void)
{
	free(original);
	log_teardown();
}

static size_t line_len(int number)
{
	return (size_t)(lines[number] - lines[number - 1]);
}

/* A changed log under construction. */
struct copy {
	char *bytes;
	size_t len;
};

static void add(struct copy *copy, const char *bytes, size_t len)
{
	copy->bytes = realloc(copy->bytes, copy->len + len + 1);
	ck_assert_ptr_nonnull(copy->bytes);
	memcpy(copy->bytes + copy->len, bytes, len);
	copy->len += len;
	copy->bytes[copy->len] = '\0';
}

/* Lines `first` to `last`, from 1. */
static void add_lines(struct copy *copy, int first, int last)
{
	for (int number = first; number <= last; number++)
		add(copy, lines[number - 1], line_len(number));
}

static int verify(const char *bytes, size_t len, uint64_t *ret_line, struct error *err)
{
	const char *file = log_path("changed");

	log_spill(file, bytes, len);
	return audit_verify(file, NULL, ret_line, err);
}

/* The copy is bad from `line` on, for a reason that holds `words`. */
static void check_bad(struct copy *copy, uint64_t line, const char *words)
{
	struct error err;
	uint64_t bad = 0;

	ck_assert_int_eq(verify(copy->bytes, copy->len, &bad, &err), 1);
	ck_assert_msg(bad == line, "expected line %lu, got %lu: %s", (unsigned long)line,
		      (unsigned long)bad, err.message);
	ck_assert_msg(strstr(err.message, words), "expected '%s': %s", words, err.message);
	free(copy->bytes);
}

START_TEST(accepts_sound_logs)
{
	struct error err;
	uint64_t line;

	ck_assert_int_eq(verify(original, original_len, &line, &err), 0);
	ck_assert_uint_eq(line, LINES);
	ck_assert_str_eq(err.message, "");
	ck_assert_int_eq(verify("", 0, &line, &err), 0);
	ck_assert_uint_eq(line, 0);
	ck_assert_int_eq(audit_verify(log_path("log"), NULL, &line, NULL), 0);
}
END_TEST

START_TEST(names_unreadable_files)
{
	struct error err;
	uint64_t line;

	ck_assert_int_lt(audit_verify(log_path("none"), NULL, &line, &err), 0);
	ck_assert_msg(strstr(err.message, "No such file"), "%s", err.message);
	ck_assert_int_lt(audit_verify("/", NULL, &line, &err), 0);
	ck_assert_msg(strstr(err.message, "Is a directory"), "%s", err.message);
}
END_TEST

/* Any byte of the log. */
START_TEST(names_a_changed_byte)
{
	int number = 1;

	for (size_t at = 0; at < original_len; at++) {
		struct error err;
		uint64_t bad = 0;

		while (original + at >= lines[number])
			number++;
		original[at] ^= 1;
		ck_assert_int_eq(verify(original, original_len, &bad, &err), 1);
		ck_assert_msg(bad == (uint64_t)number, "byte %zu of line %d: %s", at, number,
			      err.message);
		original[at] ^= 1;
	}
}
END_TEST

/* Truncated at any byte: torn, or between two lines, which `end` alone can tell. */
START_TEST(recognises_truncation)
{
	int number = 1;

	for (size_t len = 1; len < original_len; len++) {
		struct error err;
		uint64_t line = 0;
		int r = verify(original, len, &line, &err);

		while (original + len > lines[number])
			number++;
		ck_assert_uint_eq(line, (uint64_t)number);
		if (original + len != lines[number]) {
			ck_assert_int_eq(r, 1);
			ck_assert_ptr_nonnull(strstr(err.message, "is torn"));
		} else {
			ck_assert_int_eq(r, 0);
			/* Line 5 ends the first session. */
			ck_assert_int_eq(strstr(err.message, "no end record") == NULL, number == 5);
		}
	}
}
END_TEST

START_TEST(names_a_removed_line)
{
	for (int number = 1; number < LINES; number++) {
		struct copy copy = {0};

		add_lines(&copy, 1, number - 1);
		add_lines(&copy, number + 1, LINES);
		check_bad(&copy, (uint64_t)number, "were removed");
	}
}
END_TEST

START_TEST(names_a_repeated_line)
{
	for (int number = 1; number <= LINES; number++) {
		struct copy copy = {0};

		add_lines(&copy, 1, number);
		add_lines(&copy, number, LINES);
		/* Which of two equal lines is the added one, nobody can tell. */
		check_bad(&copy, (uint64_t)number, "was added");
	}
}
END_TEST

START_TEST(names_an_added_line)
{
	static const char *const added[] = {"\n", "{}\n", "nonsense\n", "\0\n", "{\"seq\":1}\n"};

	for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
		for (int number = 0; number <= LINES; number++) {
			struct copy copy = {0};

			add_lines(&copy, 1, number);
			add(&copy, added[i], i == 3 ? 2 : strlen(added[i]));
			add_lines(&copy, number + 1, LINES);
			check_bad(&copy, (uint64_t)number + 1, "is not a record");
		}
	}
}
END_TEST

START_TEST(names_swapped_lines)
{
	for (int number = 1; number < LINES; number++) {
		struct copy copy = {0};

		add_lines(&copy, 1, number - 1);
		add_lines(&copy, number + 1, number + 1);
		add_lines(&copy, number, number);
		if (number + 1 < LINES)
			add_lines(&copy, number + 2, LINES);
		check_bad(&copy, (uint64_t)number, "");
	}
}
END_TEST

/* Replaces the first `from` in a line by `to` (same length) and makes its hash anew. */
static void forge(char *line, size_t len, const char *from, const char *to)
{
	char hex[DIGEST_HEX_SIZE];
	char *hash = line + len - 1 - 2 - 64; /* newline, `"}` */
	char *at = memmem(line, len, from, strlen(from));

	ck_assert_ptr_nonnull(at);
	memcpy(at, to, strlen(to));
	ck_assert_int_eq(digest_hex(line, (size_t)(hash - line) - strlen(",\"hash\":\""), hex), 0);
	memcpy(hash, hex, 64);
}

/* The line's own hash is right then: its fields or the next line give it away. */
START_TEST(names_a_line_with_a_forged_hash)
{
	for (int number = 1; number <= LINES; number++) {
		struct copy copy = {0};

		add_lines(&copy, 1, LINES);
		forge(copy.bytes + (lines[number - 1] - original), line_len(number), "event",
		      "evenT");
		check_bad(&copy, (uint64_t)number, "is not a record");
	}
}
END_TEST

START_TEST(names_a_forged_line)
{
	struct copy copy = {0};

	add_lines(&copy, 1, LINES);
	forge(copy.bytes + (lines[2] - original), line_len(3), "/etc/shadow", "/etc/passwd");
	check_bad(&copy, 3, "its hash made anew");

	/* The last line: nothing follows that could tell, but its number does. */
	copy = (struct copy){0};
	add_lines(&copy, 1, LINES);
	forge(copy.bytes + (lines[LINES - 1] - original), line_len(LINES), "\"seq\":4",
	      "\"seq\":5");
	check_bad(&copy, LINES, "wrong number");
}
END_TEST

/* A copy of line 3, linked in behind it. */
START_TEST(names_a_linked_in_line)
{
	struct copy copy = {0};
	char *added;

	add_lines(&copy, 1, 3);
	add_lines(&copy, 3, 3);
	add_lines(&copy, 4, LINES);
	added = copy.bytes + (lines[3] - original);
	memcpy((char *)memmem(added, line_len(3), "\"prev\":\"", 8) + 8, lines[3] - 1 - 2 - 64, 64);
	forge(added, line_len(3), "\"seq\":3", "\"seq\":4");
	check_bad(&copy, 4, "was added");
}
END_TEST

START_TEST(names_a_line_behind_the_end)
{
	struct copy copy = {0};
	char *added;

	add_lines(&copy, 1, LINES);
	add_lines(&copy, 7, 7);
	added = copy.bytes + original_len;
	memcpy((char *)memmem(added, line_len(7), "\"prev\":\"", 8) + 8, lines[LINES] - 1 - 2 - 64,
	       64);
	forge(added, line_len(7), "\"seq\":2", "\"seq\":5");
	check_bad(&copy, LINES + 1, "was added");
}
END_TEST

START_TEST(lone_surrogates_parse)
{
	static const struct {
		const char *text;
		bool good;
	} texts[] = {
		{"{\"a\":\"\\udcff\"}", true},
		{"{\"a\":\"\\ud83d\\ude00\"}", true},
		{"{\"a\":\"\\ud83d\"}", true},
		{"{\"a\":\"\\ud83d\\ud83d\\ude00\"}", true},
		{"{\"a\":\"\\\\udcff\"}", true},
		{"{\"a\":\"\\u0000\"}", true},
		{"{\"a\":\"\\u00", false},
		{"{\"a\":\"\\", false},
		{"{\"a\":\"\\ug000\"}", false},
		{"{\"a\":\"\xff\"}", false},
		{"{\"a\":1,\"a\":2}", false},
		{"[]", false},
		{"{} {}", false},
		{"", false},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *record = reader_parse(texts[i].text, strlen(texts[i].text));

		ck_assert_msg((record != NULL) == texts[i].good, "%s", texts[i].text);
		json_decref(record);
	}
}
END_TEST

START_TEST(endless_line)
{
	const char *file = log_path("endless");
	struct error err;
	uint64_t line;
	FILE *out = fopen(file, "we");

	for (int i = 0; i < READER_LINE_MAX / 1024 + 5; i++)
		fprintf(out, "%1024s", "");
	fputs("\nx\n", out);
	fclose(out);
	ck_assert_int_eq(audit_verify(file, NULL, &line, &err), 1);
	ck_assert_uint_eq(line, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verify");
	TCase *tcase = tcase_create("verify");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, accepts_sound_logs);
	tcase_add_test(tcase, names_unreadable_files);
	tcase_add_test(tcase, names_a_changed_byte);
	tcase_add_test(tcase, recognises_truncation);
	tcase_add_test(tcase, names_a_removed_line);
	tcase_add_test(tcase, names_a_repeated_line);
	tcase_add_test(tcase, names_an_added_line);
	tcase_add_test(tcase, names_swapped_lines);
	tcase_add_test(tcase, names_a_line_with_a_forged_hash);
	tcase_add_test(tcase, names_a_forged_line);
	tcase_add_test(tcase, names_a_linked_in_line);
	tcase_add_test(tcase, names_a_line_behind_the_end);
	tcase_add_test(tcase, lone_surrogates_parse);
	tcase_add_test(tcase, endless_line);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
