/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_PRELOAD_REPORT_H
#define PROCTOR_PRELOAD_REPORT_H

#include <stddef.h>
#include <sys/syscall.h>

#include "preload/abi.h"

/* What both libraries have inside of them; see preload.c for the rules. */

static inline void report(enum preload_function function, const char *first, size_t first_length,
			  const char *second, size_t second_length)
{
	register unsigned long r10 __asm__("r10") = first_length;
	register const char *r8 __asm__("r8") = second;
	register unsigned long r9 __asm__("r9") = second_length;
	unsigned long magic = PRELOAD_MAGIC;
	long result = SYS_getpid;

	/* A getpid(2) of the program's own, which sets no register, must not be another message. */
	__asm__ volatile("syscall\n\txorl %%edi, %%edi"
			 : "+a"(result), "+D"(magic)
			 : "S"((unsigned long)function), "d"(first), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "cc", "memory");
}

static inline size_t length_of(const char *text)
{
	size_t length = 0;

	while (length < PRELOAD_TEXT_MAX && text[length])
		length++;
	return length;
}

#endif
