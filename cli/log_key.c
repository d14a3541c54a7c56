/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/log_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/audit.h"
#include "cli/terminal.h"
#include "core/cleanup.h"

char *log_key_path(const char *profile_folder)
{
	char *path;

	if (!profile_folder || asprintf(&path, "%s/log.key", profile_folder) < 0)
		return NULL;
	return path;
}

/* The folder, and the one that it is in. */
static int make_folder(const char *folder)
{
	AUTO_FREE char *above = strdup(folder);
	char *slash = above ? strrchr(above, '/') : NULL;

	if (!above)
		return -ENOMEM;
	if (slash && slash != above) {
		*slash = '\0';
		mkdir(above, 0700);
	}
	return mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int log_key_make(const char *profile_folder, struct error *err)
{
	AUTO_FREE char *path = log_key_path(profile_folder);
	char public[AUDIT_KEY_HEX_SIZE];
	int r;

	if (!path)
		return error_set(err, ENOENT, "there is no folder for the key");
	r = make_folder(profile_folder);
	if (r < 0)
		return error_set(err, -r, "cannot make '%s'", profile_folder);
	if (audit_make_key(path, public, err) < 0)
		return -1;
	terminal_print(stdout, path, SIZE_MAX);
	printf(": from now on logs are signed with it; keep the public key, %s, where the tools that "
	       "you run cannot change it: %s.pub has it too\n",
	       public, "log.key");
	return 0;
}
