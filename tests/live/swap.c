/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * swap A B
 *
 * Exchanges what stands at A and B as fast as it can, until it is killed.
 */
#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 99;
	while (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) == 0)
		;
	perror("swap");
	return 1;
}
