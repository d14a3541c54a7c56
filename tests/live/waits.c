/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waits KIND FOLDER [restart]
 * waits many FOLDER THREADS      that many threads wait, and then the process ends
 *
 * Three threads wait in opens of FIFOs when the process gets a signal, which one thread takes:
 *	first    the first thread, which waits in an open as well
 *	vfork    the first thread, which waits for a child, as after vfork, and is late to take it
 *	any      one of the three: the first thread blocks it
 * Prints how many opens came back, with EINTR and otherwise, and how many signals were taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 3 };

static const char *folder;
static atomic_int interrupted;
static atomic_int others;
static atomic_int signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static void pause_ms(long ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void *wait_in_open(void *number)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/fifo-%ld", folder, (long)number);
	if (mkfifo(path, 0600) < 0)
		_exit(99);
	if (open(path, O_WRONLY) < 0 && errno == EINTR)
		interrupted++;
	else
		others++;
	return NULL;
}

static pid_t signal_after(long ms)
{
	const pid_t target = getpid();
	const pid_t child = fork();

	if (child == 0) {
		pause_ms(ms);
		kill(target, SIGALRM);
		_exit(0);
	}
	return child;
}

static int report(void)
{
	printf("interrupted %d others %d signals %d\n", interrupted, others, signals);
	fflush(stdout);
	_exit(0);
}

static int wait_in_many(long threads)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread, &attr, wait_in_open, (void *)i))
			return 99;
	pause_ms(500);
	return report();
}

int main(int argc, char **argv)
{
	const int flags = argc > 3 && !strcmp(argv[3], "restart") ? SA_RESTART : 0;
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
	pthread_t thread;
	sigset_t mask;
	pid_t child;

	if (argc < 3)
		return 99;
	folder = argv[2];
	if (argc > 3 && !strcmp(argv[1], "many"))
		return wait_in_many(strtol(argv[3], NULL, 10));
	sigaction(SIGALRM, &action, NULL);
	for (long i = 1; i <= THREADS; i++)
		if (pthread_create(&thread, NULL, wait_in_open, (void *)i))
			return 99;
	pause_ms(100);
	child = signal_after(100);
	if (!strcmp(argv[1], "first")) {
		wait_in_open(NULL);
	} else if (!strcmp(argv[1], "vfork")) {
		if (syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0) == 0) {
			pause_ms(500);
			_exit(0);
		}
	} else {
		sigemptyset(&mask);
		sigaddset(&mask, SIGALRM);
		pthread_sigmask(SIG_BLOCK, &mask, NULL);
		pause_ms(400);
	}
	waitpid(child, NULL, 0);
	pause_ms(200);
	return report();
}
