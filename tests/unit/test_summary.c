/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/terminal.h"
#include "core/cleanup.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/runner.h"

static struct audit *audit;

static void setup(void)
{
	log_setup();
	audit = log_open(log_path("log"), AUDIT_BLOCKED);
}

static void teardown(void)
{
	audit_close(audit);
	log_teardown();
}

/* The summary; free() it. */
static char *summary(bool colour)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	summary_print(out, audit, colour);
	fclose(out);
	return text;
}

static void check_summary(const char *expected)
{
	AUTO_FREE char *text = summary(false);

	ck_assert_str_eq(text, expected);
}

static int count_lines(const char *text)
{
	int lines = 0;

	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

static void write_record(const struct audit_record *record)
{
	ck_assert_int_eq(audit_write(audit, record), 0);
}

START_TEST(nothing_blocked)
{
	check_summary("");
}
END_TEST

START_TEST(says_what_why_and_remedy)
{
	struct audit_record record = log_blocked();

	write_record(&record);
	write_record(&record);
	record = (struct audit_record){
		.event = EVENT_BLOCKED,
		.class = CLASS_NETWORK,
		.op = OP_CONNECT,
		.endpoint = "tcp:192.0.2.1:443",
		.verdict = {DECISION_DENY, EACCES, &log_rule},
	};
	write_record(&record);
	record = (struct audit_record){
		.event = EVENT_WOULD_BLOCK,
		.class = CLASS_SYSTEM,
		.op = OP_CALL,
		.syscall = "ptrace",
		.verdict = {DECISION_DENY, EPERM, NULL},
	};
	write_record(&record);
	record = (struct audit_record){
		.event = EVENT_BLOCKED,
		.class = CLASS_PROCESS,
		.op = OP_SIGNAL,
		.syscall = "kill",
		.detail = "another process",
		.verdict = {DECISION_DENY, EPERM, NULL},
	};
	write_record(&record);
	record = (struct audit_record){
		.event = EVENT_BLOCKED,
		.class = CLASS_NETWORK,
		.op = OP_CONNECT,
		.endpoint = "tcp:10.0.0.1:443",
		.host = "a.example",
		.detail = "TLS asks for b.example",
		.verdict = {DECISION_DENY, ECONNRESET, &log_rule},
	};
	write_record(&record);
	check_summary(
		"proctor: blocked read /etc/shadow (2 times): no rule allows it; "
		"to allow it: files: {read: [/etc/shadow]}\n"
		"proctor: blocked connect tcp:192.0.2.1:443: rule \"${HOME}/.ssh\" at "
		"/home/u/policy.yaml:12; only a change of that rule would allow it\n"
		"proctor: would block call ptrace: no rule allows it; "
		"no policy line would allow it\n"
		"proctor: blocked signal kill: another process; no policy line would allow it\n"
		"proctor: blocked connect tcp:10.0.0.1:443 (a.example): TLS asks for b.example; rule "
		"\"${HOME}/.ssh\" at /home/u/policy.yaml:12; only a change of that rule would allow it\n");
}
END_TEST

START_TEST(colour_only_when_asked)
{
	struct audit_record record = log_blocked();
	AUTO_FREE char *coloured = NULL;
	AUTO_FREE char *plain = NULL;

	write_record(&record);
	plain = summary(false);
	ck_assert_ptr_null(strchr(plain, '\033'));
	coloured = summary(true);
	ck_assert_ptr_nonnull(strstr(coloured, "proctor: \033[1;31mblocked\033[0m read /etc"));
}
END_TEST

static void write_files(int from, int count)
{
	struct audit_record record = log_blocked();

	for (int i = from; i < from + count; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/file/%d", i);
		record.path = path;
		write_record(&record);
		write_record(&record);
	}
}

START_TEST(ten_lines_at_most)
{
	char last[300];

	for (int i = 1; i <= 10; i++) {
		AUTO_FREE char *text = NULL;

		write_files(i, 1);
		text = summary(false);
		ck_assert_int_eq(count_lines(text), i);
		ck_assert_ptr_null(strstr(text, " more"));
	}
	for (int i = 11; i < 100; i++) {
		AUTO_FREE char *text = NULL;

		write_files(i, 1);
		text = summary(false);
		ck_assert_int_eq(count_lines(text), 10);
		snprintf(last, sizeof(last), "\nproctor: \xe2\x80\xa6 and %d more: see %s\n",
			 2 * (i - 9), log_path("log"));
		ck_assert_ptr_nonnull(strstr(text, last));
	}
}
END_TEST

START_TEST(counts_what_the_log_did_not_keep)
{
	AUTO_FREE char *text = NULL;
	char last[64];

	write_files(0, AUDIT_BLOCKED_MAX + 3);
	text = summary(false);
	ck_assert_int_eq(count_lines(text), 10);
	/* Fewer than that are kept of one class. */
	snprintf(last, sizeof(last), " and %d more: see ", 2 * (AUDIT_BLOCKED_MAX + 3 - 9));
	ck_assert_ptr_nonnull(strstr(text, last));
}
END_TEST

START_TEST(names_do_nothing_to_a_terminal)
{
	static const struct rule_source rule = {
		.file = "a\033]0;x\a.yaml",
		.line = 3,
		.text = "b\nproctor: nothing was blocked",
	};
	struct audit_record record = log_blocked();

	/* NOLINTNEXTLINE(misc-misleading-bidirectional) */
	record.path = "/x\033[2J\n\r\x7f\xc2\x9b\xff\xe2\x80\xae\xc3\xa9";
	record.remedy = "files: {read: [\"\033\"]}";
	write_record(&record);
	record.verdict.rule = &rule;
	record.remedy = NULL;
	record.path = "/y";
	write_record(&record);
	check_summary(
		"proctor: blocked read /x\\x1b[2J\\x0a\\x0d\\x7f\\xc2\\x9b\\xff\\xe2\\x80\\xae"
		"\xc3\xa9: no rule allows it; to allow it: files: {read: [\"\\x1b\"]}\n"
		"proctor: blocked read /y: rule \"b\\x0aproctor: nothing was blocked\" at "
		"a\\x1b]0;x\\x07.yaml:3; only a change of that rule would allow it\n");
}
END_TEST

START_TEST(long_names_are_cut)
{
	static char path[4000];
	struct audit_record record = log_blocked();
	AUTO_FREE char *text = NULL;

	memset(path, 'x', sizeof(path) - 1);
	record.path = path;
	record.remedy = path;
	write_record(&record);
	text = summary(false);
	ck_assert_int_eq(count_lines(text), 1);
	ck_assert_uint_lt(strlen(text), 1100);
}
END_TEST

START_TEST(terminal_print_cuts_between_characters)
{
	static const struct {
		const char *text;
		size_t max;
		const char *printed;
	} cuts[] = {
		{"abc", 3, "abc"},
		{"abc", 2, "ab\xe2\x80\xa6"},
		{"a\xc3\xa9", 2, "a\xe2\x80\xa6"},
		{"a\xc3\xa9", 3, "a\xc3\xa9"},
		{"\x80\x80", 1, "\\x80\xe2\x80\xa6"},
		{"", 0, ""},
	};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		AUTO_FREE char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		terminal_print(out, cuts[i].text, cuts[i].max);
		fclose(out);
		ck_assert_str_eq(text, cuts[i].printed);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("summary");
	TCase *tcase = tcase_create("summary");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, nothing_blocked);
	tcase_add_test(tcase, says_what_why_and_remedy);
	tcase_add_test(tcase, colour_only_when_asked);
	tcase_add_test(tcase, ten_lines_at_most);
	tcase_add_test(tcase, counts_what_the_log_did_not_keep);
	tcase_add_test(tcase, names_do_nothing_to_a_terminal);
	tcase_add_test(tcase, long_names_are_cut);
	tcase_add_test(tcase, terminal_print_cuts_between_characters);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
