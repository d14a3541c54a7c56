/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_scm pass ADDRESS FILE       sends a descriptor of FILE, prints what the peer says of it
 * net_scm many ADDRESS COUNT      sends so many descriptors in one message
 * net_scm bad ADDRESS             sends a descriptor that is none
 * net_scm creds ADDRESS own|pid|uid   sends credentials: true ones, or others
 * net_scm use ADDRESS TARGET      receives a socket, and sends a datagram from it to TARGET
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/live/net_common.h"

enum { FDS_MAX = 300 };

union control {
	struct cmsghdr align;
	unsigned char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

static int connected(const char *text)
{
	struct address address;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	address_parse(&address, text);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address.addr, address.len) < 0)
		give_up("connect");
	return fd;
}

static ssize_t send_control(int fd, int type, const void *data, size_t len)
{
	char word[] = "scm";
	struct iovec iov = {.iov_base = word, .iov_len = strlen(word)};
	union control control = {.room = {0}};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(len),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), data, len);
	return sendmsg(fd, &header, 0);
}

static void print_answer(int fd)
{
	char answer[256];
	ssize_t got = recv(fd, answer, sizeof(answer), 0);

	printf("  answer: %.*s\n", got > 0 ? (int)got : 0, answer);
}

static void send_fds(int fd, const char *file, size_t count)
{
	int fds[FDS_MAX] = {0};
	ssize_t sent;

	for (size_t i = 0; i < count; i++)
		fds[i] = open(file, O_RDONLY | O_CLOEXEC);
	sent = send_control(fd, SCM_RIGHTS, fds, count * sizeof(int));
	report("send", sent);
	if (sent > 0)
		print_answer(fd);
}

static void send_credentials(int fd, const char *which)
{
	struct ucred ucred = {.pid = getpid(), .uid = getuid(), .gid = getgid()};
	ssize_t sent;

	if (!strcmp(which, "pid"))
		ucred.pid = 1;
	else if (!strcmp(which, "uid"))
		ucred.uid = getuid() + 1;
	sent = send_control(fd, SCM_CREDENTIALS, &ucred, sizeof(ucred));
	report("send", sent);
	if (sent > 0)
		print_answer(fd);
}

static void use_received(int fd, const char *target)
{
	char word[16];
	struct iovec iov = {.iov_base = word, .iov_len = sizeof(word)};
	union control control;
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct address address;
	int received;

	address_parse(&address, target);
	if (send(fd, "give", 4, 0) != 4 || recvmsg(fd, &header, 0) <= 0 || !CMSG_FIRSTHDR(&header))
		give_up("recvmsg");
	memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(received));
	report("sendto",
	       sendto(received, "smuggled", 8, 0, (struct sockaddr *)&address.addr, address.len));
	report("connect", connect(received, (struct sockaddr *)&address.addr, address.len));
}

int main(int argc, char **argv)
{
	int nothing = 777;
	int fd;

	if (argc < 3)
		return 99;
	fd = connected(argv[2]);
	if (!strcmp(argv[1], "pass") && argc == 4)
		send_fds(fd, argv[3], 1);
	else if (!strcmp(argv[1], "many") && argc == 4)
		send_fds(fd, "/dev/null", (size_t)atoi(argv[3]) % (FDS_MAX + 1));
	else if (!strcmp(argv[1], "bad"))
		report("send", send_control(fd, SCM_RIGHTS, &nothing, sizeof(nothing)));
	else if (!strcmp(argv[1], "creds") && argc == 4)
		send_credentials(fd, argv[3]);
	else if (!strcmp(argv[1], "use") && argc == 4)
		use_received(fd, argv[3]);
	else
		return 99;
	return 0;
}
