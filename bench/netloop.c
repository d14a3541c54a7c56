/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What bench/net.py measures with. A server, and a client that prints nanoseconds:
 *
 *   netloop serve ADDRESS PORT           accepts, reads all that comes, closes
 *   netloop connect ADDRESS PORT COUNT   mean of connect(2), one after the other
 *   netloop name HOST PORT               getaddrinfo(3) and connect(2), once
 *   netloop stream ADDRESS PORT MIB      mean of a MiB sent in pieces of 64 KiB
 *   netloop site HOST PORT MIB           the same by name, after the head of a request to it
 */
#include <arpa/inet.h>
#include <err.h>
#include <netdb.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, PIECES_PER_MIB = 16 };

static char piece[PIECE];

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static struct sockaddr_in address_of(char **argv)
{
	struct sockaddr_in in = {.sin_family = AF_INET};

	in.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	if (inet_pton(AF_INET, argv[0], &in.sin_addr) != 1)
		errx(2, "%s is no IPv4 address", argv[0]);
	return in;
}

static int connected(const struct sockaddr_in *in)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)in, sizeof(*in)) < 0)
		err(1, "connect");
	return fd;
}

static void *drain(void *argument)
{
	int fd = (int)(intptr_t)argument;
	static __thread char buf[PIECE];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
	return NULL;
}

static int serve(const struct sockaddr_in *in)
{
	const int one = 1;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)in, sizeof(*in)) < 0 ||
	    listen(listener, 1024) < 0)
		err(1, "listen");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		pthread_t thread;

		if (fd >= 0 && pthread_create(&thread, NULL, drain, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
	}
}

static uint64_t connect_many(const struct sockaddr_in *in, unsigned long count)
{
	uint64_t spent = 0;

	for (unsigned long i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		uint64_t began = now();

		if (connect(fd, (const struct sockaddr *)in, sizeof(*in)) < 0)
			err(1, "connect");
		spent += now() - began;
		close(fd);
	}
	return spent / count;
}

static int connected_by_name(const char *host, const char *port)
{
	const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int fd;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		errx(1, "%s: not found", host);
	fd = socket(list->ai_family, list->ai_socktype, 0);
	if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) < 0)
		err(1, "connect");
	freeaddrinfo(list);
	return fd;
}

static uint64_t connect_name(const char *host, const char *port)
{
	const uint64_t began = now();

	(void)connected_by_name(host, port);
	return now() - began;
}

static uint64_t stream(int fd, unsigned long mib)
{
	uint64_t began = now();

	for (unsigned long i = 0; i < mib * PIECES_PER_MIB; i++)
		if (write(fd, piece, sizeof(piece)) != sizeof(piece))
			err(1, "write");
	return (now() - began) / mib;
}

static uint64_t stream_to_site(char **argv, unsigned long mib)
{
	int fd = connected_by_name(argv[0], argv[1]);

	if (dprintf(fd, "POST / HTTP/1.1\r\nHost: %s\r\n\r\n", argv[0]) < 0)
		err(1, "write");
	return stream(fd, mib);
}

static uint64_t measure(char **argv, unsigned long count)
{
	struct sockaddr_in in;

	if (!strcmp(argv[0], "site"))
		return stream_to_site(argv + 1, count);
	in = address_of(argv + 1);
	return strcmp(argv[0], "connect") ? stream(connected(&in), count)
					  : connect_many(&in, count);
}

int main(int argc, char **argv)
{
	struct sockaddr_in in;
	unsigned long count;
	uint64_t ns;

	if (argc < 4)
		errx(2, "usage: netloop serve|connect|name|stream|site HOST PORT [COUNT]");
	if (!strcmp(argv[1], "name")) {
		ns = connect_name(argv[2], argv[3]);
	} else if (!strcmp(argv[1], "serve")) {
		in = address_of(argv + 2);
		return serve(&in);
	} else {
		count = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
		if (count == 0)
			errx(2, "a count is missing");
		ns = measure(argv + 1, count);
	}
	printf("%llu\n", (unsigned long long)ns);
	return 0;
}
