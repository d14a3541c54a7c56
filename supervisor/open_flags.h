/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_OPEN_FLAGS_H
#define PROCTOR_SUPERVISOR_OPEN_FLAGS_H

enum { OPEN_FLAGS_MAX = 24 };

/* Symbolic names of open(2) flags, "O_RDONLY" and its like first, NULL-terminated, in `names`. */
const char *const *open_flags_names(int flags, const char *names[OPEN_FLAGS_MAX]);

#endif
