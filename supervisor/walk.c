/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/path.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/names.h"
#include "supervisor/session.h"
#include "supervisor/tree.h"

enum { PROC_ROOT_INO = 1 }; /* include/linux/proc_ns.h */

struct walk {
	struct call *call;
	int flags;
	int folder;             /* O_PATH: where we are; -1: at a name that only exists in a rewrite */
	char rest[2 * PATH_MAX]; /* what is left to follow */
	unsigned int links;
	bool tracked;           /* names_matter() */
	char given[PATH_MAX];   /* tracked: the tool's name of the folder */
	char next[PATH_MAX];    /* tracked: of the component at hand */
};

bool session_owns(const struct session *session, pid_t pid)
{
	return pid != session->self && tree_contains(session->self, pid);
}

pid_t proc_name_pid(const char *name, const char **ret_rest)
{
	char *end;
	long pid;

	if (strncmp(name, "/proc/", 6) != 0 || name[6] < '0' || name[6] > '9')
		return 0;
	pid = strtol(name + 6, &end, 10);
	if ((*end && *end != '/') || pid <= 0 || pid > INT_MAX)
		return 0;
	if (ret_rest)
		*ret_rest = end;
	return (pid_t)pid;
}

/* Puts `text` in front of what is left. */
static int prepend(struct walk *walk, const char *text)
{
	size_t len = strlen(text);
	size_t left = strlen(walk->rest);

	if (len + left + 1 > sizeof(walk->rest))
		return -ENAMETOOLONG;
	memmove(walk->rest + len, walk->rest, left + 1);
	memcpy(walk->rest, text, len);
	return 0;
}

/* Cuts the first component off: into `part`; what stays starts with '/' or is empty. */
static int next_part(struct walk *walk, char part[NAME_MAX + 1])
{
	const char *start = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(start, "/");

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(part, start, len);
	part[len] = '\0';
	memmove(walk->rest, start + len, strlen(start + len) + 1);
	return 0;
}

static bool is_proc_root(const struct walk *walk)
{
	struct stat stat;

	return fstat(walk->folder, &stat) == 0 && stat.st_ino == PROC_ROOT_INO &&
	       stat.st_dev == walk->call->session->proc_dev;
}

/* "self" and "thread-self" are whoever follows them: 1 when `part` was one and is replaced. */
static int replace_self(struct walk *walk, const char *part)
{
	const bool self = !strcmp(part, "self");
	char own[64];
	int error;

	if ((!self && strcmp(part, "thread-self") != 0) || !is_proc_root(walk))
		return 0;
	if (self)
		snprintf(own, sizeof(own), "%d", call_tgid(walk->call));
	else
		snprintf(own, sizeof(own), "%d/task/%d", call_tgid(walk->call),
			 walk->call->request.tid);
	error = prepend(walk, own);
	return error < 0 ? error : 1;
}

static int set_folder(struct walk *walk, int fd)
{
	if (fd < 0)
		return -errno;
	close_fd(&walk->folder);
	walk->folder = fd;
	return 0;
}

/* The tool's name of what was reached otherwise than by a name. */
static int shown_name(const struct walk *walk, int fd, char name[PATH_MAX])
{
	struct session *session = walk->call->session;
	int error = object_shown_name(session, fd, name);

	if (error == 0)
		names_given(session, name);
	return error;
}

static int enter_root(struct walk *walk)
{
	strcpy(walk->next, "/");
	strcpy(walk->given, "/");
	if (walk->tracked) {
		int root = names_open(walk->call->session, "/");

		if (root < 0)
			return root;
		return set_folder(walk, root);
	}
	return set_folder(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* A link of /proc that leads to an object without a name being looked up. */
static int follow_magic(struct walk *walk, const char *part, int *ret_fd)
{
	struct session *session = walk->call->session;
	char number[16];
	char name[PATH_MAX];
	ssize_t len;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", walk->folder);
	len = readlinkat(session->self_fds, number, name, sizeof(name) - 1);
	if (len < 0)
		return -errno;
	name[len] = '\0';
	pid = proc_name_pid(name, NULL);
	if (pid == 0 || !session_owns(session, pid))
		return -EACCES;
	*ret_fd = openat(walk->folder, part, O_PATH | O_CLOEXEC);
	if (*ret_fd < 0)
		return -errno;
	return walk->tracked ? shown_name(walk, *ret_fd, walk->next) : 0;
}

/* `link` is a symbolic link at `part`. 0: rest was changed, or *ret_fd is what it leads to. */
static int follow_link(struct walk *walk, const char *part, int link, const struct stat *stat,
		       int *ret_fd)
{
	char target[PATH_MAX];
	ssize_t len;

	if (++walk->links > PATH_LINKS_MAX)
		return -ELOOP;
	if (stat->st_dev == walk->call->session->proc_dev) {
		const struct open_how how = {
			.flags = O_PATH | O_CLOEXEC,
			.resolve = RESOLVE_NO_MAGICLINKS,
		};
		AUTO_CLOSE int plain =
			(int)syscall(SYS_openat2, walk->folder, part, &how, sizeof(how));

		if (plain < 0 && errno == ELOOP)
			return follow_magic(walk, part, ret_fd);
	}
	len = readlinkat(link, "", target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (len == 0)
		return -ENOENT;
	if (target[0] == '/') {
		int error = enter_root(walk);

		if (error < 0)
			return error;
	}
	return prepend(walk, target);
}

/* The rest of a name that is not followed, as part of a canonical name: none if ".." is in it. */
static void name_rest(char rest[2 * PATH_MAX])
{
	char name[PATH_MAX];

	if (strstr(rest, "..") || strlen(rest) >= sizeof(name)) {
		rest[0] = '\0';
		return;
	}
	path_normalise(rest, name);
	strcpy(rest, strcmp(name, "/") ? name : "");
}

/*
 * As openat(), where names are hidden or rewritten. *ret_fd stays -1 for a name that does not exist but
 * may be on the way to a rewritten one.
 */
static int open_tracked(struct walk *walk, const char *part, bool last, int *ret_fd)
{
	const struct session *session = walk->call->session;
	int error;
	int fd;

	if (walk->folder < 0 && !strcmp(part, ".."))
		return -ENOENT; /* walk->next is what is missing */
	error = names_step(walk->given, part, walk->next);
	if (error < 0)
		return error;
	if (session->hides && walk->next[0] == '/' && policy_hides(session->policy, walk->next))
		return -ENOENT;
	if (walk->folder < 0 || names_cross(session, walk->given, walk->next)) {
		fd = names_open(session, walk->next);
	} else {
		fd = openat(walk->folder, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (fd != -ENOENT || last || !session->rewrites)
		return fd;
	close_fd(&walk->folder);
	strcpy(walk->given, walk->next);
	return 0;
}

/* Opens one component. *ret_fd stays -1 when there is none yet: go on. */
static int open_part(struct walk *walk, const char *part, bool last, int *ret_fd)
{
	const bool followed = !last || !(walk->flags & RESOLVE_LAST_NOFOLLOW);
	int error;

	if (part[0] == '\0' || !strcmp(part, ".")) {
		strcpy(walk->next, walk->given);
		if (walk->folder < 0)
			return -ENOENT;
		*ret_fd = openat(walk->folder, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		return *ret_fd < 0 ? -errno : 0;
	}
	error = followed ? replace_self(walk, part) : 0;
	if (error != 0)
		return error < 0 ? error : 0;
	if (walk->tracked)
		return open_tracked(walk, part, last, ret_fd);
	*ret_fd = openat(walk->folder, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* One component. 0: go on; 1: *ret_fd is the object; or -errno. */
static int step(struct walk *walk, const char *part, int *ret_fd)
{
	AUTO_CLOSE int fd = -1;
	AUTO_CLOSE int target = -1;
	const bool last = walk->rest[0] == '\0';
	struct stat stat;
	int error = open_part(walk, part, last, &fd);

	if (error < 0 || fd < 0)
		return error;
	if (fstat(fd, &stat) < 0)
		return -errno;
	if (S_ISLNK(stat.st_mode) && !(last && (walk->flags & RESOLVE_LAST_NOFOLLOW))) {
		error = follow_link(walk, part, fd, &stat, &target);
		if (error < 0 || target < 0)
			return error;
		close_fd(&fd);
		fd = TAKE_FD(target);
		if (fstat(fd, &stat) < 0)
			return -errno;
	}
	if (last && (!(walk->flags & RESOLVE_DIRECTORY) || S_ISDIR(stat.st_mode))) {
		*ret_fd = TAKE_FD(fd);
		return 1;
	}
	if (!S_ISDIR(stat.st_mode))
		return -ENOTDIR;
	strcpy(walk->given, walk->next);
	return set_folder(walk, TAKE_FD(fd));
}

/* What can be said of a name that leads nowhere: the folder reached, `part`, the rest. */
static void name_missing(struct walk *walk, const char *part, struct object *ret)
{
	char number[16];
	char folder[PATH_MAX];
	ssize_t len;

	name_rest(walk->rest);
	if (walk->tracked) {
		len = snprintf(ret->name, sizeof(ret->name), "%s%s", walk->next, walk->rest);
		if (len >= (ssize_t)sizeof(ret->name))
			ret->name[0] = '\0';
		return;
	}
	snprintf(number, sizeof(number), "%d", walk->folder);
	len = readlinkat(walk->call->session->self_fds, number, folder, sizeof(folder) - 1);
	folder[len > 0 ? len : 0] = '\0';
	if (!strcmp(folder, "/"))
		folder[0] = '\0';
	len = snprintf(ret->name, sizeof(ret->name), "%s/%s%s", folder, part, walk->rest);
	if (len >= (ssize_t)sizeof(ret->name))
		ret->name[0] = '\0';
}

static int begin(struct walk *walk, int base, const char *path)
{
	if (path[0] == '/')
		return enter_root(walk);
	walk->folder = openat(base, ".", O_PATH | O_CLOEXEC);
	if (walk->folder < 0)
		return -errno;
	if (!walk->tracked)
		return 0;
	/* Tools do not tell by which name they came to the folder: by the one that they are shown. */
	return shown_name(walk, walk->folder, walk->given);
}

int walk_path(struct call *call, int base, const char *path, int flags, struct object *ret)
{
	struct walk walk = {.call = call, .flags = flags, .folder = -1};
	char part[NAME_MAX + 1] = "";
	int error;

	walk.tracked = names_matter(call->session);
	snprintf(walk.rest, sizeof(walk.rest), "%s", path);
	error = begin(&walk, base, path);
	if (error < 0) {
		close_fd(&walk.folder);
		return error;
	}
	do {
		error = next_part(&walk, part);
		if (error == 0)
			error = step(&walk, part, &ret->fd);
	} while (error == 0);
	if (error < 0)
		name_missing(&walk, part, ret);
	else if (walk.tracked)
		strcpy(ret->name, walk.next);
	close_fd(&walk.folder);
	return error < 0 ? error : 0;
}
