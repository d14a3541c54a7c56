/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_LANDLOCK_H
#define PROCTOR_SUPERVISOR_LANDLOCK_H

#include <stdbool.h>

#include "policy/policy.h"
#include "supervisor/host.h"

/*
 * The second wall: a Landlock domain (landlock(7)) around the tool, so that what slips past the
 * mediation is still refused by the kernel, without a record. The supervisor stands outside: what
 * it carries out for the tool, and the descriptors that it hands out, are not restricted.
 *
 * The rules are a superset of the policy, as Landlock knows only folders and no denials: a pattern
 * counts as the folder in front of its first wildcard. It cannot refuse stat, chdir, O_PATH, chmod,
 * chown, times and extended attributes. An exec reads its image in the kernel, for the tool: what
 * may be executed may be read behind this wall. Where the policy lets everything be read, it does not
 * refuse truncation either, which would make every open dearer.
 *
 * To make another right count (EXECUTE): add it to the row of its operation in `rights` in
 * landlock.c, and to handled_by() with the condition under which the policy can refuse it.
 */

/*
 * Puts the calling thread, which has no_new_privs set, into a domain: signals and ptrace do not get
 * out of it (where the kernel has that), and with `enforce` files are what `policy` allows at most.
 * Does nothing on a host without Landlock. Returns 0 or a negative errno.
 */
int landlock_enter(const struct host *host, const struct policy *policy, bool enforce);

#endif
