/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_acts ACT [ARGUMENT...] ACT...
 *
 * Does one thing after the other with sockets and prints the outcome of each, one a line. There
 * are ten places for sockets; the acts mean the one chosen with `use`.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/live/net_common.h"

enum { PLACES = 10 };

static int sockets[PLACES] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
static unsigned int place;
static struct address last_from; /* of the last `recv` */
static long forced_len = -1;     /* of the next address */
static int send_flags;

#define SOCKET sockets[place]

static struct address address_of(const char *text)
{
	struct address address;

	address_parse(&address, text);
	if (forced_len >= 0)
		address.len = (socklen_t)forced_len;
	forced_len = -1;
	return address;
}

static long act_socket(char **args)
{
	SOCKET = socket(atoi(args[0]), atoi(args[1]), atoi(args[2]));
	return SOCKET < 0 ? -1 : 0;
}

static long act_pair(char **args)
{
	int pair[2];

	if (socketpair(AF_UNIX, atoi(args[0]), 0, pair) < 0)
		return -1;
	SOCKET = pair[0];
	sockets[(place + 1) % PLACES] = pair[1];
	return 0;
}

static long act_use(char **args)
{
	place = (unsigned int)atoi(args[0]) % PLACES;
	return 0;
}

static long act_len(char **args)
{
	forced_len = atol(args[0]);
	return 0;
}

static long act_flags(char **args)
{
	send_flags = (int)strtol(args[0], NULL, 0);
	return 0;
}

static long act_nonblock(char **args)
{
	(void)args;
	return fcntl(SOCKET, F_SETFL, O_NONBLOCK);
}

static long act_option(char **args)
{
	int value = (int)strtol(args[2], NULL, 0);

	return setsockopt(SOCKET, atoi(args[0]), atoi(args[1]), &value, sizeof(value));
}

/* With a value of as many bytes as the text says, in hexadecimal. */
static long act_option_bytes(char **args)
{
	unsigned char value[128] = {0};
	size_t len = strlen(args[2]) / 2;
	unsigned int byte;

	for (size_t i = 0; i < len && i < sizeof(value); i++)
		if (sscanf(args[2] + 2 * i, "%2x", &byte) == 1)
			value[i] = (unsigned char)byte;
	return setsockopt(SOCKET, atoi(args[0]), atoi(args[1]), value, (socklen_t)len);
}

static long act_connect(char **args)
{
	struct address address = address_of(args[0]);

	return connect(SOCKET, (struct sockaddr *)&address.addr, address.len);
}

static long act_bind(char **args)
{
	struct address address = address_of(args[0]);

	return bind(SOCKET, (struct sockaddr *)&address.addr, address.len);
}

static long act_listen(char **args)
{
	(void)args;
	return listen(SOCKET, 5);
}

/* Into the next place. */
static long act_accept(char **args)
{
	(void)args;
	sockets[(place + 1) % PLACES] = accept(SOCKET, NULL, NULL);
	return sockets[(place + 1) % PLACES] < 0 ? -1 : 0;
}

static long act_send(char **args)
{
	return send(SOCKET, args[0], strlen(args[0]), send_flags);
}

static long act_sendto(char **args)
{
	struct address address = address_of(args[0]);

	return sendto(SOCKET, args[1], strlen(args[1]), send_flags,
		      strcmp(args[0], "-") ? (struct sockaddr *)&address.addr : NULL, address.len);
}

/* The data in two parts. */
static void fill(struct msghdr *header, struct address *address, struct iovec iov[2], char *data)
{
	size_t half = strlen(data) / 2;

	iov[0] = (struct iovec){.iov_base = data, .iov_len = half};
	iov[1] = (struct iovec){.iov_base = data + half, .iov_len = strlen(data) - half};
	*header = (struct msghdr){
		.msg_name = address->len ? &address->addr : NULL,
		.msg_namelen = address->len,
		.msg_iov = iov,
		.msg_iovlen = 2,
	};
}

static long act_sendmsg(char **args)
{
	struct address address = address_of(args[0]);
	struct msghdr header;
	struct iovec iov[2];

	fill(&header, &address, iov, args[1]);
	return sendmsg(SOCKET, &header, send_flags);
}

/* With one control message: LEVEL TYPE BYTES(hexadecimal) ADDRESS DATA */
static long act_sendcmsg(char **args)
{
	struct address address = address_of(args[3]);
	union {
		struct cmsghdr align;
		unsigned char room[CMSG_SPACE(128)];
	} control = {.room = {0}};
	struct msghdr header;
	struct iovec iov[2];
	struct cmsghdr *cmsg;
	size_t len = strlen(args[2]) / 2;
	unsigned int byte;

	fill(&header, &address, iov, args[4]);
	header.msg_control = &control;
	header.msg_controllen = CMSG_SPACE(len);
	cmsg = CMSG_FIRSTHDR(&header);
	cmsg->cmsg_level = atoi(args[0]);
	cmsg->cmsg_type = atoi(args[1]);
	cmsg->cmsg_len = CMSG_LEN(len);
	for (size_t i = 0; i < len && i < 128; i++)
		if (sscanf(args[2] + 2 * i, "%2x", &byte) == 1)
			CMSG_DATA(cmsg)[i] = (unsigned char)byte;
	return sendmsg(SOCKET, &header, send_flags);
}

/* ADDRESS DATA ADDRESS DATA: two messages; the lengths that come back are printed as well. */
static long act_sendmmsg(char **args)
{
	struct address addresses[2] = {address_of(args[0]), address_of(args[2])};
	struct mmsghdr headers[2];
	struct iovec iov[2][2];
	int sent;

	for (int i = 0; i < 2; i++) {
		fill(&headers[i].msg_hdr, &addresses[i], iov[i], args[2 * i + 1]);
		headers[i].msg_len = 0;
	}
	sent = sendmmsg(SOCKET, headers, 2, send_flags);
	for (int i = 0; i < sent; i++)
		printf("  message %d: %u\n", i, headers[i].msg_len);
	return sent;
}

/* Waits at most half a second. */
static long act_recv(char **args)
{
	struct pollfd ready = {.fd = SOCKET, .events = POLLIN};
	struct address from = {.len = sizeof(from.addr)};
	char data[4096];
	ssize_t got;

	(void)args;
	if (poll(&ready, 1, 500) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	got = recvfrom(SOCKET, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from.addr,
		       &from.len);
	last_from = from;
	if (got >= 0)
		printf("  from %s: %.*s\n", address_text(&from), (int)got, data);
	return got;
}

static long act_reply(char **args)
{
	return sendto(SOCKET, args[0], strlen(args[0]), send_flags,
		      (struct sockaddr *)&last_from.addr, last_from.len);
}

static long act_name(char **args)
{
	struct address name = {.len = sizeof(name.addr)};
	int result = getsockname(SOCKET, (struct sockaddr *)&name.addr, &name.len);

	(void)args;
	if (result == 0)
		printf("  name %s\n", address_text(&name));
	return result;
}

/* getsockname(2) with room for so many bytes. */
static long act_name_in(char **args)
{
	struct address name = {.len = (socklen_t)atoi(args[0])};
	int result;

	memset(&name.addr, '#', sizeof(name.addr));
	result = getsockname(SOCKET, (struct sockaddr *)&name.addr, &name.len);
	if (result == 0)
		printf("  name %s\n", address_text(&name));
	return result;
}

static long act_peer(char **args)
{
	struct address name = {.len = sizeof(name.addr)};
	int result = getpeername(SOCKET, (struct sockaddr *)&name.addr, &name.len);

	(void)args;
	if (result == 0)
		printf("  peer %s\n", address_text(&name));
	return result;
}

/* Waits for a connect under way and tells how it ended. */
static long act_finish(char **args)
{
	struct pollfd ready = {.fd = SOCKET, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);

	(void)args;
	if (poll(&ready, 1, 2000) == 0)
		error = ETIMEDOUT;
	else
		getsockopt(SOCKET, SOL_SOCKET, SO_ERROR, &error, &len);
	errno = error;
	return error ? -1 : 0;
}

static long act_dup(char **args)
{
	(void)args;
	sockets[(place + 1) % PLACES] = dup(SOCKET);
	return sockets[(place + 1) % PLACES] < 0 ? -1 : 0;
}

static long act_shutdown(char **args)
{
	return shutdown(SOCKET, atoi(args[0]));
}

static long act_close(char **args)
{
	(void)args;
	return close(SOCKET);
}

static long act_fd(char **args)
{
	SOCKET = atoi(args[0]);
	return 0;
}

static long act_umask(char **args)
{
	umask((mode_t)strtol(args[0], NULL, 8));
	return 0;
}

static long act_chdir(char **args)
{
	return chdir(args[0]);
}

static long act_mode(char **args)
{
	struct stat status;

	if (lstat(args[0], &status) < 0)
		return -1;
	printf("  mode %o\n", status.st_mode);
	return 0;
}

static const struct {
	const char *name;
	int args;
	long (*act)(char **args);
} acts[] = {
	{"socket", 3, act_socket},
	{"reply", 1, act_reply},
	{"pair", 1, act_pair},
	{"use", 1, act_use},
	{"len", 1, act_len},
	{"flags", 1, act_flags},
	{"nonblock", 0, act_nonblock},
	{"option", 3, act_option},
	{"optbytes", 3, act_option_bytes},
	{"connect", 1, act_connect},
	{"bind", 1, act_bind},
	{"listen", 0, act_listen},
	{"accept", 0, act_accept},
	{"send", 1, act_send},
	{"sendto", 2, act_sendto},
	{"sendmsg", 2, act_sendmsg},
	{"sendcmsg", 5, act_sendcmsg},
	{"sendmmsg", 4, act_sendmmsg},
	{"recv", 0, act_recv},
	{"name", 0, act_name},
	{"namein", 1, act_name_in},
	{"peer", 0, act_peer},
	{"finish", 0, act_finish},
	{"dup", 0, act_dup},
	{"shutdown", 1, act_shutdown},
	{"close", 0, act_close},
	{"fd", 1, act_fd},
	{"umask", 1, act_umask},
	{"chdir", 1, act_chdir},
	{"mode", 1, act_mode},
};

int main(int argc, char **argv)
{
	for (int i = 1; i < argc;) {
		size_t act = 0;
		long result;

		while (act < sizeof(acts) / sizeof(acts[0]) && strcmp(acts[act].name, argv[i]))
			act++;
		if (act == sizeof(acts) / sizeof(acts[0]) || i + acts[act].args >= argc) {
			fprintf(stderr, "net_acts: bad act %s\n", argv[i]);
			return 99;
		}
		result = acts[act].act(argv + i + 1);
		report(acts[act].name, result);
		i += 1 + acts[act].args;
	}
	return 0;
}
