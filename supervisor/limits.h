/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_LIMITS_H
#define PROCTOR_SUPERVISOR_LIMITS_H

#include <stdbool.h>

#include "core/error.h"
#include "policy/policy.h"

/*
 * The limits cpu, memory and disk of the whole tree. No call is refused for them, because using up
 * time and memory takes no call: the tree is looked at again and again, the sooner the less is left,
 * and a limit that is passed ends the run.
 */
struct limits;
struct memory_files;

/*
 * Returns 0 and *ret, or a negative errno and *err. To be called while nothing hostile runs. Without
 * any of these limits *ret costs nothing later on.
 */
int limits_new(const struct policy *policy, struct limits **ret, struct error *err);
void limits_free(struct limits *limits);

/* A descriptor that is readable when limits_passed() is due. -1: never. */
int limits_fd(const struct limits *limits);

/* Where files that are opened for writing are noted; NULL: that is not needed. */
struct memory_files *limits_files(const struct limits *limits);

/* Starts looking. */
void limits_start(struct limits *limits);

/*
 * Looks at all that descends from the calling process, and sets when that is due again. `own_bytes`:
 * what the calling process has written to files by itself. True: a limit has been passed, *ret which.
 */
bool limits_passed(struct limits *limits, uint64_t own_bytes, enum policy_limit_kind *ret);

/* "cpu". Static. */
const char *limit_name(enum policy_limit_kind kind);

#endif
