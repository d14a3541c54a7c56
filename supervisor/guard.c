/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/guard.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/path.h"

static int add(struct guard *guard, const char *path)
{
	char **paths = reallocarray(guard->paths, guard->count + 1, sizeof(*paths));

	if (!paths)
		return -ENOMEM;
	guard->paths = paths;
	paths[guard->count] = strdup(path);
	return paths[guard->count] && ++guard->count ? 0 : -ENOMEM;
}

/*
 * Writes `path`, which is absolute, to `clean` without "//", "." and "..". Stops behind the first
 * symbolic link: *ret_rest is then what was left to follow, else NULL.
 */
static void clean_path(const char *path, char clean[PATH_MAX], const char **ret_rest)
{
	char target[PATH_MAX];
	size_t used = 0;

	*ret_rest = NULL;
	for (const char *part = path; *part && !*ret_rest;) {
		const size_t len = strcspn(++part, "/");

		if (len == 2 && part[0] == '.' && part[1] == '.') {
			while (used && clean[--used] != '/')
				;
		} else if (len > 1 || (len == 1 && part[0] != '.')) {
			clean[used++] = '/';
			memcpy(clean + used, part, len);
			used += len;
			clean[used] = '\0';
			if (readlink(clean, target, sizeof(target)) >= 0)
				*ret_rest = part + len;
		}
		part += len;
	}
	if (used == 0)
		clean[used++] = '/';
	clean[used] = '\0';
}

/* The path once the link at `link` has been followed. */
static char *follow(const char *link, const char *rest)
{
	const char *last = strrchr(link, '/');
	char target[PATH_MAX];
	char *path = NULL;
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	target[len > 0 ? len : 0] = '\0';
	if (asprintf(&path, "%.*s/%s%s", target[0] == '/' ? 0 : (int)(last - link), link, target,
		     rest) < 0)
		return NULL;
	return path;
}

int guard_add(struct guard *guard, const char *path)
{
	AUTO_FREE char *cwd = getcwd(NULL, 0);
	AUTO_FREE char *at = NULL;
	int error = 0;

	if (asprintf(&at, "%s/%s", *path == '/' || !cwd ? "" : cwd, path) < 0)
		at = NULL;
	for (unsigned int links = 0; error == 0 && links <= PATH_LINKS_MAX; links++) {
		char clean[PATH_MAX];
		const char *rest;
		char *next;

		if (!at)
			return -ENOMEM;
		if (strlen(at) >= sizeof(clean)) /* nothing can be reached by it */
			return 0;
		clean_path(at, clean, &rest);
		error = add(guard, clean);
		if (!rest)
			break;
		next = follow(clean, rest);
		free(at);
		at = next;
	}
	return error;
}

int guard_set_secret(struct guard *guard, const char *path)
{
	guard->secret = realpath(path, NULL);
	return guard->secret ? 0 : -errno;
}

bool guard_forbids(const struct guard *guard, const struct access *access, bool makes_folder)
{
	bool moves = access->op == OP_DELETE || (access->op == OP_CREATE && !makes_folder);

	if (!access->path)
		return false;
	if (guard->secret && !strcmp(access->path, guard->secret))
		return true;
	if (access->class != CLASS_FILE || access->op == OP_READ)
		return false;
	moves &= strcmp(access->path, "/") != 0; /* the kernel has its own answer */
	for (unsigned int i = 0; i < guard->count; i++) {
		if (path_lies_in(access->path, guard->paths[i]) ||
		    (moves && path_lies_in(guard->paths[i], access->path)))
			return true;
	}
	return false;
}
