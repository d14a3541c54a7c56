/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * abi i386|x32
 *
 * Makes getpid through the 32-bit gate (int 0x80), or with the x32 bit, and prints what it
 * returned. Ends by a signal where such calls are not let through.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long result;

	if (argc == 2 && !strcmp(argv[1], "i386")) {
		result = 20; /* getpid of i386 */
		__asm__ volatile("int $0x80" : "+a"(result) : : "memory");
	} else {
		result = 0x40000000 + 39;
		__asm__ volatile("syscall" : "+a"(result) : : "memory", "rcx", "r11");
	}
	printf("%ld\n", result);
	return 0;
}
