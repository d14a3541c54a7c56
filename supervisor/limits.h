/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_LIMITS_H
#define PROCTOR_SUPERVISOR_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "policy/policy.h"

/*
 * The limits cpu, memory and disk of the whole tree. No call is refused for them, because using up
 * time and memory takes no call: the tree is looked at again and again, the sooner the less is left,
 * and a limit that is passed ends the run.
 */
struct limits;

/*
 * Returns 0 and *ret, or a negative errno and *err. To be called while nothing hostile runs. Without
 * any of these limits *ret costs nothing later on.
 */
int limits_new(const struct policy *policy, struct limits **ret, struct error *err);
void limits_free(struct limits *limits);

/* A descriptor that is readable when limits_passed() is due. -1: never. */
int limits_fd(const struct limits *limits);

/*
 * To be called with each descriptor open for writing before the tool has it. From any thread. 0, or a
 * negative errno: the tool must not have it.
 */
int limits_add_file(struct limits *limits, int fd);

/*
 * The tool asks for so many bytes of disk to be set aside, which nobody counts as written
 * (fallocate(2)). NULL: it may have them; else the limit that they would pass. From any thread.
 */
const struct policy_limit *limits_reserve(struct limits *limits, uint64_t bytes);

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
