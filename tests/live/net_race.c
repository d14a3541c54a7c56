/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_race WHAT ALLOWED DENIED COUNT
 *
 * One thread swaps the address between ALLOWED and DENIED as fast as it can while another makes
 * COUNT calls with it: nothing may ever arrive at DENIED. WHAT is connect (a stream), sendto,
 * sendmsg, sendmmsg (UDP), bind (TCP), name (the msghdr's pointer is swapped, from none to
 * DENIED, on a connected socket), fd (dup2() swaps the socket between a connected and a free
 * one), pair (between one end of a unix(7) pair and a free one) or shared (as pair, by another process
 * that has the same descriptors).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/live/net_common.h"

static struct address allowed, denied;
static struct address shared; /* what the calls are made with */
static struct msghdr shared_header;
static char word[] = "race";
static struct iovec iov = {.iov_base = word, .iov_len = 4};
static atomic_bool stop;
static int slot = -1;
static int connected = -1;
static int loose = -1;

static void *swap_address(void *argument)
{
	(void)argument;
	while (!atomic_load(&stop)) {
		memcpy(&shared.addr, &denied.addr, sizeof(shared.addr));
		atomic_signal_fence(memory_order_seq_cst);
		memcpy(&shared.addr, &allowed.addr, sizeof(shared.addr));
		atomic_signal_fence(memory_order_seq_cst);
	}
	return NULL;
}

static void *swap_name(void *argument)
{
	volatile struct msghdr *header = &shared_header;

	(void)argument;
	while (!atomic_load(&stop)) {
		header->msg_name = &denied.addr;
		header->msg_name = NULL;
	}
	return NULL;
}

static void *swap_fd(void *argument)
{
	(void)argument;
	while (!atomic_load(&stop)) {
		dup2(loose, slot);
		dup2(connected, slot);
	}
	return NULL;
}

static int run_swap_fd(void *argument)
{
	swap_fd(argument);
	return 0;
}

/* `connected` becomes an end of a pair, of which the other is at its peer: what is sent stays there. */
static void make_pair(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
		give_up("socketpair");
	dup2(ends[0], connected);
	close(ends[0]);
}

static int new_socket(int type)
{
	int fd = socket(allowed.addr.ss_family, type, 0);

	if (fd < 0)
		give_up("socket");
	return fd;
}

/* True: the call went through. */
static int connect_once(void)
{
	int fd = new_socket(SOCK_STREAM);
	int result = connect(fd, (struct sockaddr *)&shared.addr, allowed.len);

	close(fd);
	return result == 0;
}

static int bind_once(void)
{
	struct address name = {.len = sizeof(name.addr)};
	int fd = new_socket(SOCK_STREAM);
	int one = 1;
	int result;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	result = bind(fd, (struct sockaddr *)&shared.addr, allowed.len);
	if (result == 0 && getsockname(fd, (struct sockaddr *)&name.addr, &name.len) == 0 &&
	    !memcmp(&name.addr, &denied.addr, 8))
		printf("bound to the denied address\n");
	close(fd);
	return result == 0;
}

static int sendto_once(void)
{
	return sendto(slot, "race", 4, 0, (struct sockaddr *)&shared.addr, allowed.len) == 4;
}

static int sendmsg_once(void)
{
	return sendmsg(slot, &shared_header, 0) == 4;
}

static int sendmmsg_once(void)
{
	struct mmsghdr header = {.msg_hdr = shared_header};

	return sendmmsg(slot, &header, 1, 0) == 1;
}

static const struct {
	const char *what;
	int (*once)(void);
	void *(*swap)(void *argument);
} races[] = {
	{"connect", connect_once, swap_address}, {"sendto", sendto_once, swap_address},
	{"sendmsg", sendmsg_once, swap_address}, {"sendmmsg", sendmmsg_once, swap_address},
	{"bind", bind_once, swap_address},       {"name", sendmsg_once, swap_name},
	{"fd", sendmsg_once, swap_fd},           {"pair", sendmsg_once, swap_fd},
	{"shared", sendmsg_once, NULL},
};

/* The one who swaps: a thread, or for `shared` a process in the same memory. */
static void run_race(size_t race, long count)
{
	static char stack[65536] __attribute__((aligned(16)));
	const bool shares = !races[race].swap;
	pthread_t thread;
	long through = 0;
	pid_t pid = -1;

	if (shares)
		pid = clone(run_swap_fd, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	else
		pthread_create(&thread, NULL, races[race].swap, NULL);
	if (shares && pid < 0)
		give_up("clone");
	for (long i = 0; i < count; i++)
		through += races[race].once();
	atomic_store(&stop, true);
	if (shares)
		waitpid(pid, NULL, 0);
	else
		pthread_join(thread, NULL);
	printf("went through: %s\n", through ? "some" : "none");
}

int main(int argc, char **argv)
{
	size_t race = 0;
	long count;

	if (argc != 5)
		return 99;
	while (race < sizeof(races) / sizeof(races[0]) && strcmp(races[race].what, argv[1]))
		race++;
	if (race == sizeof(races) / sizeof(races[0]))
		return 99;
	address_parse(&allowed, argv[2]);
	address_parse(&denied, argv[3]);
	count = atol(argv[4]);
	shared = allowed;
	connected = new_socket(SOCK_DGRAM);
	loose = new_socket(SOCK_DGRAM);
	slot = dup(!strcmp(argv[1], "sendto") || strstr(argv[1], "msg") ? loose : connected);
	if (allowed.addr.ss_family != AF_UNIX && strcmp(argv[1], "bind") != 0 &&
	    connect(connected, (struct sockaddr *)&allowed.addr, allowed.len) < 0)
		give_up("connect");
	shared_header = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	if (races[race].swap == swap_address)
		shared_header.msg_name = &shared.addr;
	if (!strcmp(argv[1], "pair") || !strcmp(argv[1], "shared"))
		make_pair();
	if (races[race].swap == swap_fd || !races[race].swap)
		shared_header.msg_name = &denied.addr;
	shared_header.msg_namelen = allowed.len;
	run_race(race, count);
	return 0;
}
