/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_signal eintr ADDRESS      a connect that waits for ever meets a signal
 * net_signal restart ADDRESS    the same with SA_RESTART: it goes on
 * net_signal timeout ADDRESS    the same with SO_SNDTIMEO, and a signal before that
 * net_signal elapse ADDRESS     SO_SNDTIMEO alone
 * net_signal beside SLOW FAST   while one thread waits, another connects 200 times
 * net_signal send               a full stream socket, a signal, a partial send
 * net_signal sendtimeout        a full stream socket with SO_SNDTIMEO
 * net_signal sigpipe            the peer is gone: SIGPIPE, its target thread, MSG_NOSIGNAL
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/live/net_common.h"

static struct address address;
static volatile sig_atomic_t signals;
static volatile pid_t signal_tid;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
	signal_tid = (pid_t)syscall(SYS_gettid);
}

static void catch (int sig, int flags)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

	sigaction(sig, &action, NULL);
}

/* A SIGALRM after so many milliseconds, and again. */
static void alarm_every(int ms)
{
	const struct itimerval timer = {
		.it_value = {.tv_usec = ms * 1000},
		.it_interval = {.tv_usec = ms * 1000},
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

static void set_timeout(int fd, int ms)
{
	const struct timeval timeout = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

static long connect_to(int fd)
{
	return connect(fd, (struct sockaddr *)&address.addr, address.len);
}

static void eintr(int flags, int timeout_ms, int alarm_ms)
{
	int fd = socket(address.addr.ss_family, SOCK_STREAM, 0);

	catch (SIGALRM, flags);
	if (timeout_ms)
		set_timeout(fd, timeout_ms);
	if (alarm_ms)
		alarm_every(alarm_ms);
	report("connect", connect_to(fd));
	alarm_every(0);
	printf("  signals: %s\n", signals ? "some" : "none");
}

/* Four signals have come, and the connect is still waiting. */
static void on_fourth(int sig)
{
	on_signal(sig);
	if (signals == 4)
		_exit(0);
}

static void restart(void)
{
	struct sigaction action = {.sa_handler = on_fourth, .sa_flags = SA_RESTART};
	int fd = socket(address.addr.ss_family, SOCK_STREAM, 0);

	sigaction(SIGALRM, &action, NULL);
	alarm_every(100);
	report("connect, which must not return", connect_to(fd));
}

static void *wait_for_ever(void *argument)
{
	int fd = socket(address.addr.ss_family, SOCK_STREAM, 0);

	(void)argument;
	report("slow connect, which must not return", connect_to(fd));
	return NULL;
}

static void beside(const char *fast)
{
	enum { WAITING = 8, CONNECTS = 200 };
	struct address other;
	pthread_t thread;
	int connected = 0;

	for (int i = 0; i < WAITING; i++)
		pthread_create(&thread, NULL, wait_for_ever, NULL);
	usleep(50000);
	address_parse(&other, fast);
	for (int i = 0; i < CONNECTS; i++) {
		int fd = socket(other.addr.ss_family, SOCK_STREAM, 0);

		connected += connect(fd, (struct sockaddr *)&other.addr, other.len) == 0;
		close(fd);
	}
	report("connects", connected);
	_exit(0);
}

static void fill_pair(int pair[2], int kind)
{
	static char block[4096];

	if (socketpair(AF_UNIX, kind, 0, pair) < 0)
		give_up("socketpair");
	while (send(pair[0], block, sizeof(block), MSG_DONTWAIT) > 0)
		;
}

static long send_by_sendmsg(int fd, size_t size, int flags)
{
	static char data[1 << 20];
	struct iovec iov = {.iov_base = data, .iov_len = size};
	const struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	return sendmsg(fd, &header, flags);
}

static void full(int timeout_ms)
{
	static char block[1 << 20];
	int pair[2];
	int dgram[2];
	long sent;

	catch (SIGALRM, 0);
	fill_pair(pair, SOCK_STREAM);
	fill_pair(dgram, SOCK_DGRAM);
	report("sendmsg, full, MSG_DONTWAIT", send_by_sendmsg(pair[0], 1000, MSG_DONTWAIT));
	if (timeout_ms) {
		set_timeout(pair[0], timeout_ms);
		set_timeout(dgram[0], timeout_ms);
	} else {
		alarm_every(100);
	}
	report("sendmsg, full", send_by_sendmsg(pair[0], 1000, 0));
	report("sendmsg, full datagram", send_by_sendmsg(dgram[0], 1000, 0));
	while (recv(pair[1], block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	sent = send_by_sendmsg(pair[0], sizeof(block), 0);
	printf("  a part was sent: %s\n", sent > 0 && sent < (long)sizeof(block) ? "yes" : "no");
	alarm_every(0);
}

static void *pipe_in_thread(void *argument)
{
	int fd = *(int *)argument;

	report("sendmsg", send_by_sendmsg(fd, 10, 0));
	printf("  signals %d, to this thread: %s\n", signals,
	       signal_tid == (pid_t)syscall(SYS_gettid) ? "yes" : "no");
	return NULL;
}

static void sigpipe(void)
{
	int pair[2];
	int packets[2];
	pthread_t thread;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets) < 0)
		give_up("socketpair");
	close(pair[1]);
	close(packets[1]);
	catch (SIGPIPE, 0);
	report("sendmsg, MSG_NOSIGNAL", send_by_sendmsg(pair[0], 10, MSG_NOSIGNAL));
	printf("  signals %d\n", signals);
	report("sendmsg, seqpacket", send_by_sendmsg(packets[0], 10, 0));
	printf("  signals %d\n", signals);
	pthread_create(&thread, NULL, pipe_in_thread, &pair[0]);
	pthread_join(thread, NULL);
	signal(SIGPIPE, SIG_IGN);
	report("sendmsg, SIGPIPE ignored", send_by_sendmsg(pair[0], 10, 0));
	signal(SIGPIPE, SIG_DFL);
	fflush(stdout);
	send_by_sendmsg(pair[0], 10, 0);
	printf("still here\n");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 99;
	if (argc > 2)
		address_parse(&address, argv[2]);
	if (!strcmp(argv[1], "eintr"))
		eintr(0, 0, 100);
	else if (!strcmp(argv[1], "restart"))
		restart();
	else if (!strcmp(argv[1], "timeout"))
		eintr(SA_RESTART, 5000, 100);
	else if (!strcmp(argv[1], "elapse"))
		eintr(0, 300, 0);
	else if (!strcmp(argv[1], "beside") && argc == 4)
		beside(argv[3]);
	else if (!strcmp(argv[1], "send"))
		full(0);
	else if (!strcmp(argv[1], "sendtimeout"))
		full(200);
	else if (!strcmp(argv[1], "sigpipe"))
		sigpipe();
	else
		return 99;
	return 0;
}
