/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/path.h"

#include <string.h>

bool path_lies_in(const char *path, const char *folder)
{
	const size_t len = strcmp(folder, "/") ? strlen(folder) : 0;

	return !strncmp(path, folder, len) && (path[len] == '/' || path[len] == '\0');
}
