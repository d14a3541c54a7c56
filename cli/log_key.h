/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_LOG_KEY_H
#define PROCTOR_CLI_LOG_KEY_H

#include "core/error.h"

/* Where the key is that logs are signed with: log.key in the folder of the user's profiles. Returns it
 * (free()), or NULL. */
char *log_key_path(const char *profile_folder);

/* `proctor log --keygen`: makes it, and says so. 0 or -1 and *err. */
int log_key_make(const char *profile_folder, struct error *err);

#endif
