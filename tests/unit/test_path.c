/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/path.h"

#include "tests/unit/runner.h"

static const struct {
	const char *path;
	const char *folder;
	bool lies_in;
} places[] = {
	{"/a/b", "/a", true},   {"/a", "/a", true},   {"/", "/", true},    {"/a", "/", true},
	{"/a/b/c", "/a/b", true}, {"/ab", "/a", false}, {"/a", "/a/b", false}, {"/", "/a", false},
	{"/b/a", "/a", false},
};

START_TEST(lies_in)
{
	ck_assert_int_eq(path_lies_in(places[_i].path, places[_i].folder), places[_i].lies_in);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("path");
	TCase *tcase = tcase_create("path");

	tcase_add_loop_test(tcase, lies_in, 0, sizeof(places) / sizeof(places[0]));
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
