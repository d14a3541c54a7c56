/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_UNWIND_H
#define PROCTOR_SUPERVISOR_UNWIND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/python.h"

/* Stacks from a snapshot. What is read here is the tool's: see stack.h for where it runs. */

/* A thread that waits in a system call. */
struct unwind_snapshot {
	uint64_t ip;
	uint64_t sp;
	const char *maps;           /* /proc/PID/maps; NUL-terminated */
	const unsigned char *stack; /* memory from sp on */
	size_t stack_len;
};

struct unwind_frame {
	uint64_t ip;
	uint64_t offset;     /* in the function; where that is not known, in the object */
	char object[512];    /* path; "" when not known */
	char symbol[256];    /* as the object has it, C++ mangled; "" when not known */
	char build_id[44];
};

struct unwinder;

/* NULL when memory is out. */
struct unwinder *unwinder_new(void);

/* Innermost frame first. Returns how many of at most `max` frames were found. */
size_t unwind(struct unwinder *unwinder, const struct unwind_snapshot *snapshot,
	      struct unwind_frame *ret, size_t max);

/*
 * Of the frames just unwound, what JavaScript they execute, as far as process `pid` has had it written down
 * (perf_map.h). Returns how many of at most `max`.
 */
size_t unwind_find_javascript(const struct unwinder *unwinder, pid_t pid,
			      const struct unwind_frame *frames, size_t count,
			      struct script_frame *ret, size_t max);

/* Where the snapshot's process has a Python interpreter; after unwind(). */
void unwind_find_python(struct unwinder *unwinder, struct python_place *ret);

#endif
