/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_PATH_H
#define PROCTOR_CORE_PATH_H

#include <stdbool.h>

/* Symbolic links that the kernel follows on the way to an object (MAXSYMLINKS, path_resolution(7)). */
enum { PATH_LINKS_MAX = 40 };

/* True when `path` is `folder` or lies below it. Both are canonical: absolute, without "." and "..",
 * and with no slash at the end but that of "/". */
bool path_lies_in(const char *path, const char *folder);

#endif
