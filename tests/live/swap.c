/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * swap A B [A B]...
 *
 * Exchanges what stands at A and B as fast as it can, of one pair after the other, until it is killed.
 */
#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc < 3 || argc % 2 == 0)
		return 99;
	for (int i = 1;; i = i + 2 < argc ? i + 2 : 1) {
		if (renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], RENAME_EXCHANGE) < 0)
			break;
	}
	perror("swap");
	return 1;
}
