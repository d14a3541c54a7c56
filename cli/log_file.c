/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/log_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/session_folder.h"
#include "core/cleanup.h"

char *log_file_find(const char *home, const char *name, struct error *err)
{
	AUTO_FREE char *folder = NULL;
	char *path;

	if (!name || !strchr(name, '/')) {
		struct error none = {0};

		folder = session_folder_find(home, name, &none);
		/* What is no session may be a file here. */
		if (!folder && (!name || access(name, F_OK) < 0)) {
			if (err)
				*err = none;
			return NULL;
		}
	}
	if (!folder)
		return strdup(name);
	if (asprintf(&path, "%s/audit.jsonl", folder) < 0) {
		error_set(err, ENOMEM, "log");
		return NULL;
	}
	return path;
}
