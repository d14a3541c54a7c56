/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_LIBRARY_H
#define PROCTOR_SUPERVISOR_LIBRARY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "core/error.h"
#include "preload/abi.h"
#include "supervisor/call.h"

/*
 * The preload library, from outside: it is given to each new image, and what it tells is recorded as
 * the tool's own word. Nothing is decided by it, and any program may send what it likes in its name.
 */

struct policy;

/* Of all that is told, so much is recorded. */
enum { LIBRARY_RECORDS_S = 1000, LIBRARY_RECORDS_AT_ONCE = 2000 };

struct library {
	char *paths[2]; /* canonical, NULL: none; the order in which they are loaded */
	bool http;
	atomic_ullong received;
	atomic_ullong malformed;
	atomic_ullong dropped;
	pthread_mutex_t lock; /* of what follows */
	uint64_t earned_ns;   /* when `records` was counted */
	unsigned int records; /* that may be written at once */
};

/*
 * `files`: those of the library, NULL-terminated. Refused is one that cannot be read, whose name LD_PRELOAD cannot take,
 * or that the policy rewrites. 0 and *ret (library_free()), or a negative errno and *err.
 */
int library_new(const char *const *files, const struct policy *policy, struct library **ret,
		struct error *err);
void library_free(struct library *library);

/* True for the reading and the mapping of the library itself, which no policy refuses. NULL: false. */
bool library_is_own(const struct library *library, const struct access *access);

/* Takes the library out of the value of an LD_PRELOAD, in place: what is left is the tool's own. */
void library_strip(const struct library *library, char *value);

/* "LD_PRELOAD=" with the library and then `own`, which may be empty (free()). NULL: out of memory. */
char *library_variable(const struct library *library, const char *own);

/* A message as it came in registers; see preload/abi.h. */
struct library_message {
	enum preload_function function;
	struct {
		uint64_t address;
		size_t length;
	} texts[2];
	size_t text_count;
};

/* True when a getpid(2) with these arguments is meant as a message. */
bool library_is_message(const uint64_t args[6]);

/* 0, or -EINVAL: it is not such as the library sends. */
int library_decode(const uint64_t args[6], struct library_message *ret);

/* The name of the function; NULL: there is none. Static. */
const char *library_function_name(enum preload_function function);

/* What has come so far. */
void library_counts(struct library *library, struct audit_library *ret);

#endif
