/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/emit.h"

#include <string.h>

#include "tests/unit/runner.h"

#define ELLIPSIS "\xe2\x80\xa6"

static struct emitter out;

static void setup(void)
{
	out = (struct emitter){0};
}

static void teardown(void)
{
	emit_free(&out);
}

/* What was written so far is exactly `text`. */
static void check_text(const char *text)
{
	ck_assert(!out.failed);
	emit_raw(&out, "", 1);
	ck_assert_str_eq(out.data, text);
	out.len--;
}

START_TEST(values_and_commas)
{
	static const char *const none[] = {NULL};
	static const char *const list[] = {"a", "", "b\"c", NULL};

	emit_open(&out, '{');
	emit_key(&out, "number");
	emit_uint(&out, UINT64_MAX);
	emit_key(&out, "zero");
	emit_uint(&out, 0);
	emit_key(&out, "negative");
	emit_int(&out, INT64_MIN);
	emit_key(&out, "seconds");
	emit_seconds(&out, 12000000034);
	emit_key(&out, "nothing");
	emit_null(&out);
	emit_key(&out, "inner");
	emit_open(&out, '{');
	emit_key(&out, "yes");
	emit_bool(&out, true);
	emit_close(&out, '}');
	emit_key(&out, "none");
	emit_list(&out, none, 100);
	emit_key(&out, "list");
	emit_list(&out, list, 100);
	emit_key(&out, "no");
	emit_bool(&out, false);
	emit_close(&out, '}');
	check_text("{\"number\":18446744073709551615,\"zero\":0,\"negative\":-9223372036854775808,"
		   "\"seconds\":12.000000034,\"nothing\":null,\"inner\":{\"yes\":true},\"none\":[],"
		   "\"list\":[\"a\",\"\",\"b\\\"c\"],\"no\":false}");
	emit_reset(&out);
	emit_null(&out);
	check_text("null");
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} strings[] = {
	/* clang-format off */
	{"", 0, "\"\""},
	{"plain text", 10, "\"plain text\""},
	{"a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\""},
	{"\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\""},
	{"a\0b", 3, "\"a\\u0000b\""},
	{"\x01\x1b[31m\x1f\x7f", 8, "\"\\u0001\\u001b[31m\\u001f\\u007f\""},
	{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
	{"\xc2\x9b" "31m", 5, "\"\\u009b31m\""},             /* CSI as one character */
	/* Right-to-left override. NOLINTNEXTLINE(misc-misleading-bidirectional) */
	{"\xe2\x80\xae" "exe", 6, "\"\\u202eexe\""},
	{"\xf3\xa0\x81\x81", 4, "\"\\udb40\\udc41\""},       /* a tag: a pair of surrogates */
	{"\xff", 1, "\"\\udcff\""},
	{"\x80", 1, "\"\\udc80\""},
	{"a\xc3", 2, "\"a\\udcc3\""},
	{"\xc0\xaf", 2, "\"\\udcc0\\udcaf\""},               /* overlong '/' */
	{"\xed\xb2\x80", 3, "\"\\udced\\udcb2\\udc80\""},    /* U+DC80 itself is not UTF-8 */
	{"\xf0\x90\x80" "A", 4, "\"\\udcf0\\udc90\\udc80A\""},
	{"\xe2(\xa1", 3, "\"\\udce2(\\udca1\""},
	{"\xf4\x90\x80\x80", 4, "\"\\udcf4\\udc90\\udc80\\udc80\""},
	/* clang-format on */
};

START_TEST(escapes)
{
	emit_bytes(&out, strings[_i].bytes, strings[_i].len, SIZE_MAX);
	check_text(strings[_i].text);
}
END_TEST

START_TEST(cuts_strings_between_characters)
{
	static const struct {
		const char *bytes;
		size_t max;
		const char *text;
	} cuts[] = {
		{"abcdef", 6, "\"abcdef\""},
		{"abcdef", 5, "\"abcde" ELLIPSIS "\""},
		{"ab\xe2\x82\xac", 5, "\"ab\xe2\x82\xac\""},
		{"ab\xe2\x82\xac", 4, "\"ab" ELLIPSIS "\""},
		{"ab\xe2\x82\xac", 3, "\"ab" ELLIPSIS "\""},
		{"ab\xe2\x82\xac", 2, "\"ab" ELLIPSIS "\""},
		{"\xf0\x9f\x98\x80", 3, "\"" ELLIPSIS "\""},
		{"\x80\x80\x80\x80\x80\x80", 5,
		 "\"\\udc80\\udc80\\udc80\\udc80\\udc80" ELLIPSIS "\""},
		{"\xe2\x82\xac\xe2\x82\xac", 3, "\"\xe2\x82\xac" ELLIPSIS "\""},
		{"abc", 0, "\"" ELLIPSIS "\""},
	};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		emit_reset(&out);
		emit_bytes(&out, cuts[i].bytes, strlen(cuts[i].bytes), cuts[i].max);
		check_text(cuts[i].text);
	}
}
END_TEST

START_TEST(cuts_lists)
{
	static const char *const list[] = {"0123456789", "abcdefghij", "x", "y", NULL};
	static const char *const controls[] = {"\x01\x01\x01\x01", NULL};

	emit_list(&out, list, 20);
	check_text("[\"0123456789\",\"abcdefg" ELLIPSIS "\",\"" ELLIPSIS " 2 more\"]");
	emit_reset(&out);
	emit_list(&out, list, 5);
	check_text("[\"0123" ELLIPSIS "\",\"" ELLIPSIS " 3 more\"]");
	emit_reset(&out);
	emit_list(&out, list, 1000);
	check_text("[\"0123456789\",\"abcdefghij\",\"x\",\"y\"]");
	/* Never within an escape. */
	emit_reset(&out);
	emit_list(&out, controls, 15);
	check_text("[\"\\u0001\\u0001" ELLIPSIS "\"]");
}
END_TEST

START_TEST(grows)
{
	static char big[300000];

	memset(big, 'x', sizeof(big));
	emit_bytes(&out, big, sizeof(big), SIZE_MAX);
	ck_assert(!out.failed);
	ck_assert_uint_eq(out.len, sizeof(big) + 2);
	memset(big, 1, sizeof(big));
	emit_reset(&out);
	emit_bytes(&out, big, sizeof(big), SIZE_MAX);
	ck_assert_uint_eq(out.len, 6 * sizeof(big) + 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("emit");
	TCase *tcase = tcase_create("emit");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, values_and_commas);
	tcase_add_loop_test(tcase, escapes, 0, sizeof(strings) / sizeof(strings[0]));
	tcase_add_test(tcase, cuts_strings_between_characters);
	tcase_add_test(tcase, cuts_lists);
	tcase_add_test(tcase, grows);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
