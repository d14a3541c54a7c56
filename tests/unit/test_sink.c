/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/runner.h"

/* Opens and expects a refusal whose message holds `words`. */
static void check_refused(const char *target, const char *words)
{
	const struct audit_config config = {.session = "s",
					    .targets = &target,
					    .target_count = target ? 1 : 0,
					    .folder = "/nowhere"};
	struct audit *audit = NULL;
	struct error err;

	ck_assert_int_lt(audit_open(&config, &audit, &err), 0);
	ck_assert_ptr_null(audit);
	ck_assert_msg(strstr(err.message, words), "%s", err.message);
}

/* The next record fails, and so does every later one, with the same error. */
static void check_fails(struct audit *audit, int error, const char *words)
{
	struct audit_record record = log_blocked();

	ck_assert_ptr_null(audit_failure(audit));
	ck_assert_int_eq(audit_write(audit, &record), -error);
	ck_assert_ptr_nonnull(audit_failure(audit));
	ck_assert_msg(strstr(audit_failure(audit), words), "%s", audit_failure(audit));
	ck_assert_int_eq(audit_write(audit, &record), -error);
	record.event = EVENT_ALLOWED;
	ck_assert_int_eq(audit_write(audit, &record), -error);
	ck_assert_int_eq(audit_write_end(audit, 0, 0), -error);
	ck_assert_uint_eq(audit_blocked_total(audit), 0);
	audit_close(audit);
}

START_TEST(refuses_bad_targets)
{
	char long_path[300];

	ck_assert_int_eq(symlink("real", log_path("link")), 0);
	ck_assert_int_eq(mkfifo(log_path("fifo"), 0600), 0);
	ck_assert_int_eq(mkdir(log_path("folder"), 0700), 0);
	check_refused(log_path("link"), "symbolic link");
	check_refused(log_path("fifo"), "nobody reads it");
	check_refused(log_path("folder"), "Is a directory");
	check_refused(log_path("folder/"), "Is a directory");
	check_refused(log_path("none/log"), "No such file");
	check_refused("", "Is a directory");
	check_refused(NULL, "No such file");
	check_refused("unix:", "a path of");
	memset(long_path, 'x', sizeof(long_path));
	memcpy(long_path, "unix:", 5);
	long_path[sizeof(long_path) - 1] = '\0';
	check_refused(long_path, "a path of");
	snprintf(long_path, sizeof(long_path), "unix:%s", log_path("none"));
	check_refused(long_path, "No such file");
	ck_assert_int_lt(access(log_path("real"), F_OK), 0);
}
END_TEST

START_TEST(makes_a_private_file)
{
	const char *file = log_path("log");
	struct stat st;

	umask(0);
	log_session(file, 1);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(relative_name_outlives_chdir)
{
	struct audit *audit;
	struct audit_record record = log_blocked();

	ck_assert_int_eq(chdir(log_path("")), 0);
	audit = log_open("log", AUDIT_BLOCKED);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(audit_write(audit, &record), 0);
	audit_close(audit);
	ck_assert_int_eq(log_lines(log_path("log")), 1);
}
END_TEST

START_TEST(one_session_at_a_time)
{
	const char *file = log_path("log");
	struct audit *audit = log_open(file, AUDIT_BLOCKED);

	log_start(audit);
	check_refused(file, "another session writes to it");
	ck_assert_int_eq(audit_write_end(audit, 0, 1), 0);
	audit_close(audit);
	log_session(file, 1);
	log_check_sound(file);
}
END_TEST

START_TEST(full_device)
{
	check_fails(log_open("/dev/full", AUDIT_BLOCKED), ENOSPC,
		    "cannot write /dev/full: No space");
}
END_TEST

/* The limit falls within a line: what was written of it is taken back. */
START_TEST(full_file)
{
	const char *file = log_path("log");
	struct audit *audit = log_open(file, AUDIT_BLOCKED);
	const struct audit_record record = log_blocked();
	struct rlimit limit;
	size_t before;
	size_t after;
	int r;

	log_start(audit);
	free(log_slurp(file, &before));
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = before + 2000;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	do {
		r = audit_write(audit, &record);
	} while (r == 0);
	ck_assert_int_eq(r, -EFBIG);
	ck_assert_ptr_nonnull(strstr(audit_failure(audit), "File too large"));
	ck_assert_int_eq(audit_write(audit, &record), -EFBIG);
	audit_close(audit);
	free(log_slurp(file, &after));
	ck_assert_uint_gt(after, before);
	ck_assert_uint_lt(after, before + 2000);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	log_check_sound(file);
	log_session(file, 1);
	log_check_sound(file);
}
END_TEST

static void take_removed(const char *file)
{
	ck_assert_int_eq(unlink(file), 0);
}

static void take_renamed(const char *file)
{
	ck_assert_int_eq(rename(file, log_path("elsewhere")), 0);
}

static void take_replaced(const char *file)
{
	log_spill(log_path("new"), "", 0);
	ck_assert_int_eq(rename(log_path("new"), file), 0);
}

static void take_linked_over(const char *file)
{
	ck_assert_int_eq(rename(file, log_path("elsewhere")), 0);
	ck_assert_int_eq(symlink("elsewhere", file), 0);
}

static void take_truncated(const char *file)
{
	ck_assert_int_eq(truncate(file, 10), 0);
}

static void take_appended(const char *file)
{
	AUTO_FILE FILE *out = fopen(file, "ae");

	fputs("x", out);
}

START_TEST(file_taken_away)
{
	static void (*const takers[])(const char *) = {take_removed,   take_renamed,
						       take_replaced,  take_linked_over,
						       take_truncated, take_appended};
	const char *file = log_path("log");
	struct audit *audit = log_open(file, AUDIT_BLOCKED);

	log_start(audit);
	takers[_i](file);
	check_fails(audit, ESTALE, "it was removed, replaced or changed");
}
END_TEST

START_TEST(folder_may_move)
{
	struct audit *audit;
	struct audit_record record = log_blocked();

	ck_assert_int_eq(mkdir(log_path("a"), 0700), 0);
	audit = log_open(log_path("a/log"), AUDIT_BLOCKED);
	ck_assert_int_eq(rename(log_path("a"), log_path("b")), 0);
	ck_assert_int_eq(audit_write(audit, &record), 0);
	audit_close(audit);
}
END_TEST

/* Standard error becomes a pipe; returns the end to read from. */
static int pipe_stderr(int flags)
{
	int pipes[2];

	ck_assert_int_eq(pipe2(pipes, flags | O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(pipes[1], STDERR_FILENO), STDERR_FILENO);
	close(pipes[1]);
	return pipes[0];
}

START_TEST(standard_error)
{
	AUTO_CLOSE int fd = pipe_stderr(0);
	struct audit *audit = log_open("-", AUDIT_BLOCKED);
	char bytes[4096];
	ssize_t n;

	ck_assert_str_eq(audit_target(audit, 0), "-");
	log_start(audit);
	audit_close(audit);
	ck_assert_int_ge(fcntl(STDERR_FILENO, F_GETFD), 0);
	n = read(fd, bytes, sizeof(bytes));
	ck_assert_int_gt(n, 0);
	log_spill(log_path("log"), bytes, (size_t)n);
	log_check_sound(log_path("log"));
}
END_TEST

START_TEST(closed_pipe)
{
	int fd = pipe_stderr(0);
	struct audit *audit = log_open("-", AUDIT_BLOCKED);

	log_start(audit);
	close(fd);
	check_fails(audit, EPIPE, "cannot write -: Broken pipe");
}
END_TEST

struct drain {
	int fd;
	FILE *out;
};

/* Late, so that a writer finds the channel full first. */
static void *drain_channel(void *argument)
{
	const struct timespec pause = {.tv_nsec = 100000000};
	struct drain *drain = argument;
	char bytes[4096];
	ssize_t n;

	nanosleep(&pause, NULL);
	while ((n = read(drain->fd, bytes, sizeof(bytes))) > 0)
		fwrite(bytes, 1, (size_t)n, drain->out);
	fclose(drain->out);
	close(drain->fd);
	return NULL;
}

/* More than a pipe or a socket holds. */
static void fill_and_drain(struct audit *audit, int fd)
{
	const struct audit_record record = log_blocked();
	struct drain drain = {.fd = fd, .out = fopen(log_path("drained"), "we")};
	pthread_t thread;

	ck_assert_ptr_nonnull(drain.out);
	ck_assert_int_eq(pthread_create(&thread, NULL, drain_channel, &drain), 0);
	log_start(audit);
	for (int i = 0; i < 2000; i++)
		ck_assert_int_eq(audit_write(audit, &record), 0);
	ck_assert_int_eq(audit_write_end(audit, 0, 0), 0);
	audit_close(audit);
	close(STDERR_FILENO);
	pthread_join(thread, NULL);
	log_check_sound(log_path("drained"));
}

START_TEST(pipe_that_does_not_block)
{
	int fd = pipe_stderr(0);

	ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0);
	fill_and_drain(log_open("-", AUDIT_BLOCKED), fd);
}
END_TEST

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

START_TEST(unix_socket)
{
	AUTO_CLOSE int listener = listen_at(log_path("socket"));
	struct audit *audit;
	char target[300];

	snprintf(target, sizeof(target), "unix:%s", log_path("socket"));
	audit = log_open(target, AUDIT_BLOCKED);
	ck_assert_str_eq(audit_target(audit, 0), target);
	fill_and_drain(audit, accept(listener, NULL, NULL));
}
END_TEST

START_TEST(closed_socket)
{
	AUTO_CLOSE int listener = listen_at(log_path("socket"));
	struct audit *audit;
	char target[300];

	snprintf(target, sizeof(target), "unix:%s", log_path("socket"));
	audit = log_open(target, AUDIT_BLOCKED);
	close(accept(listener, NULL, NULL));
	check_fails(audit, EPIPE, "Broken pipe");
}
END_TEST

START_TEST(fifo_with_reader)
{
	const char *fifo = log_path("fifo");
	int fd;

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	fill_and_drain(log_open(fifo, AUDIT_BLOCKED), fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sink");
	TCase *tcase = tcase_create("sink");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, log_setup, log_teardown);
	tcase_add_test(tcase, refuses_bad_targets);
	tcase_add_test(tcase, makes_a_private_file);
	tcase_add_test(tcase, relative_name_outlives_chdir);
	tcase_add_test(tcase, one_session_at_a_time);
	tcase_add_test(tcase, full_device);
	tcase_add_test(tcase, full_file);
	tcase_add_loop_test(tcase, file_taken_away, 0, 6);
	tcase_add_test(tcase, folder_may_move);
	tcase_add_test(tcase, standard_error);
	tcase_add_test(tcase, closed_pipe);
	tcase_add_test(tcase, pipe_that_does_not_block);
	tcase_add_test(tcase, unix_socket);
	tcase_add_test(tcase, closed_socket);
	tcase_add_test(tcase, fifo_with_reader);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
