/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/atomic_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/runner.h"

static void check_write(const struct atomic_file *file, const char *path, const char *text)
{
	AUTO_FREE char *found = NULL;

	ck_assert_int_eq(atomic_file_write(file, text, strlen(text)), 0);
	found = log_slurp(path, NULL);
	ck_assert_str_eq(found, text);
}

START_TEST(replaces)
{
	AUTO_FREE char *path = strdup(log_path("file"));
	struct atomic_file file;
	struct error err;

	ck_assert_int_eq(atomic_file_open(&file, path, &err), 0);
	ck_assert_int_ne(access(path, F_OK), 0);
	check_write(&file, path, "first\n");
	check_write(&file, path, "");
	check_write(&file, path, "second, longer\n");
	ck_assert_str_eq(file.path, path);
	atomic_file_close(&file);
	/* A folder in its place is in the way, and nothing is left behind. */
	ck_assert_int_eq(atomic_file_open(&file, path, &err), 0);
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_lt(atomic_file_write(&file, "x", 1), 0);
	rmdir(path);
	atomic_file_close(&file);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* Links are followed when it is opened, never when it is written. */
START_TEST(links)
{
	AUTO_FREE char *path = strdup(log_path("link"));
	AUTO_FREE char *real = strdup(log_path("real"));
	AUTO_FREE char *victim = strdup(log_path("victim"));
	struct atomic_file file;
	struct error err;

	ck_assert_int_eq(symlink("real", path), 0);
	ck_assert_int_eq(atomic_file_open(&file, path, &err), 0);
	ck_assert_str_eq(file.path, real);
	check_write(&file, real, "x");
	unlink(real);
	log_spill(victim, "v", 1);
	ck_assert_int_eq(symlink("victim", real), 0);
	check_write(&file, real, "y");
	{
		AUTO_FREE char *kept = log_slurp(victim, NULL);

		ck_assert_str_eq(kept, "v");
	}
	atomic_file_close(&file);
	unlink(path);
	ck_assert_int_eq(symlink("link", path), 0);
	ck_assert_int_lt(atomic_file_open(&file, path, &err), 0);
}
END_TEST

START_TEST(other_kinds)
{
	AUTO_FREE char *fifo = strdup(log_path("fifo"));
	struct atomic_file file;
	struct error err;
	char got[8] = "";
	int reader;

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_lt(atomic_file_open(&file, fifo, &err), 0);
	reader = open(fifo, O_RDONLY | O_NONBLOCK);
	ck_assert_int_eq(atomic_file_open(&file, fifo, &err), 0);
	ck_assert_ptr_null(file.path);
	ck_assert_int_eq(atomic_file_write(&file, "piped", 5), 0);
	ck_assert_int_eq(read(reader, got, sizeof(got)), 5);
	ck_assert_str_eq(got, "piped");
	atomic_file_close(&file);
	close(reader);
	ck_assert_int_lt(atomic_file_open(&file, log_path(""), &err), 0);
	ck_assert_int_lt(atomic_file_open(&file, log_path("none/x"), &err), 0);
	ck_assert_int_lt(atomic_file_open(&file, "", &err), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("atomic_file");
	TCase *tcase = tcase_create("atomic_file");

	tcase_add_checked_fixture(tcase, log_setup, log_teardown);
	tcase_add_test(tcase, replaces);
	tcase_add_test(tcase, links);
	tcase_add_test(tcase, other_kinds);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
