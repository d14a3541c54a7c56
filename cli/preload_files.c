/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/preload_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/abi.h"

/* The folder of the program that runs; "" when it cannot be told. */
static void own_folder(char ret[PATH_MAX])
{
	const ssize_t len = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	char *slash;

	ret[len > 0 ? len : 0] = '\0';
	slash = strrchr(ret, '/');
	if (slash)
		*slash = '\0';
}

static int find(const char *name, char **ret, struct error *err)
{
	char folder[PATH_MAX];

	own_folder(folder);
	if (folder[0]) {
		if (asprintf(ret, "%s/preload/%s", folder, name) < 0) {
			*ret = NULL;
			return error_set(err, ENOMEM, "cannot start");
		}
		if (access(*ret, F_OK) == 0)
			return 0;
		free(*ret);
	}
	if (asprintf(ret, "%s/%s", PRELOAD_FOLDER, name) < 0) {
		*ret = NULL;
		return error_set(err, ENOMEM, "cannot start");
	}
	return access(*ret, F_OK) < 0 ? error_set(err, errno, "the preload library %s", *ret) : 0;
}

int preload_files_find(bool http, struct preload_files *ret, struct error *err)
{
	int error = find(PRELOAD_LIBRARY, &ret->files[0], err);

	return error < 0 || !http ? error : find(PRELOAD_TLS_LIBRARY, &ret->files[1], err);
}

void preload_files_free(struct preload_files *files)
{
	for (size_t i = 0; i < sizeof(files->files) / sizeof(files->files[0]); i++)
		free(files->files[i]);
}
