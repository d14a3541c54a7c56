/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_PRELOAD_FILES_H
#define PROCTOR_CLI_PRELOAD_FILES_H

#include <stdbool.h>

#include "core/error.h"

/* Where the preload library is. */
struct preload_files {
	char *files[3]; /* NULL-terminated; owned */
};

/*
 * Looks for it beside the program, as in the folder where that is built, and then where it is
 * installed. `http`: with the part for start lines of HTTP. 0, or a negative errno and *err.
 */
int preload_files_find(bool http, struct preload_files *ret, struct error *err);
void preload_files_free(struct preload_files *files);

#endif
