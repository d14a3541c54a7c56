/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names that are made, moved or removed: their folder is pinned, they are not followed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/names.h"
#include "supervisor/resolve.h"
#include "supervisor/session.h"

/* path -> the path of its folder and the entry's name, a trailing '/' kept. */
static int split_entry(const char *path, char folder[PATH_MAX], char last[NAME_MAX + 2])
{
	size_t end = strlen(path);
	size_t start;

	while (end && path[end - 1] == '/')
		end--;
	start = end;
	while (start && path[start - 1] != '/')
		start--;
	if (end == 0) { /* nothing but slashes: the root, on which all these calls fail */
		strcpy(folder, "/");
		strcpy(last, "/");
		return 0;
	}
	if (end - start > NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(last, NAME_MAX + 2, "%.*s%s", (int)(end - start), path + start,
		 path[end] ? "/" : "");
	snprintf(folder, PATH_MAX, "%.*s", start ? (int)start : 1, start ? path : ".");
	return 0;
}

/* The entry's canonical name, once the folder's is in ret->name. */
static int append_last(struct object *ret)
{
	size_t len = strlen(ret->name);
	size_t last = strcspn(ret->last, "/");

	if (!strcmp(ret->last, ".") || !strcmp(ret->last, "./") || last == 0)
		return 0;
	if (len + last + 2 > sizeof(ret->name))
		return -ENAMETOOLONG;
	if (len > 1)
		ret->name[len++] = '/';
	memcpy(ret->name + len, ret->last, last);
	ret->name[len + last] = '\0';
	return 0;
}

/* An entry that is itself put in the place of another is one of that one's folder. */
static int enter_rewrite(struct session *session, const char *folder, struct object *ret, int error)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	const bool slash = strchr(ret->last, '/');
	char buf[PATH_MAX];
	char *last;
	size_t len;
	int parent;

	if (!session->rewrites || (error < 0 && error != -ENOENT) || ret->name[0] != '/' ||
	    !strcmp(folder, ret->name) || !names_cross(session, folder, ret->name) ||
	    names_place(session, ret->name, buf) != buf)
		return error;
	last = strrchr(buf, '/');
	len = strlen(last + 1);
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(ret->last, last + 1, len + 1);
	if (slash)
		strcpy(ret->last + len, "/");
	*last = '\0';
	parent = (int)syscall(SYS_openat2, AT_FDCWD, buf[0] ? buf : "/", &how, sizeof(how));
	if (parent < 0)
		return -errno;
	close_fd(&ret->parent);
	ret->parent = parent;
	ret->rewritten = true;
	return 0;
}

static int finish_entry(struct session *session, struct object *ret, int error)
{
	char folder[PATH_MAX];
	int named;

	if (error == 0)
		ret->parent = TAKE_FD(ret->fd);
	strcpy(folder, ret->name);
	named = ret->name[0] ? append_last(ret) : 0;
	if (named < 0)
		return error < 0 ? error : named;
	return enter_rewrite(session, folder, ret, error);
}

int resolve_entry(struct call *call, int dirfd, const char *path, uint64_t how_resolve,
		  struct object *ret)
{
	char folder[PATH_MAX];
	int error;

	ret->name[0] = '\0';
	if (path[0] == '\0')
		return -ENOENT;
	error = split_entry(path, folder, ret->last);
	if (error < 0)
		return error;
	error = resolve_object(call, dirfd, folder, RESOLVE_DIRECTORY | RESOLVE_TO_SEARCH, how_resolve,
			       ret);
	return finish_entry(call->session, ret, error);
}

int resolve_entry_at(struct call *call, int base, const char *path, struct object *ret)
{
	char folder[PATH_MAX];
	int error = split_entry(path, folder, ret->last);

	ret->name[0] = '\0';
	if (error < 0)
		return error;
	return finish_entry(call->session, ret, resolve_from(call, folder[0] == '/' ? AT_FDCWD : base, folder,
					      RESOLVE_DIRECTORY, 0, ret));
}
