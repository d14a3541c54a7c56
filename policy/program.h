/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_PROGRAM_H
#define PROCTOR_POLICY_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/glob.h"
#include "policy/memory.h"

/* What an entry of exec.allow asks for besides the path. */

/* One pattern of `args`. */
struct arg_pattern {
	bool any; /* "**": any number of arguments */
	const struct glob *globs; /* alternatives */
	size_t glob_count;
};

struct program {
	bool has_args;
	const struct arg_pattern *args; /* of what follows argv[0] */
	size_t arg_count;
	const char *sha256; /* 64 lower-case hexadecimal digits; NULL: any */
};

/* Compiles one pattern of `args`. Returns NULL, or what is wrong, in words. */
const char *arg_pattern_compile(struct memory *memory, const char *text, struct arg_pattern *ret);

/* True when the patterns take all of `argv` behind argv[0]. O(patterns * arguments). */
bool program_takes_args(const struct program *program, const char *const *argv);

#endif
