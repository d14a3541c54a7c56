/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * execs WAY [PROGRAM [ARG...]]
 *
 * Ways to execute a program:
 *	execve | thread | vfork | spawn | fd | fd-path | memfd | empty | liar | environ
 *	busy        write PROGRAM's copy, close it and run it, ARG times
 *	siblings    from a thread while others make calls
 *	loop        fork and execute, ARG times
 *	tell        print what is known of oneself
 * Prints the errno's name when it fails, and ends with 77.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>


static char **arguments; /* PROGRAM, its arguments */

static _Noreturn void failed(int error)
{
	printf("%s\n", strerrorname_np(error));
	fflush(stdout);
	_exit(77);
}

static int copy(const char *from, int to)
{
	struct stat stat;
	int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &stat) < 0)
		return -1;
	for (off_t left = stat.st_size; left > 0;) {
		ssize_t sent = sendfile(to, fd, NULL, (size_t)left);

		if (sent <= 0)
			return -1;
		left -= sent;
	}
	return close(fd);
}

static void *exec_in_thread(void *unused)
{
	execve(arguments[0], arguments, environ);
	failed(errno);
	return unused;
}

static void *make_calls(void *unused)
{
	for (;;) {
		int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			close(fd);
		unlink("/nowhere/at/all");
	}
	return unused;
}

static int status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		failed(errno);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int by_thread(int siblings)
{
	pthread_t thread;

	for (int i = 0; i < siblings; i++)
		pthread_create(&thread, NULL, make_calls, NULL);
	if (siblings)
		usleep(20000);
	pthread_create(&thread, NULL, exec_in_thread, NULL);
	pause();
	return 99;
}

static int by_vfork(void)
{
	volatile int error = 0;
	pid_t pid = vfork(); /* NOLINT: the very call is tested */
	int status;

	if (pid == 0) {
		execve(arguments[0], arguments, environ);
		error = errno; /* NOLINT */
		_exit(77);
	}
	status = status_of(pid);
	if (error)
		failed(error);
	return status;
}

static int by_spawn(void)
{
	pid_t pid;
	int error = posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ);

	if (error)
		failed(error);
	return status_of(pid);
}

static void by_descriptor(const char *way)
{
	int fd = !strcmp(way, "memfd") ? memfd_create("program", MFD_CLOEXEC)
				       : open(arguments[0], O_PATH | O_CLOEXEC);
	char path[64];

	if (fd < 0 || (!strcmp(way, "memfd") && copy(arguments[0], fd) < 0))
		failed(errno);
	if (!strcmp(way, "fd-path")) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		execve(path, arguments, environ);
	} else {
		syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
	}
	failed(errno);
}

static pid_t start(char **argv)
{
	pid_t pid = vfork(); /* NOLINT: the very call is tested */

	if (pid == 0) {
		execve(argv[0], argv, environ);
		_exit(errno == ETXTBSY ? 78 : 77); /* NOLINT */
	}
	return pid;
}

static int busy(long times)
{
	char name[64];

	for (long i = 0; i < times; i++) {
		char *argv[] = {name, NULL};
		int fd;
		int status;

		snprintf(name, sizeof(name), "./busy-%ld", i % 7);
		unlink(name);
		fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
		if (fd < 0 || copy(arguments[0], fd) < 0 || close(fd) < 0)
			failed(errno);
		status = status_of(start(argv));
		if (status != 1) {
			printf("round %ld: %d\n", i, status);
			return 1;
		}
	}
	return 0;
}

static int loop(long times)
{
	for (long i = 0; i < times; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			execve(arguments[0], arguments, environ);
			_exit(77);
		}
		if (status_of(pid) == 77)
			return 77;
	}
	return 0;
}

static int tell(int argc, char **argv)
{
	printf("argc %d\n", argc);
	for (int i = 0; i < argc; i++)
		printf("argv %s\n", argv[i]);
	printf("uid %d %d gid %d %d\n", (int)getuid(), (int)geteuid(), (int)getgid(), (int)getegid());
	printf("no_new_privs %d dumpable %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	       prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	for (int fd = 0; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			printf("fd %d\n", fd);
	}
	for (char **variable = environ; *variable; variable++)
		printf("env %s\n", *variable);
	return 0;
}

int main(int argc, char **argv)
{
	static char *none[] = {NULL};
	static char name[] = "somebody-else";
	const char *way = argc > 1 ? argv[1] : "tell";
	long times = argc > 3 ? atol(argv[3]) : 0;

	if (!strcmp(way, "tell") || argc < 3)
		return tell(argc, argv);
	arguments = argv + 2;
	if (!strcmp(way, "thread"))
		return by_thread(0);
	if (!strcmp(way, "siblings"))
		return by_thread(3);
	if (!strcmp(way, "vfork"))
		return by_vfork();
	if (!strcmp(way, "spawn"))
		return by_spawn();
	if (!strcmp(way, "busy"))
		return busy(times);
	if (!strcmp(way, "loop"))
		return loop(times);
	if (!strcmp(way, "fd") || !strcmp(way, "fd-path") || !strcmp(way, "memfd"))
		by_descriptor(way);
	if (!strcmp(way, "empty")) {
		execve(arguments[0], none, none);
		failed(errno);
	}
	if (!strcmp(way, "liar")) {
		char *path = arguments[0];

		arguments[0] = name;
		execve(path, arguments, environ);
		failed(errno);
	}
	if (!strcmp(way, "environ")) {
		static char *big[3000];
		char *value = malloc(100001);

		memset(value, 'x', 100000);
		value[100000] = '\0';
		for (int i = 0; i < 2999; i++)
			big[i] = value;
		execve(arguments[0], arguments, big);
		failed(errno);
	}
	execve(arguments[0], arguments, environ);
	failed(errno);
}
