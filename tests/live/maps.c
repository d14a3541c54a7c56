/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maps WAY FILE [OTHER [TRIES]]
 *
 * Ways to have a file's contents as code:
 *	mmap | mprotect | pkey | threads | threads-mprotect | shared-table
 *	memfd | tmpfile   what has no name, with FILE's contents
 *	memory            no file at all: private, shared, and of a thread
 *	swap              another thread exchanges FILE's descriptor for OTHER's
 *	swap-last         the same, as the last that the thread does: the caller is alone then
 *	swap-memory       another thread exchanges what is mapped
 * Prints "mapped", or the errno's name. swap: how often OTHER's contents were mapped as code.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

struct swap {
	int fds[2];
	int fd;
	char *address;
	char *good;
	unsigned int delay;
	pthread_barrier_t ready;
};

static int say(const void *mapped)
{
	puts(mapped == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	return 0;
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		puts(strerrorname_np(errno));
		exit(3);
	}
	return fd;
}

static void *as_code(int fd)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
}

static void *by_mprotect(int fd, int pkey)
{
	void *mapped = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	long result;

	if (mapped == MAP_FAILED)
		return mapped;
	result = pkey ? syscall(SYS_pkey_mprotect, mapped, (size_t)PAGE, PROT_READ | PROT_EXEC, -1)
		      : mprotect(mapped, PAGE, PROT_READ | PROT_EXEC);
	return result < 0 ? MAP_FAILED : mapped;
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void start_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, wait_for_ever, NULL);
}

static int nameless(const char *way, int from)
{
	int fd = !strcmp(way, "memfd") ? memfd_create("code", MFD_CLOEXEC)
				       : open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0700);
	struct stat stat;

	if (fd < 0 || fstat(from, &stat) < 0 || sendfile(fd, from, NULL, (size_t)stat.st_size) < 0) {
		puts(strerrorname_np(errno));
		exit(3);
	}
	return fd;
}

static int memory(void)
{
	const int code = PROT_READ | PROT_WRITE | PROT_EXEC;
	char *private = mmap(NULL, PAGE, code, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *later = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (private == MAP_FAILED || mprotect(shared, PAGE, code) < 0 ||
	    mprotect(later, PAGE, code) < 0)
		return say(MAP_FAILED);
	start_thread();
	if (mprotect(private, PAGE, PROT_READ) < 0 || mprotect(private, PAGE, code) < 0)
		return say(MAP_FAILED);
	/* It returns what it was given. */
	memcpy(private, "\x89\xf8\xc3", 3);
	if (((int (*)(int))(void *)private)(42) != 42)
		return 1;
	return say(private);
}

/* A process with its parent's descriptors, but not its memory. */
static int shared_table(int fd)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	int status;

	if (pid == 0) {
		say(as_code(fd));
		fflush(stdout);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : 1;
}

static void *swap_descriptor(void *argument)
{
	struct swap *swap = argument;

	pthread_barrier_wait(&swap->ready);
	for (unsigned int i = 0;; i++)
		dup2(swap->fds[i & 1], swap->fd);
	return NULL;
}

static void *swap_once(void *argument)
{
	struct swap *swap = argument;

	for (volatile unsigned int i = 0; i < swap->delay; i++)
		;
	dup2(swap->fds[1], swap->fd);
	syscall(SYS_exit, 0);
	return NULL;
}

static void *swap_memory(void *argument)
{
	struct swap *swap = argument;

	pthread_barrier_wait(&swap->ready);
	for (unsigned int i = 0;; i++) {
		if (i & 1)
			(void)mmap(swap->address, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED,
				   swap->fds[1], 0);
		else
			(void)mmap(swap->address, PAGE, PROT_READ,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	return NULL;
}

/* True when a page that may run begins as the other file does. */
static int is_other(const char *page)
{
	return !memcmp(page, "other", 5);
}

/* Is the page there as code, with the other file's contents? */
static int runs_other(const struct swap *swap)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int found = 0;

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long start;
		unsigned long end;
		char how[5];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, how) == 3 &&
		    start <= (unsigned long)swap->address && (unsigned long)swap->address < end)
			found = how[2] == 'x' && strchr(line, '/') != NULL;
	}
	if (maps)
		fclose(maps);
	return found;
}

/* In a process of its own, as any that may be killed for it: 1 when it won. */
static int try_last_swap(struct swap *swap)
{
	int good = swap->fds[0];
	pthread_t thread;

	for (unsigned int i = 0; i < 50; i++) {
		dup2(good, swap->fd);
		swap->delay = (unsigned int)(getpid() * 7919 + i * 104729) % 200000;
		pthread_create(&thread, NULL, swap_once, swap);
		swap->good = as_code(swap->fd);
		if (swap->good != MAP_FAILED && is_other(swap->good))
			return 1;
		if (swap->good != MAP_FAILED)
			munmap(swap->good, PAGE);
		pthread_join(thread, NULL);
	}
	return 0;
}

static int try_swap(struct swap *swap, int in_memory)
{
	pthread_t thread;

	pthread_barrier_init(&swap->ready, NULL, 2);
	pthread_create(&thread, NULL, in_memory ? swap_memory : swap_descriptor, swap);
	pthread_barrier_wait(&swap->ready);
	for (int i = 0; i < 50; i++) {
		if (in_memory) {
			if (mprotect(swap->address, PAGE, PROT_READ | PROT_EXEC) == 0 &&
			    runs_other(swap))
				return 1;
			continue;
		}
		swap->good = as_code(swap->fd);
		if (swap->good != MAP_FAILED && is_other(swap->good))
			return 1;
		if (swap->good != MAP_FAILED)
			munmap(swap->good, PAGE);
	}
	return 0;
}

static int swap(char **argv)
{
	const int in_memory = !strcmp(argv[1], "swap-memory");
	const int last = !strcmp(argv[1], "swap-last");
	const long tries = argv[4] ? atol(argv[4]) : 10;
	struct swap swap = {.fds = {open_file(argv[2]), open_file(argv[3])}};
	long killed = 0;
	long won = 0;

	swap.fd = dup(swap.fds[0]);
	swap.address = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < tries; i++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			_exit(last ? try_last_swap(&swap) : try_swap(&swap, in_memory));
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		killed += WIFSIGNALED(status);
		won += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	}
	printf("won %ld of %ld\n", won, tries);
	fprintf(stderr, "killed %ld\n", killed);
	return 0;
}

int main(int argc, char **argv)
{
	const char *way = argc > 2 ? argv[1] : "";
	int fd;

	if (!strncmp(way, "swap", 4))
		return argc > 3 ? swap(argv) : 99;
	if (!strcmp(way, "memory"))
		return memory();
	fd = open_file(argv[2]);
	if (!strcmp(way, "mmap"))
		return say(as_code(fd));
	if (!strcmp(way, "mprotect") || !strcmp(way, "pkey"))
		return say(by_mprotect(fd, way[0] == 'p'));
	if (!strcmp(way, "memfd") || !strcmp(way, "tmpfile"))
		return say(as_code(nameless(way, fd)));
	if (!strcmp(way, "shared-table"))
		return shared_table(fd);
	start_thread();
	if (!strcmp(way, "threads"))
		return say(as_code(fd));
	if (!strcmp(way, "threads-mprotect"))
		return say(by_mprotect(fd, 0));
	return 99;
}
