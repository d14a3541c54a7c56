/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/elf_object.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/runner.h"

static struct elf_object *open_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? elf_open(path, st.st_ino) : NULL;
}

START_TEST(refuses_what_is_no_object)
{
	struct stat st;

	log_spill(log_path("text"), "hello", 5);
	ck_assert_ptr_null(open_file(log_path("text")));
	log_spill(log_path("empty"), "", 0);
	ck_assert_ptr_null(open_file(log_path("empty")));
	ck_assert_ptr_null(open_file("/dev/zero"));
	ck_assert_ptr_null(open_file(log_path("")));
	ck_assert_int_eq(mkfifo(log_path("fifo"), 0600), 0);
	ck_assert_ptr_null(open_file(log_path("fifo")));
	/* Another file than the one that was mapped. */
	ck_assert_int_eq(stat("/proc/self/exe", &st), 0);
	ck_assert_ptr_null(elf_open("/bin/sh", st.st_ino));
}
END_TEST

/* Every address of a function gives its name; the table is sorted. */
static void use(const struct elf_object *object)
{
	uint64_t base;
	uint64_t offset;
	uint64_t vaddr;
	uint32_t entries;
	const int32_t *table = elf_unwind_table(object, &base, &entries);
	size_t found = 0;

	for (uint64_t at = 0; at < 400000; at += 97) {
		const char *name = elf_vaddr(object, at, &vaddr)
					   ? elf_symbol(object, vaddr, &offset)
					   : NULL;

		found += name && strlen(name) > 0;
	}
	for (uint32_t i = 0; table && i < entries; i += 7)
		found += table[2 * i] != 0;
	(void)found;
	(void)elf_build_id(object);
}

START_TEST(knows_its_own_program)
{
	AUTO_FREE char *self = realpath("/proc/self/exe", NULL);
	struct elf_object *object = open_file(self);
	uint64_t base;
	uint32_t entries;
	uint64_t offset;
	uint64_t vaddr;
	bool seen = false;

	ck_assert_ptr_nonnull(object);
	ck_assert_ptr_nonnull(elf_unwind_table(object, &base, &entries));
	ck_assert_uint_gt(entries, 2);
	for (uint64_t at = 0; at < 4000000 && !seen; at++) {
		const char *name = elf_vaddr(object, at, &vaddr)
					   ? elf_symbol(object, vaddr, &offset)
					   : NULL;

		seen = name && !strcmp(name, "main");
	}
	ck_assert(seen);
	elf_close(object);
}
END_TEST

/* Numbers in headers and tables that lead anywhere. */
START_TEST(survives_any_bytes)
{
	AUTO_FREE char *path = strdup(log_path("bad"));
	AUTO_FREE char *bytes = NULL;
	size_t len;

	srand(7);
	bytes = log_slurp("/bin/true", &len);
	for (int round = 0; round < 400; round++) {
		AUTO_FREE char *copy = malloc(len);
		const size_t start = round % 4 == 0 ? 0 : (size_t)rand() % len;
		struct elf_object *object;

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, bytes, len);
		for (int i = 0; i < 1 + round % 40; i++)
			copy[(start + (size_t)(rand() % 2000)) % len] = (char)rand();
		memcpy(copy, bytes, 20); /* or it is no ELF file at all */
		log_spill(path, copy, round % 8 == 7 ? (size_t)rand() % len : len);
		object = open_file(path);
		if (!object)
			continue;
		use(object);
		elf_close(object);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("elf_object");
	TCase *tcase = tcase_create("elf_object");

	tcase_add_checked_fixture(tcase, log_setup, log_teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, refuses_what_is_no_object);
	tcase_add_test(tcase, knows_its_own_program);
	tcase_add_test(tcase, survives_any_bytes);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
