/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_CANONICAL_H
#define PROCTOR_POLICY_CANONICAL_H

#include <limits.h>

#include "policy/memory.h"

enum canonical_last {
	CANONICAL_FOLLOW, /* the last component too is followed when it is a symbolic link */
	CANONICAL_KEEP,   /* it is not: unlink(2), rename(2), lstat(2) */
};

/*
 * Writes what the kernel would reach by the absolute path `path` into `ret`:
 * symbolic links followed, "." and ".." gone, no final slash ("/" itself apart).
 * What does not exist, or cannot be looked at, is kept as written. Names at and
 * below /proc/self and /proc/thread-self (and /proc/PID) are kept: they stand for
 * the caller's own, and their links are no ordinary ones.
 * Returns 0, -ELOOP, -ENAMETOOLONG, or -EINVAL for a relative path.
 */
int canonical_path(const char *path, enum canonical_last last, char ret[PATH_MAX]);

/*
 * The same for many paths in a short time: what was found at a name is kept, so that a folder is
 * looked at once for all paths below it. Released with `memory`.
 */
struct canonical_cache *canonical_cache_new(struct memory *memory);
int canonical_path_cached(struct canonical_cache *cache, const char *path,
			  enum canonical_last last, char ret[PATH_MAX]);

#endif
