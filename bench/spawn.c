/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn exec|fork|thread COUNT [PROGRAM]
 *
 * Makes COUNT processes or threads, one after the other, each of which ends at once: a vfork's child
 * that executes PROGRAM, a fork's child, or a thread. Prints the nanoseconds that one took.
 */
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 20 };

static void *nothing(void *argument)
{
	return argument;
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void reap(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		errx(EXIT_FAILURE, "a child failed");
}

static void one(const char *what, char *program)
{
	char *argv[] = {program, NULL};
	pthread_t thread;
	pid_t pid;

	if (!strcmp(what, "thread")) {
		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			errx(EXIT_FAILURE, "cannot start a thread");
		return;
	}
	if (!strcmp(what, "fork")) {
		pid = fork();
		if (pid == 0)
			_exit(0);
	} else {
		pid = vfork(); /* NOLINT: the very call is measured */
		if (pid == 0) {
			execve(program, argv, environ);
			_exit(1);
		}
	}
	reap(pid);
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 0;
	double begin;

	if (count < 1 || (!strcmp(argv[1], "exec") && argc < 4))
		errx(EXIT_FAILURE, "usage: spawn exec|fork|thread COUNT [PROGRAM]");
	for (int i = 0; i < WARM_UP; i++)
		one(argv[1], argv[3]);
	begin = now_ns();
	for (long i = 0; i < count; i++)
		one(argv[1], argv[3]);
	printf("%.0f\n", (now_ns() - begin) / (double)count);
	return 0;
}
