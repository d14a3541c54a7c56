/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_lent PATH ADDRESS: one thread opens PATH with O_PATH, for which proctor lends the process a socket
 * where the policy hides something; another sends from whatever socket there is to ADDRESS. Prints how
 * often it saw a socket, and how often a message went through.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/live/net_common.h"

enum { OPENS = 300, FIRST = 3, LAST = 5 };

static struct address address;
static atomic_bool done;
static unsigned long lent;
static unsigned long went;

static void *send_from_all(void *unused)
{
	char byte = 'x';
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	const struct msghdr header = {
		.msg_name = &address.addr,
		.msg_namelen = address.len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	while (!done)
		for (int fd = FIRST; fd <= LAST; fd++) {
			int type;
			socklen_t len = sizeof(type);

			if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
				continue;
			lent++;
			went += sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
		}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 3)
		return 99;
	address_parse(&address, argv[2]);
	pthread_create(&thread, NULL, send_from_all, NULL);
	for (int i = 0; i < OPENS || (lent == 0 && i < 100 * OPENS); i++) {
		int fd = open(argv[1], O_PATH | O_DIRECTORY);

		if (fd < 0)
			give_up(argv[1]);
		close(fd);
	}
	done = true;
	pthread_join(thread, NULL);
	printf("lent: %lu\nwent through: %lu\n", lent, went);
	return 0;
}
