/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_GUARD_H
#define PROCTOR_SUPERVISOR_GUARD_H

#include <stdbool.h>

#include "core/access.h"

/*
 * What the tool may read but never change, whatever the policy says: the log, the folder of
 * sessions, and what decides on the next run, the policies and the folder of the user's profiles.
 */
struct guard {
	char **paths; /* owned */
	unsigned int count;
	char *secret; /* what it may not even read; NULL: nothing */
};

/*
 * What the tool may not even read: the key that the log is signed with, a file that exists. It must be
 * one of what is guarded. 0, or a negative errno.
 */
int guard_set_secret(struct guard *guard, const char *path);

/*
 * Adds `path`, relative to our working folder or absolute, whether it exists or not; and every
 * symbolic link on the way to it, each of which leads there only as long as it stays. 0, or -ENOMEM.
 */
int guard_add(struct guard *guard, const char *path);

/*
 * True for any access to the secret, and for a change of what is guarded, or of a folder above it: that may be neither taken away
 * nor put there ready-made (a link, a folder from elsewhere). `makes_folder`: the access makes a
 * new, empty folder, which is harmless above.
 */
bool guard_forbids(const struct guard *guard, const struct access *access, bool makes_folder);

#endif
