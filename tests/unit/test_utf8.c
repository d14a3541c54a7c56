/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/utf8.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/runner.h"

static const struct {
	const char *bytes;
	size_t len;
	size_t used; /* 0: not UTF-8 */
	uint32_t character;
} decodings[] = {
	{"A", 1, 1, 'A'},
	{"\0", 1, 1, 0},
	{"\x7f", 1, 1, 0x7f},
	{"\xc2\x80", 2, 2, 0x80},
	{"\xdf\xbf", 2, 2, 0x7ff},
	{"\xe0\xa0\x80", 3, 3, 0x800},
	{"\xed\x9f\xbf", 3, 3, 0xd7ff},
	{"\xee\x80\x80", 3, 3, 0xe000},
	{"\xef\xbf\xbf", 3, 3, 0xffff},
	{"\xf0\x90\x80\x80", 4, 4, 0x10000},
	{"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
	{"\x80", 1, 0, 0},     /* continues nothing */
	{"\xc0\x80", 2, 0, 0}, /* overlong NUL */
	{"\xc1\xbf", 2, 0, 0},
	{"\xe0\x9f\xbf", 3, 0, 0},     /* overlong */
	{"\xf0\x8f\xbf\xbf", 4, 0, 0}, /* overlong */
	{"\xed\xa0\x80", 3, 0, 0},     /* U+D800 */
	{"\xed\xbf\xbf", 3, 0, 0},     /* U+DFFF */
	{"\xf4\x90\x80\x80", 4, 0, 0}, /* U+110000 */
	{"\xf5\x80\x80\x80", 4, 0, 0},
	{"\xff", 1, 0, 0},
	{"\xe2\x82", 2, 0, 0},     /* cut */
	{"\xf0\x9f\x98", 3, 0, 0}, /* cut */
	{"\xe2(\xa1", 3, 0, 0},
	{"\xc3", 1, 0, 0},
};

/* At the very end of a page, behind which nothing may be read. */
START_TEST(decodes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *text = pages + page - decodings[_i].len;
	uint32_t character = 0xabcdef;

	ck_assert_ptr_ne(pages, MAP_FAILED);
	ck_assert_int_eq(mprotect(pages + page, page, PROT_NONE), 0);
	memcpy(text, decodings[_i].bytes, decodings[_i].len);
	ck_assert_uint_eq(utf8_decode(text, decodings[_i].len, &character), decodings[_i].used);
	ck_assert_uint_eq(character, decodings[_i].used ? decodings[_i].character : 0xabcdef);
}
END_TEST

START_TEST(knows_hidden_characters)
{
	static const uint32_t hidden[] = {0,      0x1b,   0x1f,   0x7f,   0x80,   0x9b,    0x9f,
					  0xad,   0x200b, 0x200e, 0x200f, 0x2028, 0x2029,  0x202a,
					  0x202e, 0x2066, 0x2069, 0x061c, 0xfeff, 0xe0041, 0x180e};
	static const uint32_t shown[] = {' ',    'a',    '~',    0xa0,    0xe9,
					 0x2026, 0x20ac, 0x4e2d, 0x1f600, 0x10ffff};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		ck_assert_msg(utf8_is_hidden(hidden[i]), "U+%04X", hidden[i]);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		ck_assert_msg(!utf8_is_hidden(shown[i]), "U+%04X", shown[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("utf8");
	TCase *tcase = tcase_create("utf8");

	tcase_add_loop_test(tcase, decodes, 0, sizeof(decodings) / sizeof(decodings[0]));
	tcase_add_test(tcase, knows_hidden_characters);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
