/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/session.h"
#include "supervisor/tree.h"

enum {
	LINKS_MAX = 40,    /* MAXSYMLINKS, path_resolution(7) */
	PROC_ROOT_INO = 1, /* include/linux/proc_ns.h */
};

struct walk {
	struct call *call;
	int flags;
	int folder;             /* O_PATH: where we are */
	char rest[2 * PATH_MAX]; /* what is left to follow */
	unsigned int links;
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
	return *ret_fd < 0 ? -errno : 0;
}

/* `link` is a symbolic link at `part`. 0: rest was changed, or *ret_fd is what it leads to. */
static int follow_link(struct walk *walk, const char *part, int link, const struct stat *stat,
		       int *ret_fd)
{
	char target[PATH_MAX];
	ssize_t len;

	if (++walk->links > LINKS_MAX)
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
		int error = set_folder(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));

		if (error < 0)
			return error;
	}
	return prepend(walk, target);
}

/* One component. 0: go on; 1: *ret_fd is the object; or -errno. */
static int step(struct walk *walk, const char *part, int *ret_fd)
{
	AUTO_CLOSE int fd = -1;
	AUTO_CLOSE int target = -1;
	const bool last = walk->rest[0] == '\0';
	struct stat stat;
	int error;

	if (part[0] == '\0' || !strcmp(part, ".")) {
		fd = openat(walk->folder, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else {
		error = replace_self(walk, part);
		if (error != 0)
			return error < 0 ? error : 0;
		fd = openat(walk->folder, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &stat) < 0)
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
	return set_folder(walk, TAKE_FD(fd));
}

/* What can be said of a name that leads nowhere: the folder reached, `part`, the rest. */
static void name_missing(struct walk *walk, const char *part, struct object *ret)
{
	char number[16];
	char folder[PATH_MAX];
	ssize_t len;

	snprintf(number, sizeof(number), "%d", walk->folder);
	len = readlinkat(walk->call->session->self_fds, number, folder, sizeof(folder) - 1);
	folder[len > 0 ? len : 0] = '\0';
	if (!strcmp(folder, "/"))
		folder[0] = '\0';
	len = snprintf(ret->name, sizeof(ret->name), "%s/%s%s", folder, part, walk->rest);
	if (len >= (ssize_t)sizeof(ret->name))
		ret->name[0] = '\0';
}

int walk_path(struct call *call, int base, const char *path, int flags, struct object *ret)
{
	struct walk walk = {.call = call, .flags = flags, .folder = -1};
	char part[NAME_MAX + 1] = "";
	int error;

	snprintf(walk.rest, sizeof(walk.rest), "%s", path);
	walk.folder = path[0] == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
				     : openat(base, ".", O_PATH | O_CLOEXEC);
	if (walk.folder < 0)
		return -errno;
	do {
		error = next_part(&walk, part);
		if (error == 0)
			error = step(&walk, part, &ret->fd);
	} while (error == 0);
	if (error < 0)
		name_missing(&walk, part, ret);
	close_fd(&walk.folder);
	return error < 0 ? error : 0;
}
