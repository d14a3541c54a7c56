/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* names_client HOST PORT: asks for /x as any program does, by getaddrinfo(3), and prints the answer. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char buf[512];
	ssize_t got;
	int error, fd = -1;

	if (argc != 3)
		return 2;
	error = getaddrinfo(argv[1], argv[2], &hints, &list);
	if (error) {
		printf("%s: %s\n", argv[1], gai_strerror(error));
		return 1;
	}
	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0)
			break;
		perror("connect");
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	if (fd < 0)
		return 1;
	snprintf(buf, sizeof(buf), "GET /x HTTP/1.0\r\nHost: %s\r\n\r\n", argv[1]);
	if (send(fd, buf, strlen(buf), 0) < 0)
		return 1;
	while ((got = recv(fd, buf, sizeof(buf) - 1, 0)) > 0) {
		buf[got] = '\0';
		if (strstr(buf, "/x"))
			printf("%s /x\n", argv[1]);
	}
	close(fd);
	return 0;
}
