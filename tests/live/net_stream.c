/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_stream send ADDRESS MIB        one sendmsg() of so much in 1024 parts, and what it returned
 * net_stream zerocopy ADDRESS MIB    the same with MSG_ZEROCOPY, and the notices that came
 * net_stream load ADDRESS DENIED COUNT   8 threads connect and send; then waits for a line of input
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h> /* needs <time.h> */

#include "tests/live/net_common.h"

enum { PARTS = 1024, THREADS = 8 };

static struct address address, denied;
static long count;

static int connected(void)
{
	int fd = socket(address.addr.ss_family, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address.addr, address.len) < 0)
		give_up("connect");
	return fd;
}

/* The pattern that the peer checks: byte i is i modulo 251. */
static void send_all(int fd, size_t size, int flags)
{
	static struct iovec iov[PARTS];
	unsigned char *data = malloc(size);
	const struct msghdr header = {.msg_iov = iov, .msg_iovlen = PARTS};

	if (!data)
		give_up("malloc");
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i % 251);
	for (size_t i = 0; i < PARTS; i++) {
		iov[i].iov_base = data + i * (size / PARTS);
		iov[i].iov_len = size / PARTS;
	}
	report("sendmsg", sendmsg(fd, &header, flags));
	/* Whoever still reads from our pages now reads something else. */
	memset(data, 0xff, flags & MSG_ZEROCOPY ? 0 : size);
}

static void print_notices(int fd)
{
	struct pollfd ready = {.fd = fd};
	unsigned int notices = 0;
	unsigned char control[256];

	while (notices == 0 && poll(&ready, 1, 3000) > 0) {
		struct msghdr header = {.msg_control = control, .msg_controllen = sizeof(control)};
		struct cmsghdr *cmsg;

		if (recvmsg(fd, &header, MSG_ERRQUEUE) < 0)
			break;
		cmsg = CMSG_FIRSTHDR(&header);
		if (cmsg) {
			const struct sock_extended_err *error = (void *)CMSG_DATA(cmsg);

			if (error->ee_origin == SO_EE_ORIGIN_ZEROCOPY)
				notices += error->ee_data - error->ee_info + 1;
		}
	}
	printf("  notices: %u\n", notices);
}

static void *load(void *argument)
{
	long *wrong = argument;

	for (long i = 0; i < count; i++) {
		int fd = socket(address.addr.ss_family, SOCK_STREAM, 0);
		char byte = 0;
		struct iovec iov = {.iov_base = &byte, .iov_len = 1};
		const struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

		if (i % 8 == 0) {
			*wrong += connect(fd, (struct sockaddr *)&denied.addr, denied.len) == 0 ||
				  errno != EACCES;
		} else if (connect(fd, (struct sockaddr *)&address.addr, address.len) < 0) {
			++*wrong;
		} else {
			*wrong += sendmsg(fd, &header, MSG_NOSIGNAL) != 1;
		}
		close(fd);
	}
	return NULL;
}

static void load_all(void)
{
	pthread_t threads[THREADS];
	long wrong[THREADS] = {0};
	long sum = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, load, &wrong[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += wrong[i];
	}
	report("wrong", sum);
	getchar();
}

int main(int argc, char **argv)
{
	int one = 1;
	int fd;

	if (argc < 4)
		return 99;
	address_parse(&address, argv[2]);
	if (!strcmp(argv[1], "send")) {
		fd = connected();
		send_all(fd, (size_t)atoi(argv[3]) << 20, 0);
	} else if (!strcmp(argv[1], "zerocopy")) {
		fd = connected();
		report("SO_ZEROCOPY", setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
		send_all(fd, (size_t)atoi(argv[3]) << 20, MSG_ZEROCOPY);
		print_notices(fd);
	} else if (!strcmp(argv[1], "load") && argc == 5) {
		address_parse(&denied, argv[3]);
		count = atol(argv[4]);
		load_all();
	} else {
		return 99;
	}
	return 0;
}
