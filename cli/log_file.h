/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_LOG_FILE_H
#define PROCTOR_CLI_LOG_FILE_H

#include "core/error.h"

/*
 * The log that the user means: of a session by its id or the start of one, of a file, or
 * (`name` NULL) of the newest session. Returns its path (free()), or NULL and *err.
 */
char *log_file_find(const char *home, const char *name, struct error *err);

#endif
