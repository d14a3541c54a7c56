/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NAMES_H
#define PROCTOR_SUPERVISOR_NAMES_H

#include <limits.h>
#include <stdbool.h>

#include "supervisor/session.h"

/*
 * The name by which the tool knows a file, and the place where it stands. They differ where
 * files.rewrite puts another file or tree under a name: as if that were mounted there. The policy is
 * asked about the name. All names here are absolute and canonical.
 */

/* True when the policy hides or rewrites names: then they are followed one by one (walk.h). */
bool names_matter(const struct session *session);

/*
 * The place of what the tool knows as `name`: `buf`, or `name` itself where nothing is rewritten.
 * NULL when it is too long.
 */
const char *names_place(const struct session *session, const char *name, char buf[PATH_MAX]);

/* True when the step from `folder` to its entry `name`, or to its parent, leads to another tree than
 * it would without a rewrite. */
bool names_cross(const struct session *session, const char *folder, const char *name);

/* Opens (O_PATH) the place of `name`, no symbolic link on the way or at the end being followed.
 * Returns the descriptor or a negative errno. */
int names_open(const struct session *session, const char *name);

/* Changes the name of a place to that by which the tool knows it. True: that is another. */
bool names_given(const struct session *session, char name[PATH_MAX]);

/* The parent of `name`, or `part` below it: into `ret`. 0 or -ENAMETOOLONG. */
int names_step(const char *name, const char *part, char ret[PATH_MAX]);

#endif
