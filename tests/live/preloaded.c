/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * preloaded [ACT [ARG...]]...: calls functions that the preload library knows, in places where code
 * can find itself, and speaks in its name. Each act prints one line. Built with STATIC, it knows those
 * that a static program can have.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* As in preload/abi.h, which a stranger would have read as well. */
#define WORD 0x70726f63746f72UL
#define MAGIC (1UL << 56 | WORD)

static const char *const variable = "HANDLER_TOKEN";
static const char *seen;

static void on_signal(int sig)
{
	(void)sig;
	seen = getenv(variable);
}

static void *in_thread(void *name)
{
	return getenv(name);
}

/* In a handler, on a stack of hardly more than the least size. */
static const char *by_signal(void)
{
	static char stack[65536];
	const stack_t alternate = {.ss_sp = stack,
				   .ss_size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 4096};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

	sigaltstack(&alternate, NULL);
	sigaction(SIGUSR1, &action, NULL);
	errno = 77;
	raise(SIGUSR1);
	return errno == 77 ? seen : "errno was changed";
}

static const char *by_child(bool shares)
{
	pid_t child = shares ? vfork() : fork(); // NOLINT(clang-analyzer-*)
	int status;

	if (child == 0)
		_exit(getenv("CHILD_TOKEN") ? 3 : 4);
	waitpid(child, &status, 0);
	return WEXITSTATUS(status) == 3 ? "set" : "not set";
}

/* A program that shuts itself in, as some do: what is not on its list kills it. */
static const char *shut_in(void)
{
	static const unsigned int list[] = {SYS_write,	  SYS_exit_group, SYS_getpid,
					    SYS_newfstatat, SYS_fstat,	  SYS_brk};
	struct sock_filter code[32] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	unsigned short len = 1;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		code[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, list[i], 0, 1);
		code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
		  &(struct sock_fprog){.len = len, .filter = code}))
		return "cannot";
	return getenv("SHUT_TOKEN");
}

static void forge(const char *text)
{
	const size_t len = strlen(text);
	const pid_t pid = getpid();
	const struct {
		unsigned long args[6];
	} bad[] = {
		{{WORD, 1, (unsigned long)text, len, 0, 0}},               /* another version */
		{{7UL << 56 | WORD, 1, (unsigned long)text, len, 0, 0}},
		{{MAGIC, 0, (unsigned long)text, len, 0, 0}},              /* no such function */
		{{MAGIC, 9, (unsigned long)text, len, 0, 0}},
		{{MAGIC, 1UL << 32 | 1, (unsigned long)text, len, 0, 0}},
		{{MAGIC, -1UL, (unsigned long)text, len, 0, 0}},
		{{MAGIC, 1, 0, 0, 0, 0}},                                  /* texts missing */
		{{MAGIC, 6, (unsigned long)text, len, 0, 0}},
		{{MAGIC, 3, 0, 0, (unsigned long)text, len}},
		{{MAGIC, 1, (unsigned long)text, len, (unsigned long)text, len}}, /* too many */
		{{MAGIC, 1, (unsigned long)text, 4097, 0, 0}},             /* too long */
		{{MAGIC, 1, (unsigned long)text, -1UL, 0, 0}},
		{{MAGIC, 1, 0, 5, 0, 0}},                                  /* not there */
		{{MAGIC, 1, 8, 5, 0, 0}},
		{{MAGIC, 1, -8UL, 5, 0, 0}},
		{{MAGIC, 1, (unsigned long)text, len + 1, 0, 0}},          /* NUL in it */
	};
	size_t sum = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		sum += syscall(SYS_getpid, bad[i].args[0], bad[i].args[1], bad[i].args[2],
			       bad[i].args[3], bad[i].args[4], bad[i].args[5]) == pid;
	/* Well formed, and a lie. */
	syscall(SYS_getpid, MAGIC, 5UL, "rm -rf /", 8UL, 0UL, 0UL);
	syscall(SYS_getppid, 0UL);
	/* What is no message, and what is one, are a getpid. */
	printf("%s\n", sum == sizeof(bad) / sizeof(bad[0]) &&
			       pid == (pid_t)syscall(SYS_getpid, WORD & 0xffffffff)
		       ? "forged"
		       : "another pid");
}

static void flood(long count)
{
	for (long i = 0; i < count; i++)
		syscall(SYS_getpid, MAGIC, 1UL, "FLOOD", 5UL, 0UL, 0UL);
	printf("flooded\n");
}

/* How long a getenv takes that nobody is told of: the least of some rounds, in ns. */
static void measure(long count)
{
	double least = 1e9;

	for (int round = 0; round < 20; round++) {
		struct timespec begin, end;

		clock_gettime(CLOCK_MONOTONIC, &begin);
		for (long i = 0; i < count; i++)
			seen = getenv("HOME");
		clock_gettime(CLOCK_MONOTONIC, &end);
		const double ns = ((double)(end.tv_sec - begin.tv_sec) * 1e9 +
				   (double)(end.tv_nsec - begin.tv_nsec)) / (double)count;
		least = ns < least ? ns : least;
	}
	printf("%.2f\n", least);
}

static void show(const char *value)
{
	printf("%s\n", value ? value : "(none)");
}

#ifndef STATIC
static void resolve(const char *host, const char *service)
{
	struct addrinfo *found = NULL;
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};

	printf("%d\n", getaddrinfo(host, service[0] ? service : NULL, &hints, &found));
	if (found)
		freeaddrinfo(found);
}

static void run_popen(const char *command)
{
	char line[256] = "";
	FILE *pipe = popen(command, "r"); // NOLINT(cert-env33-c): it is what is tried

	if (!fgets(line, sizeof(line), pipe))
		line[0] = '\0';
	printf("%d %s", pclose(pipe), line);
}
#endif

static void run_system(const char *command)
{
	fflush(stdout);
	printf("%d\n", system(command)); // NOLINT(cert-env33-c): it is what is tried
}

/* One act; how many words it took. */
static int act(char **words)
{
	const char *arg = words[1] ? words[1] : "";
	pthread_t thread;
	void *found;

	if (!strcmp(words[0], "getenv"))
		show(getenv(arg));
	else if (!strcmp(words[0], "secure_getenv"))
		show(secure_getenv(arg));
	else if (!strcmp(words[0], "system"))
		run_system(arg);
	else if (!strcmp(words[0], "forge"))
		forge(arg);
	else if (!strcmp(words[0], "flood"))
		flood(strtol(arg, NULL, 10));
	else if (!strcmp(words[0], "measure"))
		measure(strtol(arg, NULL, 10));
#ifndef STATIC
	else if (!strcmp(words[0], "dlopen"))
		printf("%s\n", dlopen(arg, RTLD_NOW) ? "opened" : "not opened");
	else if (!strcmp(words[0], "popen"))
		run_popen(arg);
	else if (!strcmp(words[0], "getaddrinfo"))
		return resolve(arg, words[2]), 3;
#endif
	else if (!strcmp(words[0], "signal"))
		return show(by_signal()), 1;
	else if (!strcmp(words[0], "fork"))
		return show(by_child(false)), 1;
	else if (!strcmp(words[0], "vfork"))
		return show(by_child(true)), 1;
	else if (!strcmp(words[0], "shut"))
		return show(shut_in()), 1;
	else if (!strcmp(words[0], "thread")) {
		pthread_create(&thread, NULL, in_thread, words[1]);
		pthread_join(thread, &found);
		show(found);
	} else
		exit(99);
	return 2;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int at = 1; at < argc;)
		at += act(argv + at);
	return 0;
}
