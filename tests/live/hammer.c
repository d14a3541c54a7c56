/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hammer calls THREADS N FOLDER   N mediated calls by each thread, in two halves: prints "half" in
 *                                 between and waits for a line
 * hammer victim FOLDER            mediated calls of all kinds until it is killed
 * hammer forks N FOLDER           N processes at once, each a few calls
 * hammer threads N FOLDER         N threads at once, each a few calls
 * hammer bomb N FOLDER            N processes that fork and make calls, and do not end
 * hammer thread-bomb N FOLDER     N threads of one process that make calls, and do not end
 * hammer fifo PATH restart|plain  opens a FIFO; an alarm comes, with SA_RESTART or without
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *folder;
static long rounds;
static pthread_barrier_t barrier;
static volatile sig_atomic_t alarms;

/* Calls that succeed and calls that fail. */
static void some_calls(const char *own)
{
	char path[512];
	char other[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, own);
	snprintf(other, sizeof(other), "%s/%s.other", folder, own);
	fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fchmod(fd, 0640) < 0) {
		perror(path);
		exit(98);
	}
	close(fd);
	if (rename(path, other) < 0 || unlink(other) < 0) {
		perror(other);
		exit(98);
	}
	if (unlink("/nothing/here") == 0 || mkdir(folder, 0700) == 0)
		exit(97);
	fd = open(path, O_WRONLY);
	if (fd >= 0)
		exit(96);
}

enum { CALLS_A_ROUND = 7 };

static void *hammer(void *argument)
{
	char own[32];

	snprintf(own, sizeof(own), "t%ld", (long)argument);
	for (int half = 0; half < 2; half++) {
		for (long i = 0; i < rounds / 2; i++)
			some_calls(own);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static int calls(long threads, long count)
{
	char line[16];

	rounds = count / CALLS_A_ROUND;
	pthread_barrier_init(&barrier, NULL, (unsigned int)threads + 1);
	for (long i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, hammer, (void *)i))
			return 95;
	}
	for (int half = 0; half < 2; half++) {
		pthread_barrier_wait(&barrier);
		printf("half\n");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return 94;
		pthread_barrier_wait(&barrier);
	}
	return 0;
}

static void *victim(void *argument)
{
	char own[32];

	snprintf(own, sizeof(own), "v%d-%ld", (int)getpid(), (long)argument);
	for (;;)
		some_calls(own);
	return NULL;
}

static int forks(long count)
{
	int bad = 0;

	for (long i = 0; i < count; i++) {
		char own[32];
		pid_t pid = fork();

		if (pid < 0)
			return 93;
		if (pid == 0) {
			snprintf(own, sizeof(own), "p%ld", i);
			some_calls(own);
			_exit(0);
		}
	}
	for (long i = 0; i < count; i++) {
		int status = 0;

		if (wait(&status) < 0 || status)
			bad++;
	}
	printf("bad %d\n", bad);
	return bad != 0;
}

/* Each has a thread that makes calls, and forks as long as there is anything left to fork. */
static int bomb(long count)
{
	atomic_long *left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	atomic_init(left, count);
	for (int sig = 1; sig < SIGRTMIN; sig++)
		signal(sig, SIG_IGN);
	for (;;) {
		long mine = atomic_fetch_sub(left, 1);

		if (mine == 1) {
			printf("all\n");
			fflush(stdout);
		}
		if (mine <= 0)
			pause();
		if (fork() != 0)
			continue;
		if (mine % 3 == 0)
			setsid();
		if (pthread_create(&thread, NULL, victim, NULL))
			return 91;
	}
}

static int thread_bomb(long count)
{
	pthread_attr_t small;
	pthread_t thread;

	for (int sig = 1; sig < SIGRTMIN; sig++)
		signal(sig, SIG_IGN);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 * 1024);
	for (long i = 0; i < count; i++) {
		if (pthread_create(&thread, &small, victim, (void *)i))
			return 91;
	}
	printf("all\n");
	fflush(stdout);
	for (;;)
		pause();
}

static void *short_thread(void *argument)
{
	char own[32];

	snprintf(own, sizeof(own), "s%ld", (long)argument);
	pthread_barrier_wait(&barrier);
	some_calls(own);
	return NULL;
}

static int threads(long count)
{
	pthread_t *all = calloc((size_t)count, sizeof(*all));

	pthread_barrier_init(&barrier, NULL, (unsigned int)count);
	for (long i = 0; i < count; i++) {
		if (pthread_create(&all[i], NULL, short_thread, (void *)i))
			return 92;
	}
	for (long i = 0; i < count; i++)
		pthread_join(all[i], NULL);
	free(all);
	return 0;
}

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static int fifo(const char *path, int restart)
{
	const struct sigaction action = {
		.sa_handler = on_alarm,
		.sa_flags = restart ? SA_RESTART : 0,
	};
	const struct itimerval soon = {.it_value.tv_usec = 150000};
	int fd;

	sigaction(SIGALRM, &action, NULL);
	printf("opening\n");
	fflush(stdout);
	setitimer(ITIMER_REAL, &soon, NULL);
	fd = open(path, O_WRONLY);
	printf("%s alarms %d\n", fd < 0 ? strerrorname_np(errno) : "open", (int)alarms);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	folder = argv[argc - 1];
	if (!strcmp(what, "calls"))
		return calls(atol(argv[2]), atol(argv[3]));
	if (!strcmp(what, "forks"))
		return forks(atol(argv[2]));
	if (!strcmp(what, "threads"))
		return threads(atol(argv[2]));
	if (!strcmp(what, "bomb"))
		return bomb(atol(argv[2]));
	if (!strcmp(what, "thread-bomb"))
		return thread_bomb(atol(argv[2]));
	if (!strcmp(what, "fifo"))
		return fifo(argv[2], !strcmp(argv[3], "restart"));
	if (!strcmp(what, "victim")) {
		pthread_t thread;

		pthread_create(&thread, NULL, victim, (void *)1L);
		victim(NULL);
	}
	return 99;
}
