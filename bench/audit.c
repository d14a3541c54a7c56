/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit records FILE N       writes N chained records of blocked attempts to FILE: records a second
 * audit open PATH N          opens PATH for reading N times: nanoseconds for each, p50 and p99
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static int write_records(const char *file, unsigned long count)
{
	static const char *const argv[] = {"python3", "tool.py", "--fast", NULL};
	static const char *const flags[] = {"O_RDONLY", "O_CLOEXEC", NULL};
	const struct audit_actor actor = {
		.pid = 4711,
		.tid = 4711,
		.ppid = 4700,
		.uid = 1000,
		.exec_id = 2,
		.parent_exec_id = 1,
		.exe = "/usr/bin/python3.11",
		.comm = "python3",
		.argv = argv,
		.cwd = "/home/user/work",
	};
	const struct audit_record record = {
		.event = EVENT_BLOCKED,
		.class = CLASS_FILE,
		.op = OP_READ,
		.syscall = "openat",
		.arg = "../.ssh/id_ed25519",
		.path = "/home/user/.ssh/id_ed25519",
		.flags = flags,
		.verdict = {.decision = DECISION_DENY, .error = EACCES},
		.actor = &actor,
	};
	const struct audit_config config = {
		.session = "20261123-081500-1f9c03a7", .targets = &file, .target_count = 1};
	struct audit *audit;
	struct error err;
	uint64_t began;
	double seconds;

	signal(SIGXFSZ, SIG_IGN);
	if (audit_open(&config, &audit, &err) < 0) {
		fprintf(stderr, "audit: %s\n", err.message);
		return 1;
	}
	began = now();
	for (unsigned long i = 0; i < count; i++) {
		if (audit_write(audit, &record) < 0) {
			fprintf(stderr, "audit: %s\n", audit_failure(audit));
			return 1;
		}
	}
	seconds = (double)(now() - began) / 1e9;
	audit_close(audit);
	printf("%.0f records/s\n", (double)count / seconds);
	return 0;
}

static int by_size(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left;
	const uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static int open_often(const char *path, unsigned long count)
{
	uint64_t *times = calloc(count, sizeof(*times));

	if (!times)
		return 1;
	for (unsigned long i = 0; i < count; i++) {
		uint64_t began = now();
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		times[i] = now() - began;
		if (fd >= 0)
			close(fd);
	}
	qsort(times, count, sizeof(*times), by_size);
	printf("%llu %llu\n", (unsigned long long)times[count / 2],
	       (unsigned long long)times[count * 99 / 100]);
	free(times);
	return 0;
}

int main(int argc, char **argv)
{
	const unsigned long count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	if (count > 0 && !strcmp(argv[1], "records"))
		return write_records(argv[2], count);
	if (count > 0 && !strcmp(argv[1], "open"))
		return open_often(argv[2], count);
	fputs("usage: audit records FILE N | audit open PATH N\n", stderr);
	return 2;
}
