/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_WALK_H
#define PROCTOR_SUPERVISOR_WALK_H

#include "supervisor/resolve.h"

/*
 * Follows `path` component by component as the calling thread would see it: "self" and
 * "thread-self" of /proc are the caller's, and links of /proc that lead to an object (fd, cwd,
 * root, exe...) are followed only in processes of the tool's tree. `base` is a folder of ours or
 * AT_FDCWD for an absolute path; `flags` are RESOLVE_*.
 * Where names_matter(), a hidden name on the way is ENOENT, and a rewritten one is entered as a mount
 * point would be.
 * Returns 0 with ret->fd pinned (name and stat are the caller's to set; where names_matter(), ret->name
 * is the tool's name of it, unless something was moved meanwhile), or a negative errno with ret->name
 * the canonical name as far as it exists, followed by the rest.
 */
int walk_path(struct call *call, int base, const char *path, int flags, struct object *ret);

/* True when `pid` (a thread id will do) belongs to the tool. */
bool session_owns(const struct session *session, pid_t pid);

/*
 * The process that a canonical name of /proc is about: "/proc/123/..." -> 123, else 0.
 * *ret_rest (may be NULL) points behind the number.
 */
pid_t proc_name_pid(const char *name, const char **ret_rest);

#endif
