/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * esc_core FOLDER
 *
 * Asks for core files of any size, goes to FOLDER and aborts there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rlimit limit;

	if (argc != 2 || getrlimit(RLIMIT_CORE, &limit) < 0)
		return 99;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_CORE, &limit) < 0)
		perror("setrlimit");
	if (chdir(argv[1]) < 0) {
		perror(argv[1]);
		return 98;
	}
	abort();
}
