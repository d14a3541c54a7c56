/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * esc_memfd HOW NAME PROGRAM
 *
 * Copies PROGRAM into memory of the name NAME and executes it there.
 *
 *	HOW  at: execveat(2) with an empty path; self, dev: /proc/self/fd/N, /dev/fd/N
 *
 * Exits with 42 and says why when that fails.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[64];
	char name[] = "copy";
	char *args[] = {name, NULL};
	ssize_t sent;
	int memory;
	int file;

	if (argc != 4)
		return 99;
	memory = memfd_create(argv[2], 0);
	file = open(argv[3], O_RDONLY | O_CLOEXEC);
	if (memory < 0 || file < 0) {
		perror("esc_memfd");
		return 99;
	}
	do
		sent = sendfile(memory, file, NULL, 1 << 20);
	while (sent > 0);
	if (sent < 0) {
		perror("sendfile");
		return 99;
	}
	if (!strcmp(argv[1], "at")) {
		execveat(memory, "", args, environ, AT_EMPTY_PATH);
	} else {
		snprintf(path, sizeof(path), "/%s/fd/%d",
			 !strcmp(argv[1], "self") ? "proc/self" : "dev", memory);
		execve(path, args, environ);
	}
	perror("exec");
	return 42;
}
