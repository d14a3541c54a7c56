/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_PYTHON_H
#define PROCTOR_SUPERVISOR_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/script.h"

/*
 * What a thread of CPython 3.11 to 3.13 executes, by the interpreter's own structures in its memory. They
 * are the tool's: every number is one that it may have made up, so that each step is bounded, and what comes of
 * it is the tool's own word.
 */

/* Where the interpreter is: the address of its _PyRuntime, and its Py_Version. */
struct python_place {
	uint64_t runtime; /* 0: there is none */
	uint32_t version;
};

/* The memory. `read` copies exactly `len` bytes, or returns false. */
struct python_memory {
	bool (*read)(void *arg, uint64_t address, void *buf, size_t len);
	void *arg;
};

/*
 * The frames of the thread that the kernel calls `tid`, the one that runs first. Returns how many of at most `max`; 0
 * where it cannot be told.
 */
size_t python_walk(const struct python_memory *memory, const struct python_place *place, pid_t tid,
		   struct script_frame *ret, size_t max);

/*
 * The line that the byte `at` of some code belongs to, by the code's location table, which begins
 * with `line`. 0: none.
 */
unsigned int python_line(const unsigned char *table, size_t len, unsigned int line, uint64_t at);

#endif
