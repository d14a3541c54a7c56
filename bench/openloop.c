/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * openloop [-w] PATH COUNT THREADS
 *
 * Opens and closes PATH (for reading; -w: for writing) COUNT times in each of THREADS threads and
 * prints the nanoseconds that one open+close took a thread, the mean over the loop.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	THREADS_MAX = 64,
	WARM_UP = 50, /* first calls: page faults, the supervisor's own start */
};

struct loop {
	const char *path;
	int flags;
	unsigned long count;
	pthread_barrier_t start;
};

static void open_and_close(const struct loop *loop, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		int fd = open(loop->path, loop->flags);

		if (fd < 0)
			err(EXIT_FAILURE, "%s", loop->path);
		close(fd);
	}
}

static void *run(void *arg)
{
	struct loop *loop = arg;

	open_and_close(loop, WARM_UP);
	pthread_barrier_wait(&loop->start);
	open_and_close(loop, loop->count);
	return NULL;
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value < 1 || value > max)
		errx(EXIT_FAILURE, "%s: expected a number from 1 to %lu", text, max);
	return value;
}

int main(int argc, char **argv)
{
	struct loop loop = {.flags = O_RDONLY | O_CLOEXEC};
	pthread_t others[THREADS_MAX];
	unsigned long threads;
	double begin;

	if (argc > 1 && !strcmp(argv[1], "-w")) {
		loop.flags = O_WRONLY | O_CLOEXEC;
		argc--;
		argv++;
	}
	if (argc != 4)
		errx(EXIT_FAILURE, "usage: openloop [-w] PATH COUNT THREADS");
	loop.path = argv[1];
	loop.count = number(argv[2], 1000000000);
	threads = number(argv[3], THREADS_MAX);

	pthread_barrier_init(&loop.start, NULL, (unsigned int)threads);
	for (unsigned long i = 1; i < threads; i++)
		if (pthread_create(&others[i], NULL, run, &loop))
			errx(EXIT_FAILURE, "cannot start a thread");
	open_and_close(&loop, WARM_UP);
	pthread_barrier_wait(&loop.start);
	begin = now_ns();
	open_and_close(&loop, loop.count);
	for (unsigned long i = 1; i < threads; i++)
		pthread_join(others[i], NULL);
	printf("%.0f\n", (now_ns() - begin) / (double)loop.count);
	return 0;
}
