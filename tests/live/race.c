/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * race KIND TRIES GOOD BAD
 *
 * Makes TRIES calls on an operand in memory that somebody else keeps switching between two values,
 * one of them meant to be refused. Prints how often a call got through, and how often what it
 * reached was the bad one: "tries N good N bad N".
 *
 *	path-thread    open(2) for reading; a thread switches the path between GOOD and BAD
 *	path-vm        the same by a process that shares the memory (CLONE_VM)
 *	path-shared    the same by a process with a shared mapping
 *	write-thread   as path-thread, for writing
 *	how-thread     openat2(2) of BAD; flags switch between reading and writing (bad)
 *	still          open(2) of GOOD: the path's meaning is switched by somebody else
 *	dup            fchmod(2); a thread switches the descriptor between GOOD's and BAD's
 *	unlink-thread  unlink(2); a thread switches the path between GOOD and BAD, which are made anew
 *	exec-shared    fork and execve(2) of a path that a process switches between GOOD and BAD
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPERAND = 4096, STACK = 65536 };

/* struct open_how (openat2(2)) */
struct how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

static struct {
	const char *good;
	const char *bad;
	char *operand; /* what is switched */
	int good_fd;
	int bad_fd;
	int fd;
} race;

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(99);
}

static int switch_path(void *unused)
{
	const size_t good = strlen(race.good) + 1;
	const size_t bad = strlen(race.bad) + 1;

	(void)unused;
	for (;;) {
		memcpy(race.operand, race.good, good);
		atomic_signal_fence(memory_order_seq_cst);
		memcpy(race.operand, race.bad, bad);
		atomic_signal_fence(memory_order_seq_cst);
	}
	return 0;
}

static void *switch_path_thread(void *unused)
{
	switch_path(unused);
	return NULL;
}

static void *switch_how(void *unused)
{
	volatile struct how *how = (volatile struct how *)race.operand;

	for (;;) {
		how->flags = O_RDONLY;
		how->flags = O_WRONLY;
	}
	return unused;
}

static void *switch_descriptor(void *unused)
{
	for (;;) {
		dup2(race.good_fd, race.fd);
		dup2(race.bad_fd, race.fd);
	}
	return unused;
}

static void start_thread(void *(*body)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, NULL))
		give_up("pthread_create");
}

static pid_t start_process(int shares_memory)
{
	static char stack[STACK] __attribute__((aligned(16)));
	pid_t pid = shares_memory ? clone(switch_path, stack + STACK, CLONE_VM | SIGCHLD, NULL)
				  : fork();

	if (pid == 0 && !shares_memory)
		_exit(switch_path(NULL));
	if (pid < 0)
		give_up("clone");
	return pid;
}

static int is_file(int fd, const char *path)
{
	struct stat found;
	struct stat wanted;

	return fstat(fd, &found) == 0 && stat(path, &wanted) == 0 &&
	       found.st_ino == wanted.st_ino && found.st_dev == wanted.st_dev;
}

static void make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	if (fd >= 0)
		close(fd);
}

/* 1: it got through to the good one, -1: to the bad one, 0: it failed. */
static int try_open(int flags)
{
	int fd = open(race.operand, flags);
	int reached;

	if (fd < 0)
		return 0;
	reached = is_file(fd, race.bad) ? -1 : 1;
	close(fd);
	return reached;
}

static int try_how(void)
{
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, race.bad, race.operand, sizeof(struct how));
	int reached;

	if (fd < 0)
		return 0;
	reached = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY ? 1 : -1;
	close(fd);
	return reached;
}

static int try_chmod(void)
{
	struct stat stat;

	if (fchmod(race.fd, 0612) < 0)
		return 0;
	return fstat(race.bad_fd, &stat) == 0 && (stat.st_mode & 07777) == 0612 ? -1 : 1;
}

static int try_unlink(void)
{
	const int done = unlink(race.operand) == 0;

	if (access(race.bad, F_OK) < 0) {
		make(race.bad);
		return -1;
	}
	if (done)
		make(race.good);
	return done;
}

/* The programs say by their exit code who they are: 1 or 2. */
static int try_exec(void)
{
	char *argv[] = {(char *)(uintptr_t)"program", (char *)(uintptr_t)"x", NULL};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execve(race.operand, argv, NULL);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 0;
	if (!WIFEXITED(status) || !WEXITSTATUS(status))
		return 0;
	return WEXITSTATUS(status) == 1 ? 1 : -1;
}

static int try_once(const char *kind)
{
	if (!strncmp(kind, "path-", 5) || !strcmp(kind, "still"))
		return try_open(O_RDONLY);
	if (!strcmp(kind, "write-thread"))
		return try_open(O_WRONLY);
	if (!strcmp(kind, "how-thread"))
		return try_how();
	if (!strcmp(kind, "dup"))
		return try_chmod();
	if (!strcmp(kind, "unlink-thread"))
		return try_unlink();
	return try_exec();
}

static pid_t start(const char *kind)
{
	strcpy(race.operand, race.good);
	if (!strcmp(kind, "path-vm"))
		return start_process(1);
	if (!strcmp(kind, "path-shared") || !strcmp(kind, "exec-shared"))
		return start_process(0);
	if (!strcmp(kind, "how-thread")) {
		memset(race.operand, 0, sizeof(struct how));
		start_thread(switch_how);
	} else if (!strcmp(kind, "dup")) {
		race.good_fd = open(race.good, O_RDONLY);
		race.bad_fd = open(race.bad, O_RDONLY);
		race.fd = dup(race.good_fd);
		if (race.fd < 0 || race.bad_fd < 0)
			give_up("open");
		start_thread(switch_descriptor);
	} else if (strcmp(kind, "still") != 0) {
		start_thread(switch_path_thread);
	}
	return 0;
}

int main(int argc, char **argv)
{
	long tries = argc == 5 ? atol(argv[2]) : 0;
	long good = 0;
	long bad = 0;
	pid_t child;

	if (tries <= 0)
		return 99;
	race.good = argv[3];
	race.bad = argv[4];
	race.operand = mmap(NULL, OPERAND, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (race.operand == MAP_FAILED)
		give_up("mmap");
	child = start(argv[1]);
	for (long i = 0; i < tries; i++) {
		int reached = try_once(argv[1]);

		good += reached > 0;
		bad += reached < 0;
	}
	if (child > 0)
		kill(child, SIGKILL);
	printf("tries %ld good %ld bad %ld\n", tries, good, bad);
	return 0;
}
