/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames of interpreters: python.c, perf_map.c */
#include <stdlib.h>
#include <string.h>

#include "supervisor/perf_map.h"
#include "supervisor/python.h"
#include "tests/unit/runner.h"

/* Python 3.11 of:  def f(): \n  x = 1 \n\n  return open( \n    x) */
START_TEST(lines_of_a_table)
{
	static const unsigned char table[] = {
		0x80, 0x00,             /* short form: 1 unit, the first line */
		0xd8, 0x08, 0x09,       /* one line further: 1 unit */
		0xe1, 0x01, 0x02,       /* two lines further: 2 units */
		0xe8, 0x03,             /* no columns: 1 unit, one line back (svarint 3) */
		0xf0, 0xca, 0x01, 0x00, 0x01, 0x01, /* long: 1 unit, 37 lines further */
		0xf9,                   /* none: 2 units */
	};
	static const struct {
		uint64_t at;
		unsigned int line;
	} cases[] = {{0, 10}, {1, 10}, {2, 11}, {4, 13}, {6, 13}, {7, 13}, {8, 12},
		     {10, 49}, {12, 0}, {15, 0}, {16, 0}, {UINT64_MAX, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(python_line(table, sizeof(table), 10, cases[i].at) == cases[i].line,
			      "at %lu: %u", (unsigned long)cases[i].at,
			      python_line(table, sizeof(table), 10, cases[i].at));
	/* What is cut off, anywhere. */
	for (size_t len = 0; len < sizeof(table); len++)
		(void)python_line(table, len, 10, UINT64_MAX);
	ck_assert_uint_eq(python_line(NULL, 0, 10, 0), 0);
}
END_TEST

static char memory_bytes[4096];
static unsigned int reads;

static bool read_bytes(void *arg, uint64_t address, void *buf, size_t len)
{
	(void)arg;
	reads++;
	if (address < 4096 || address - 4096 > sizeof(memory_bytes) ||
	    len > sizeof(memory_bytes) - (address - 4096))
		return false;
	memcpy(buf, memory_bytes + (address - 4096), len);
	return true;
}

static void put(uint64_t address, uint64_t word)
{
	memcpy(memory_bytes + (address - 4096), &word, sizeof(word));
}

static const struct python_memory memory = {.read = read_bytes};

/* A process of Python 3.12 with one thread in one frame, of text "f" and "\u00e4\u20ac". */
static void make_process(void)
{
	enum { RUNTIME = 4096, INTERPRETER = 4300, THREAD = 4500, CFRAME = 4700, FRAME = 4800,
	       CODE = 5000, NAME = 5300, FILENAME = 5400, TABLE = 5500 };

	memset(memory_bytes, 0, sizeof(memory_bytes));
	put(RUNTIME + 40, INTERPRETER);
	put(INTERPRETER + 72, THREAD);
	put(THREAD + 144, 77);
	put(THREAD + 56, CFRAME);
	put(CFRAME, FRAME);
	put(FRAME, CODE);
	put(FRAME + 56, CODE + 192 + 2);
	put(CODE + 68, 5);
	put(CODE + 112, FILENAME);
	put(CODE + 128, NAME);
	put(CODE + 136, TABLE);
	put(NAME + 16, 1);
	put(NAME + 32, 1 << 6 | 1 << 5 | 1 << 2);
	memcpy(memory_bytes + (NAME + 40 - 4096), "f", 1);
	put(FILENAME + 16, 2);
	put(FILENAME + 32, 1 << 5 | 2 << 2);
	memcpy(memory_bytes + (FILENAME + 56 - 4096), "\xe4\x00\xac\x20", 4);
	put(TABLE + 16, 4);
	memcpy(memory_bytes + (TABLE + 32 - 4096), "\x80\x00\xd8\x08", 4);
}

START_TEST(python_of_a_process)
{
	const struct python_place place = {.runtime = 4096, .version = 0x030c01f0};
	struct python_place other = place;
	struct script_frame frames[4];

	make_process();
	ck_assert_uint_eq(python_walk(&memory, &place, 77, frames, 4), 1);
	ck_assert_str_eq(frames[0].function, "f");
	ck_assert_str_eq(frames[0].file, "\xc3\xa4\xe2\x82\xac");
	ck_assert_uint_eq(frames[0].line, 6);
	/* The only thread is meant, as after a fork. */
	ck_assert_uint_eq(python_walk(&memory, &place, 78, frames, 4), 1);
	/* A frame of C's. */
	memory_bytes[4800 + 70 - 4096] = 3;
	ck_assert_uint_eq(python_walk(&memory, &place, 77, frames, 4), 0);
	make_process();
	other.version = 0x030a0000;
	ck_assert_uint_eq(python_walk(&memory, &other, 77, frames, 4), 0);
	other.version = 0x030e0000;
	ck_assert_uint_eq(python_walk(&memory, &other, 77, frames, 4), 0);
	other = (struct python_place){.runtime = 0, .version = place.version};
	ck_assert_uint_eq(python_walk(&memory, &other, 77, frames, 4), 0);
	other = (struct python_place){.runtime = UINT64_MAX - 3, .version = place.version};
	ck_assert_uint_eq(python_walk(&memory, &other, 77, frames, 4), 0);
}
END_TEST

/* Frames, threads and interpreters that go round, texts and tables of any length. */
START_TEST(python_that_lies)
{
	const struct python_place place = {.runtime = 4096, .version = 0x030c01f0};
	struct script_frame frames[64];

	make_process();
	put(4800 + 8, 4800); /* the frame before this one is itself */
	reads = 0;
	ck_assert_uint_eq(python_walk(&memory, &place, 77, frames, 64), 64);
	ck_assert_uint_le(reads, 64 * 10 + 10);
	put(4500 + 8, 4500);      /* so is the next thread */
	put(4500 + 144, 1);
	put(4300, 4300);          /* and the next interpreter */
	reads = 0;
	ck_assert_uint_eq(python_walk(&memory, &place, 77, frames, 64), 0);
	ck_assert_uint_le(reads, 1024 * 5 + 100);
	for (unsigned int shift = 0; shift < 64; shift++) {
		make_process();
		put(5300 + 16, 1ULL << shift);
		put(5500 + 16, 1ULL << shift);
		ck_assert_uint_le(python_walk(&memory, &place, 77, frames, 64), 1);
		make_process();
		put(5400 + 16, UINT64_MAX << shift);
		ck_assert_uint_le(python_walk(&memory, &place, 77, frames, 64), 1);
	}
}
END_TEST

static const char map[] = "10000 100 JS:~gone /old.js:1:1\n"
			  "10000 100 JS:*get it /a folder/x.js:12:3\n"
			  "20100 30 LazyCompile:~ node:fs:7:1\n"
			  "30000 10 Builtin:Something\n"
			  "40000 10 JS:~f\n"
			  "nonsense\n"
			  "50000 10 Eval:+g file:///x.mjs\n"
			  "60000 10 JS:^h /y.js:99999999999:1";

START_TEST(names_of_a_perf_map)
{
	static const uint64_t words[] = {1, 0x200cb, 3};
	const struct perf_place places[] = {
		{.ip = 0x10080}, {.ip = 0x20000, .words = words, .word_count = 3},
		{.ip = 0x30008}, {.ip = 0x40008},
		{.ip = 0x50010}, {.ip = 0x60001}, {.ip = 0x70000},
		{.ip = 0x20110, .words = words, .word_count = 0},
	};
	struct script_frame frames[8];

	perf_map_name(map, strlen(map), places, 8, frames);
	ck_assert_str_eq(frames[0].function, "get it");
	ck_assert_str_eq(frames[0].file, "/a folder/x.js");
	ck_assert_uint_eq(frames[0].line, 12);
	ck_assert_str_eq(frames[1].function, "(anonymous)");
	ck_assert_str_eq(frames[1].file, "node:fs");
	ck_assert_uint_eq(frames[1].line, 7);
	ck_assert_str_eq(frames[2].function, "");
	ck_assert_str_eq(frames[3].function, "");
	ck_assert_str_eq(frames[4].function, "g");
	ck_assert_str_eq(frames[4].file, "file:///x.mjs");
	ck_assert_uint_eq(frames[4].line, 0);
	ck_assert_str_eq(frames[5].file, "/y.js");
	ck_assert_uint_eq(frames[5].line, 0);
	ck_assert_str_eq(frames[6].function, "");
	ck_assert_str_eq(frames[7].function, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("script");
	TCase *tests = tcase_create("script");

	tcase_add_test(tests, lines_of_a_table);
	tcase_add_test(tests, python_of_a_process);
	tcase_add_test(tests, python_that_lies);
	tcase_add_test(tests, names_of_a_perf_map);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
