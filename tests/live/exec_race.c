/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exec_race WHAT WHO TRIES GOOD BAD [NAME]
 *
 * Executes a program TRIES times while somebody else keeps exchanging
 *	path      the name in memory, between GOOD and BAD
 *	argv      the argument in memory, between "good" and "evil"
 *	link      where NAME, a symbolic link, leads to: GOOD or BAD
 *	file      what NAME is: GOOD or BAD, by rename
 *	contents  what stands in NAME: the contents of GOOD or of BAD
 * WHO: leader, thread (another thread executes), vfork (a vfork's child).
 * The program exits with 0, or 7 when its argument is "evil"; BAD exits with 2.
 * Prints "won N of TRIES, ran M".
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	const char *what;
	const char *good;
	const char *bad;
	const char *name;
	char path[4096];
	char argument[8];
} race;

static void copy_over(const char *from)
{
	int source = open(from, O_RDONLY | O_CLOEXEC);
	int fd = open(race.name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	struct stat stat;

	if (source >= 0 && fd >= 0 && fstat(source, &stat) == 0)
		(void)!sendfile(fd, source, NULL, (size_t)stat.st_size);
	close(source);
	close(fd);
}

static void put_link(const char *to)
{
	char other[4096];

	snprintf(other, sizeof(other), "%s-new", race.name);
	unlink(other);
	if (symlink(to, other) == 0)
		rename(other, race.name);
}

static void put_file(const char *from)
{
	char other[4096];

	snprintf(other, sizeof(other), "%s-new", race.name);
	unlink(other);
	if (link(from, other) == 0)
		rename(other, race.name);
}

/* A byte for a byte, so that a string stands there at any time. */
static void put_text(char *at, const char *text)
{
	for (size_t i = 0; text[i]; i++)
		((volatile char *)at)[i] = text[i];
}

static void *exchange(void *unused)
{
	const int in_memory = !strcmp(race.what, "path") || !strcmp(race.what, "argv");

	for (unsigned int i = 0;; i++) {
		const char *now = i & 1 ? race.bad : race.good;

		if (!strcmp(race.what, "path"))
			put_text(race.path, now);
		else if (!strcmp(race.what, "argv"))
			put_text(race.argument, i & 1 ? "evil" : "good");
		else if (!strcmp(race.what, "link"))
			put_link(now);
		else if (!strcmp(race.what, "file"))
			put_file(now);
		else
			copy_over(now);
		if (!in_memory)
			usleep(i % 7 * 20);
	}
	return unused;
}

static void *execute(void *unused)
{
	char *argv[] = {race.path, race.argument, NULL};

	execve(race.path, argv, environ);
	_exit(77);
	return unused;
}

static int status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 99;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* In a process of its own. Memory is exchanged by a thread of it, files by a process outside. */
static int attempt(const char *who, int in_memory)
{
	pthread_t thread;
	pid_t pid;

	if (in_memory) {
		pthread_create(&thread, NULL, exchange, NULL);
		usleep((useconds_t)(getpid() % 5) * 10);
	}
	if (!strcmp(who, "thread")) {
		pthread_create(&thread, NULL, execute, NULL);
		pause();
	}
	if (!strcmp(who, "vfork")) {
		pid = vfork(); /* NOLINT: the very call is tested */
		if (pid == 0)
			execute(NULL); /* NOLINT */
		return status_of(pid);
	}
	execute(NULL);
	return 99;
}

int main(int argc, char **argv)
{
	const long tries = argc > 5 ? atol(argv[3]) : 0;
	long won = 0;
	long ran = 0;
	pid_t switcher = -1;
	int in_memory;

	if (argc == 2 || argc == 3) /* a script's interpreter has the script's name before it */
		return strcmp(argv[argc - 1], "evil") ? 0 : 7;
	if (argc < 6)
		return 99;
	race.what = argv[1];
	race.good = argv[4];
	race.bad = argv[5];
	race.name = argc > 6 ? argv[6] : NULL;
	in_memory = !race.name;
	strcpy(race.argument, "good");
	strcpy(race.path, in_memory ? race.good : race.name);
	if (!in_memory) {
		unlink(race.name); /* it may lead to one of both */
		copy_over(race.good);
		switcher = fork();
		if (switcher == 0)
			exchange(NULL);
	}
	for (long i = 0; i < tries; i++) {
		pid_t pid = fork();
		int code;

		if (pid == 0)
			_exit(attempt(argv[2], in_memory));
		code = status_of(pid);
		won += code == 2 || code == 7;
		ran += code == 0;
	}
	if (switcher > 0) {
		kill(switcher, SIGKILL);
		waitpid(switcher, NULL, 0);
	}
	printf("won %ld of %ld, ran %ld\n", won, tries, ran);
	return 0;
}
