/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_PERF_MAP_H
#define PROCTOR_SUPERVISOR_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/script.h"

/*
 * What a compiler at run time writes for profilers, /tmp/perf-PID.map: where each function's code is. Node does with
 * --perf-basic-prof. The file is the tool's.
 */

/* A place on the stack that may belong to such a function: code, or a pointer to its byte code. */
struct perf_place {
	uint64_t ip;
	const uint64_t *words; /* of an interpreter's frame; NULL: the code is the function's own */
	size_t word_count;
};

/* The file's text (free()), *ret_len bytes of it; NULL: there is none. */
char *perf_map_read(pid_t pid, size_t *ret_len);

/*
 * Names the places by the text. ret[i] is that of places[i]; without a name, its function is "". Of
 * several entries for an address the last counts.
 */
void perf_map_name(const char *text, size_t len, const struct perf_place *places, size_t count,
		   struct script_frame *ret);

#endif
