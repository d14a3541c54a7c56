/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/session_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
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

static char *state_folder_name(const char *home, struct error *err)
{
	const char *state = getenv("XDG_STATE_HOME");
	char *folder;
	int len;

	/* XDG Base Directory Specification: a relative path is to be ignored. */
	if (state && state[0] == '/')
		len = asprintf(&folder, "%s/proctor", state);
	else
		len = asprintf(&folder, "%s/.local/state/proctor", home);
	if (len < 0) {
		error_set(err, ENOMEM, "session folder");
		return NULL;
	}
	return folder;
}

char *session_state_folder(const char *home, struct error *err)
{
	AUTO_FREE char *folder = state_folder_name(home, err);
	int error;

	if (!folder)
		return NULL;
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

/* Of two sessions that began in the same second the later one is the newer. */
static bool is_newer(const char *name, const struct timespec *began, const char *other,
		     const struct timespec *other_began)
{
	const int order = strncmp(name, other, sizeof("20261123-081500") - 1);

	if (order != 0)
		return order > 0;
	if (began->tv_sec != other_began->tv_sec)
		return began->tv_sec > other_began->tv_sec;
	return began->tv_nsec > other_began->tv_nsec;
}

char *session_folder_find(const char *home, const char *name, struct error *err)
{
	AUTO_FREE char *state = state_folder_name(home, err);
	AUTO_DIR DIR *dir = state ? opendir(state) : NULL;
	struct timespec newest = {0};
	char found[NAME_MAX + 1] = "";
	const struct dirent *entry;
	char *folder;
	int matches = 0;

	while (dir && (entry = readdir(dir))) {
		struct stat stat;

		if (entry->d_name[0] == '.' ||
		    (name && strncmp(entry->d_name, name, strlen(name)) != 0) ||
		    fstatat(dirfd(dir), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(stat.st_mode))
			continue;
		matches++;
		if (found[0] && !is_newer(entry->d_name, &stat.st_mtim, found, &newest))
			continue;
		strcpy(found, entry->d_name);
		newest = stat.st_mtim;
		/* The whole id of one may be the start of no other, but be sure. */
		if (name && !strcmp(found, name)) {
			matches = 1;
			break;
		}
	}
	if (!state)
		return NULL;
	if (matches == 0 || (name && !*name)) {
		error_set(err, ENOENT, name ? "no session '%s'" : "no session has been run yet%s",
			  name ? name : "");
		return NULL;
	}
	if (name && matches > 1) {
		error_set(err, 0, "'%s' is the start of %d sessions: give more of it", name, matches);
		return NULL;
	}
	if (asprintf(&folder, "%s/%s", state, found) < 0) {
		error_set(err, ENOMEM, "session folder");
		return NULL;
	}
	return folder;
}
