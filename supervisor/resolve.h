/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_RESOLVE_H
#define PROCTOR_SUPERVISOR_RESOLVE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "supervisor/call.h"

/*
 * A name that the tool gave -> a pinned object, as the kernel would find it for the calling
 * thread: its working folder, dirfd, /proc/self. The only place where names are followed.
 */

enum {
	RESOLVE_LAST_NOFOLLOW = 1, /* a symbolic link at the end is the object itself */
	RESOLVE_EMPTY_PATH = 2,    /* AT_EMPTY_PATH: "" is dirfd itself */
	RESOLVE_DIRECTORY = 4,     /* anything but a folder is ENOTDIR */
	RESOLVE_TO_SEARCH = 8,     /* a folder in which names are looked up, no more: what is pinned
				    * may be the caller's open file, and not searchable */
};

struct object {
	int fd;              /* O_PATH, owned; -1: nothing pinned */
	int parent;          /* O_PATH folder, owned; set by resolve_entry() */
	char name[PATH_MAX]; /* canonical name, absolute; of an object without a name in the file
			      * system (pipe, socket) what /proc shows, e.g. "pipe:[1]" */
	char last[NAME_MAX + 2]; /* name within parent, a trailing '/' kept */
	bool rewritten; /* by files.rewrite: `name` is the tool's, what is pinned stands elsewhere */
	struct stat stat;        /* when fd >= 0 */
};

#define OBJECT_INIT ((struct object){.fd = -1, .parent = -1})

void object_release(struct object *object);
#define AUTO_OBJECT __attribute__((cleanup(object_release)))

/*
 * Follows `path` from the caller's descriptor `dirfd` (AT_FDCWD: its working folder).
 * `how_resolve` are RESOLVE_* flags of openat2(2), 0 for the other calls.
 * Returns 0 and the pinned object, or a negative errno as the kernel would answer; ret->name is
 * then the canonical name as far as it can be told (empty where it cannot: a bad dirfd), so that
 * the policy can still decide on it. -EACCES also when the path runs through a process in /proc
 * that is not the tool's own, or through another mount of /proc.
 */
int resolve_object(struct call *call, int dirfd, const char *path, int flags,
		   uint64_t how_resolve, struct object *ret);

/* Absolute, and without "//", ".", ".." and a trailing '/': if no link is met, its own canonical name. */
bool path_is_canonical(const char *path);

/* Takes "//", "." and ".." out of an absolute path, or an empty one ("/"). */
void path_normalise(const char *path, char buf[PATH_MAX]);

/*
 * The canonical name of an absolute path if no symbolic link is met on the way: without "//", "."
 * and "..". Returns `path` itself where that is it, else `buf`; NULL for a relative path, and for
 * one in /proc or /dev.
 */
const char *plain_name(const char *path, char buf[PATH_MAX]);

/*
 * Opens `path`, whose plain name is `name`, for reading, with `flags` (open(2)), if it leads to a
 * file or a folder of that name without passing a symbolic link. Returns the descriptor, a negative errno as the kernel
 * would answer, or -ELOOP when it has to be resolved first. *ret_held is -1, or the first
 * descriptor of a FIFO, which counts as a reader: to be closed when the FIFO is open in full.
 */
int open_plain_name(struct session *session, const char *path, const char *name, int flags,
		    int *ret_held);

/* As resolve_object(), from `base`, a folder of ours, or AT_FDCWD for an absolute path. */
int resolve_from(struct call *call, int base, const char *path, int flags, uint64_t how_resolve,
		 struct object *ret);

/*
 * Pins the folder in which `path` names an entry, and names the entry; the entry itself is not
 * followed, and may be missing. For calls that make, move or remove names.
 * Returns 0 with parent, last, name set and fd -1; or a negative errno with name as above.
 */
int resolve_entry(struct call *call, int dirfd, const char *path, uint64_t how_resolve,
		  struct object *ret);

/* As resolve_entry(), from a folder of ours instead of the caller's. */
int resolve_entry_at(struct call *call, int folder, const char *path, struct object *ret);

/* Pins what stands in `folder`, one of ours, under the name `last`; a symbolic link is the object itself. */
int resolve_child(struct session *session, int folder, const char *last, struct object *ret);

/* Pins (O_PATH) what the caller's descriptor leads to. 0, -EBADF, or another negative errno. */
int resolve_descriptor(struct call *call, int fd, struct object *ret);

/* As resolve_descriptor(), but ret->fd is the caller's open file itself (tracee_getfd()). */
int resolve_open_file(struct call *call, int fd, struct object *ret);

/* True for an object that no path leads to: a pipe, a socket, a memfd... of the tool's own. */
bool object_is_nameless(const struct object *object);

/*
 * Opens the pinned object with `flags` and `mode` (open(2)) through /proc/self/fd, so that nothing
 * is looked up again. Returns the descriptor or a negative errno.
 */
int object_open(struct session *session, const struct object *object, int flags, mode_t mode);

/* The name of the place where `fd` (O_PATH) stands, as /proc shows it; that of a deleted object without
 * the mark. 0 or a negative errno. */
int object_shown_name(struct session *session, int fd, char name[PATH_MAX]);

/* "/proc/self/fd/N" for calls that take no descriptor. */
enum { PROC_FD_PATH_MAX = 32 };
const char *object_proc_path(int fd, char buf[PROC_FD_PATH_MAX]);

#endif
