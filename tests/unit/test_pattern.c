/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/pattern.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/runner.h"

static const struct pattern_place place = {"/nonexistent-folder/f", "/nonexistent-home/u"};

static bool match(const char *text, const char *path)
{
	struct memory memory = {NULL};
	struct pattern *patterns;
	size_t count;
	const char *wrong = pattern_compile(&memory, text, &place, &patterns, &count);
	bool found = false;

	ck_assert_msg(!wrong, "%s: %s", text, wrong);
	for (size_t i = 0; i < count; i++)
		found = found || pattern_match(&patterns[i], path);
	memory_free(&memory);
	return found;
}

/* ------------------------------------------------ a slow matcher, from the words */

static bool slow_name(const char *p, const char *p_end, const char *s, const char *s_end)
{
	if (p == p_end)
		return s == s_end;
	if (*p == '*')
		return slow_name(p + 1, p_end, s, s_end) ||
		       (s < s_end && slow_name(p, p_end, s + 1, s_end));
	return s < s_end && (*p == '?' || *p == *s) && slow_name(p + 1, p_end, s + 1, s_end);
}

/* `p` and `s` start with '/', or are "". */
static bool slow_path(const char *p, const char *s)
{
	const char *p_end, *s_end;

	if (!*p)
		return !*s;
	if (!strcmp(p, "/**"))
		return true;
	p_end = strchrnul(p + 1, '/');
	if (p_end - p == 3 && !memcmp(p, "/**", 3))
		return slow_path(p_end, s) || (*s && slow_path(p, strchrnul(s + 1, '/')));
	if (!*s)
		return false;
	s_end = strchrnul(s + 1, '/');
	return slow_name(p + 1, p_end, s + 1, s_end) && slow_path(p_end, s_end);
}

static bool slow_match(const char *p, const char *s)
{
	size_t len = strlen(p);

	if (strpbrk(p, "*?"))
		return slow_path(p, s);
	return !strncmp(p, s, len) && (s[len] == '/' || !s[len]);
}

static void random_path(unsigned int *seed, const char *const *names, int count, char *ret)
{
	int parts = 1 + rand_r(seed) % 5;

	*ret = '\0';
	for (int i = 0; i < parts; i++) {
		strcat(ret, "/");
		strcat(ret, names[rand_r(seed) % count]);
	}
}

START_TEST(same_as_slow_matcher)
{
	static const char *const words[] = {"a", "b", "ab", "aa", "*", "a*", "*b", "?", "**", "**"};
	static const char *const names[] = {"a", "b", "ab", "aa", "abb"};
	unsigned int seed = 1 + (unsigned int)_i;

	for (int i = 0; i < 5000; i++) {
		char pattern[64], path[64];

		random_path(&seed, words, 10, pattern);
		random_path(&seed, names, 5, path);
		ck_assert_msg(match(pattern, path) == slow_match(pattern, path), "%s and %s", pattern,
			      path);
	}
}
END_TEST

/* ----------------------------------------------------------------------- cost */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

START_TEST(no_blow_up)
{
	char path[4096] = "";
	char name[256];
	double start = seconds();

	for (size_t i = 0; i + 2 < sizeof(path); i += 2)
		strcpy(path + i, "/a");
	memset(name, 'a', 255);
	name[255] = '\0';
	memcpy(path + 2000, "/", 1);
	memcpy(path + 2001, name, 255);
	ck_assert(!match("/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b", path));
	ck_assert(!match("/**/*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
	ck_assert(match("/**/a/**/a/**/a/**/a/**/a", path));
	ck_assert(seconds() - start < 1.0);
}
END_TEST

/* ---------------------------------------------------------------- compilation */

START_TEST(too_long)
{
	struct memory memory = {NULL};
	struct pattern *patterns;
	char text[5000];
	size_t count;

	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[4999] = '\0';
	ck_assert_str_eq(pattern_compile(&memory, text, &place, &patterns, &count),
			 "it is too long (4095 bytes at most)");
	text[300] = '\0';
	ck_assert_str_eq(pattern_compile(&memory, text, &place, &patterns, &count),
			 "no name is longer than 255 bytes");
	for (int i = 0; i < 63; i++)
		memcpy(text + 3 * i, "/*a", 4);
	ck_assert_str_eq(pattern_compile(&memory, text, &place, &patterns, &count),
			 "too many components after the first wildcard (more than 62)");
	ck_assert_ptr_null(pattern_compile(&memory, text + 3, &place, &patterns, &count));
	memory_free(&memory);
}
END_TEST

START_TEST(starts)
{
	ck_assert(match("x", "/nonexistent-folder/f/x/y"));
	ck_assert(match(".", "/nonexistent-folder/f"));
	ck_assert(match("../x", "/nonexistent-folder/x"));
	ck_assert(match("~", "/nonexistent-home/u/x"));
	ck_assert(match("~/x", "/nonexistent-home/u/x"));
	ck_assert(match("\\~", "/nonexistent-folder/f/~"));
	ck_assert(match("**/x", "/x"));
	ck_assert(match("{**/x,/y}", "/a/x"));
	ck_assert(match("{**/x,/y}", "/y/z"));
	ck_assert(match("**", "/"));
	ck_assert(!match("*", "/x"));
	ck_assert(match("/..", "/x"));
}
END_TEST

START_TEST(quoting)
{
	static const char *const paths[] = {"/a*b", "/[x]", "/{a,b}", "/a\\b", "/~", "/$x", "/!a"};
	struct memory memory = {NULL};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		ck_assert(match(pattern_quote(&memory, paths[i]), paths[i]));
		ck_assert(!match(pattern_quote(&memory, paths[i]), "/axb"));
	}
	memory_free(&memory);
}
END_TEST

START_TEST(states)
{
	static const struct {
		const char *pattern, *a, *b;
		bool within;
	} rows[] = {
		{"/x/y", "/x", "/x", true},      {"/x/y", "/x", "/z", false},
		{"/x/y", "/z", "/x", true},      {"/x/y", "/x", "/x/y", true},
		{"/x/y", "/x/y", "/x", false},   {"**/k", "/a", "/b/c", true},
		{"**/k/l", "/a", "/a/k", true},  {"**/k/l", "/a/k", "/a", false},
		{"/*/k", "/a", "/b", true},      {"/*/k", "/a", "/b/c", false},
		{"/*/k/**", "/a/k", "/b/k", true}, {"/*/k/**", "/a/k", "/b", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct memory memory = {NULL};
		struct pattern_state a, b;
		struct pattern *patterns;
		size_t count;

		ck_assert_ptr_null(
			pattern_compile(&memory, rows[i].pattern, &place, &patterns, &count));
		a = pattern_run(patterns, rows[i].a);
		b = pattern_run(patterns, rows[i].b);
		ck_assert_msg(pattern_state_within(&a, &b) == rows[i].within, "row %zu", i);
		memory_free(&memory);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pattern");
	TCase *tests = tcase_create("pattern");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, same_as_slow_matcher, 0, 10);
	tcase_add_test(tests, no_blow_up);
	tcase_add_test(tests, too_long);
	tcase_add_test(tests, starts);
	tcase_add_test(tests, quoting);
	tcase_add_test(tests, states);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
