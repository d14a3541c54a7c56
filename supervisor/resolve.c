/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/names.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"
#include "supervisor/walk.h"

void object_release(struct object *object)
{
	close_fd(&object->fd);
	close_fd(&object->parent);
}

const char *object_proc_path(int fd, char buf[PROC_FD_PATH_MAX])
{
	snprintf(buf, PROC_FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return buf;
}

int object_open(struct session *session, const struct object *object, int flags, mode_t mode)
{
	char number[16];
	int fd;

	snprintf(number, sizeof(number), "%d", object->fd);
	fd = openat(session->self_fds, number, flags, mode);
	return fd < 0 ? -errno : fd;
}

bool object_is_nameless(const struct object *object)
{
	/* d_path: a name from a file system that is mounted nowhere does not start with '/', but
	 * that of a memfd (tmpfs, never linked) does. */
	if (object->name[0] == '/')
		return object->stat.st_nlink == 0 && !strncmp(object->name, "/memfd:", 7);
	return !strncmp(object->name, "pipe:[", 6) || !strncmp(object->name, "socket:[", 8) ||
	       !strncmp(object->name, "anon_inode:", 11);
}

/* True when the object's name is gone, and the mark is not part of a name that it has. */
static bool is_marked(const struct stat *stat, const char *name, size_t len, const char *mark)
{
	struct stat found;

	if (len <= strlen(mark) || strcmp(name + len - strlen(mark), mark) != 0 ||
	    !strncmp(name, "/memfd:", 7))
		return false;
	return stat->st_nlink == 0 || lstat(name, &found) < 0 || found.st_ino != stat->st_ino ||
	       found.st_dev != stat->st_dev;
}

/* The name that /proc shows for `fd`; that of a deleted object without the mark. */
static int read_name(struct session *session, int fd, const struct stat *stat, char *name)
{
	static const char mark[] = " (deleted)";
	char number[16];
	ssize_t len;

	snprintf(number, sizeof(number), "%d", fd);
	len = readlinkat(session->self_fds, number, name, PATH_MAX - 1);
	if (len < 0)
		return -errno;
	name[len] = '\0';
	if (len == PATH_MAX - 1)
		return -ENAMETOOLONG;
	if (is_marked(stat, name, (size_t)len, mark))
		name[len - (ssize_t)strlen(mark)] = '\0';
	return 0;
}

int object_shown_name(struct session *session, int fd, char name[PATH_MAX])
{
	struct stat stat;

	return fstat(fd, &stat) < 0 ? -errno : read_name(session, fd, &stat, name);
}

/*
 * A second mount of /proc shows the supervisor under names that no rule on /proc covers; nothing
 * in it is opened. The last device found not to be one is remembered.
 */
static bool on_other_proc(struct session *session, int fd, const struct stat *stat)
{
	struct statfs fs;

	if (stat->st_dev == session->proc_dev ||
	    stat->st_dev == atomic_load_explicit(&session->plain_dev, memory_order_relaxed))
		return false;
	if (fstatfs(fd, &fs) < 0)
		return true;
	if (fs.f_type == PROC_SUPER_MAGIC)
		return true;
	atomic_store_explicit(&session->plain_dev, stat->st_dev, memory_order_relaxed);
	return false;
}

/*
 * The name of an object that is pinned: `name`, where that is known, or what /proc shows, by which the
 * tool may know it under another. NULL or one that has become wrong: it is asked for.
 */
static int set_name(struct session *session, const char *name, struct object *ret)
{
	const char *place = NULL;
	char shown[PATH_MAX];
	char buf[PATH_MAX];
	int error;

	if (name && !names_matter(session)) {
		strcpy(ret->name, name);
		return 0;
	}
	error = read_name(session, ret->fd, &ret->stat, shown);
	if (error < 0)
		return error;
	if (name)
		place = names_place(session, name, buf);
	if (place && !strcmp(place, shown)) {
		memmove(ret->name, name, strlen(name) + 1);
		ret->rewritten = place != name;
		return 0;
	}
	strcpy(ret->name, shown);
	ret->rewritten = names_given(session, ret->name);
	return 0;
}

/* Takes `fd` as the object's; `name` is its canonical name, NULL to ask for it. */
static int pin(struct session *session, int fd, const char *name, struct object *ret)
{
	int error;

	ret->fd = fd;
	if (fstat(fd, &ret->stat) < 0)
		return -errno;
	error = set_name(session, name, ret);
	if (error < 0)
		return error;
	return on_other_proc(session, fd, &ret->stat) ? -EACCES : 0;
}

/* Pins what walk_path() has found. */
static int pin_walked(struct session *session, struct object *ret)
{
	return pin(session, ret->fd, names_matter(session) ? ret->name : NULL, ret);
}

bool path_is_canonical(const char *path)
{
	if (path[0] != '/')
		return false;
	if (path[1] == '\0')
		return true;
	for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
		const char *part = slash + 1;

		if (part[0] == '\0' || part[0] == '/')
			return false;
		if (part[0] != '.')
			continue;
		if (part[1] == '\0' || part[1] == '/')
			return false;
		if (part[1] == '.' && (part[2] == '\0' || part[2] == '/'))
			return false;
	}
	return true;
}

void path_normalise(const char *path, char buf[PATH_MAX])
{
	size_t used = 0;

	for (const char *part = path; *part;) {
		const size_t len = strcspn(++part, "/");

		if (len == 2 && part[0] == '.' && part[1] == '.') {
			while (used && buf[--used] != '/')
				;
		} else if (len > 1 || (len == 1 && part[0] != '.')) {
			buf[used++] = '/';
			memcpy(buf + used, part, len);
			used += len;
		}
		part += len;
	}
	if (used == 0)
		buf[used++] = '/';
	buf[used] = '\0';
}

const char *plain_name(const char *path, char buf[PATH_MAX])
{
	const char *name = path;

	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return NULL;
	if (!path_is_canonical(path)) {
		path_normalise(path, buf);
		name = buf;
	}
	return strncmp(name, "/proc", 5) != 0 && strncmp(name, "/dev", 4) != 0 ? name : NULL;
}

/* With ".." on the way, a folder that is moved meanwhile could lead elsewhere. */
static bool has_name(struct session *session, int fd, const struct stat *stat, const char *name)
{
	char found[PATH_MAX];

	return read_name(session, fd, stat, found) == 0 && !strcmp(found, name);
}

int open_plain_name(struct session *session, const char *path, const char *name, int flags,
		    int *ret_held)
{
	/* O_NONBLOCK: a FIFO must not be waited for before it is known to be one. */
	const struct open_how how = {
		.flags = (uint64_t)(flags | O_NONBLOCK | O_NOCTTY),
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	AUTO_CLOSE int fd = -1;
	struct stat stat;

	*ret_held = -1;
	fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (fd < 0)
		return errno == EAGAIN || errno == EINVAL ? -ELOOP : -errno;
	if (fstat(fd, &stat) < 0 || on_other_proc(session, fd, &stat) ||
	    (name != path && !has_name(session, fd, &stat, name)))
		return -ELOOP;
	if (S_ISFIFO(stat.st_mode))
		*ret_held = TAKE_FD(fd);
	if (!S_ISREG(stat.st_mode) && !S_ISDIR(stat.st_mode))
		return -ELOOP;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags) < 0)
		return -ELOOP;
	return TAKE_FD(fd);
}

static int open_how(int base, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = resolve,
	};
	int fd;

	if (flags & RESOLVE_LAST_NOFOLLOW)
		how.flags |= O_NOFOLLOW;
	if (flags & RESOLVE_DIRECTORY)
		how.flags |= O_DIRECTORY;
	do
		fd = (int)syscall(SYS_openat2, base, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && !(resolve & RESOLVE_CACHED));
	return fd < 0 ? -errno : fd;
}

/* Links were met. The kernel follows them for us, except where that depends on who follows: in
 * /proc, and where a name is missing on the way, whose canonical form only the walk can tell. */
static int follow_links(struct call *call, int base, const char *path, int flags,
			uint64_t how_resolve, struct object *ret)
{
	const uint64_t scoped = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
	int fd = open_how(base, path, flags, how_resolve | RESOLVE_NO_MAGICLINKS);
	int error;

	if (fd >= 0) {
		error = pin(call->session, fd, NULL, ret);
		if (error < 0 || strncmp(ret->name, "/proc/", 6) != 0)
			return error;
		if (how_resolve & scoped)
			return -EACCES; /* the supervisor's own /proc/self */
		close_fd(&ret->fd);
	} else if (how_resolve != 0) {
		snprintf(ret->name, sizeof(ret->name), "%s", path[0] == '/' ? path : "");
		return fd;
	}
	error = walk_path(call, base, path, flags, ret);
	return error < 0 ? error : pin_walked(call->session, ret);
}

/* A path whose own name may be hidden or rewritten, or that of a folder on the way: it is followed
 * name by name. */
static int follow_names(struct call *call, int base, const char *path, int flags,
			struct object *ret)
{
	int error = walk_path(call, base, path, flags, ret);

	return error < 0 ? error : pin_walked(call->session, ret);
}

/*
 * openat2(2) with RESOLVE_*: the kernel follows, and only where that ends may stand for another
 * place.
 */
static int follow_scoped(struct session *session, int flags, struct object *ret)
{
	char buf[PATH_MAX];
	int fd;

	if (ret->rewritten || names_place(session, ret->name, buf) == ret->name)
		return 0;
	fd = names_open(session, ret->name);
	if (fd < 0)
		return fd;
	close_fd(&ret->fd);
	ret->fd = fd;
	if (fstat(fd, &ret->stat) < 0)
		return -errno;
	if (S_ISLNK(ret->stat.st_mode) && !(flags & RESOLVE_LAST_NOFOLLOW))
		return -ELOOP;
	if ((flags & RESOLVE_DIRECTORY) && !S_ISDIR(ret->stat.st_mode))
		return -ENOTDIR;
	ret->rewritten = true;
	return 0;
}

/* True when the path itself is all that has to be looked at. */
static bool is_plain(const struct session *session, const char *path)
{
	char buf[PATH_MAX];

	return !names_matter(session) ||
	       (path_is_canonical(path) && names_place(session, path, buf) == path);
}

/* Nothing stands under the bare name `path` in `base`: its name is that of the folder, and `path`. False:
 * it takes the walk to tell. */
static bool name_absent(struct session *session, int base, const char *path, struct object *ret)
{
	struct stat stat;
	size_t len;

	if (names_matter(session) || strchr(path, '/') || fstat(base, &stat) < 0 ||
	    on_other_proc(session, base, &stat) || read_name(session, base, &stat, ret->name) < 0 ||
	    ret->name[0] != '/')
		return false;
	len = strlen(ret->name);
	if (len + 1 + strlen(path) >= sizeof(ret->name))
		return false;
	snprintf(ret->name + len, sizeof(ret->name) - len, "%s%s", len > 1 ? "/" : "", path);
	return true;
}

int resolve_from(struct call *call, int base, const char *path, int flags, uint64_t how_resolve,
		 struct object *ret)
{
	const bool canonical = how_resolve == 0 && path_is_canonical(path);
	int fd;

	if (how_resolve == 0 && !is_plain(call->session, path))
		return follow_names(call, base, path, flags, ret);
	fd = open_how(base, path, flags, how_resolve | RESOLVE_NO_SYMLINKS);
	if (fd < 0 && how_resolve == 0 && names_matter(call->session))
		return follow_names(call, base, path, flags, ret);
	if (fd >= 0)
		return pin(call->session, fd, canonical ? path : NULL, ret);
	if (fd != -ELOOP && canonical) {
		strcpy(ret->name, path);
		return fd;
	}
	if (fd == -ENOENT && how_resolve == 0 && name_absent(call->session, base, path, ret))
		return fd;
	if (fd != -ELOOP && how_resolve == 0) {
		/* Only the walk can name what is missing; why it is, the kernel has said. */
		int error = walk_path(call, base, path, flags, ret);

		return error < 0 ? fd : pin_walked(call->session, ret);
	}
	if (fd != -ELOOP || (how_resolve & RESOLVE_NO_SYMLINKS)) {
		snprintf(ret->name, sizeof(ret->name), "%s", path[0] == '/' ? path : "");
		return fd;
	}
	return follow_links(call, base, path, flags, how_resolve, ret);
}

/* A folder that needs no following. Whether it may be searched is seen by what is done in it. */
static bool is_plain_folder(const struct session *session, int fd)
{
	struct stat stat;

	return !names_matter(session) && fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode);
}

int resolve_object(struct call *call, int dirfd, const char *path, int flags,
		   uint64_t how_resolve, struct object *ret)
{
	AUTO_CLOSE int base = -1;
	int error;

	ret->name[0] = '\0';
	if (path[0] == '\0')
		return flags & RESOLVE_EMPTY_PATH ? resolve_descriptor(call, dirfd, ret) : -ENOENT;
	if (path[0] == '/' && !(how_resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))) {
		error = resolve_from(call, AT_FDCWD, path, flags, how_resolve, ret);
		return error == 0 && how_resolve ? follow_scoped(call->session, flags, ret) : error;
	}
	if (path[0] == '/' && (how_resolve & RESOLVE_BENEATH))
		return -EXDEV;
	base = tracee_open_folder(call, dirfd);
	if (base < 0)
		return base;
	if ((flags & RESOLVE_TO_SEARCH) && how_resolve == 0 && !strcmp(path, ".") &&
	    is_plain_folder(call->session, base))
		return pin(call->session, TAKE_FD(base), NULL, ret);
	error = resolve_from(call, base, path, flags, how_resolve, ret);
	return error == 0 && how_resolve ? follow_scoped(call->session, flags, ret) : error;
}

int resolve_child(struct session *session, int folder, const char *last, struct object *ret)
{
	int fd = openat(folder, last, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	ret->name[0] = '\0';
	return fd < 0 ? -errno : pin(session, fd, NULL, ret);
}

int resolve_descriptor(struct call *call, int fd, struct object *ret)
{
	int pinned;

	ret->name[0] = '\0';
	pinned = tracee_open_path(call, fd);
	return pinned < 0 ? pinned : pin(call->session, pinned, NULL, ret);
}

int resolve_open_file(struct call *call, int fd, struct object *ret)
{
	int copy;

	ret->name[0] = '\0';
	copy = tracee_getfd(call, fd);
	return copy < 0 ? copy : pin(call->session, copy, NULL, ret);
}
