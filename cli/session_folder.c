/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/session_folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "core/cleanup.h"

int session_id_new(char ret_id[SESSION_ID_SIZE], struct error *err)
{
	time_t now = time(NULL);
	unsigned int random;
	char stamp[20];
	struct tm utc;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_set(err, errno, "no random numbers");
	gmtime_r(&now, &utc);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &utc);
	snprintf(ret_id, SESSION_ID_SIZE, "%s-%08x", stamp, random);
	return 0;
}

/* Makes the folder and those above it that are missing. */
static int make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		int error;

		if (slash)
			*slash = '\0';
		error = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
		if (slash)
			*slash = '/';
		if (error < 0 || !slash)
			return error;
	}
}

char *session_state_folder(const char *home, struct error *err)
{
	const char *state = getenv("XDG_STATE_HOME");
	AUTO_FREE char *folder = NULL;
	int error;

	/* XDG Base Directory Specification: a relative path is to be ignored. */
	if (state && state[0] == '/')
		error = asprintf(&folder, "%s/proctor", state);
	else
		error = asprintf(&folder, "%s/.local/state/proctor", home);
	if (error < 0) {
		folder = NULL;
		error_set(err, ENOMEM, "session folder");
		return NULL;
	}
	error = make_folders(folder);
	if (error < 0) {
		error_set(err, -error,
			  "cannot make the folder %s for the session's log (XDG_STATE_HOME says "
			  "where)",
			  folder);
		return NULL;
	}
	return TAKE_PTR(folder);
}

char *session_folder_new(const char *state_folder, const char *id, struct error *err)
{
	AUTO_FREE char *folder = NULL;

	if (asprintf(&folder, "%s/%s", state_folder, id) < 0) {
		folder = NULL;
		error_set(err, ENOMEM, "session folder");
		return NULL;
	}
	if (mkdir(folder, 0700) < 0) {
		error_set(err, errno, "cannot make the session folder %s", folder);
		return NULL;
	}
	return TAKE_PTR(folder);
}
