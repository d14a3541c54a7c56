/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_ATOMIC_FILE_H
#define PROCTOR_CORE_ATOMIC_FILE_H

#include <stddef.h>

#include "core/error.h"

/*
 * A file that is there whole or not at all, written again and again. Its folder is found once: what
 * somebody does to the names above it later, or puts in its place (a symbolic link), leads nowhere
 * else. What is no regular file (a FIFO, a device) is opened at once and written to.
 */
struct atomic_file {
	int dir_fd;   /* of its folder; -1: no regular file */
	int fd;       /* of what is no regular file; else -1 */
	char *path;   /* canonical; NULL: no regular file */
	char *name;   /* in the folder: part of `path` */
	char *temporary;
};

#define ATOMIC_FILE_CLOSED                                                                         \
	(struct atomic_file)                                                                       \
	{                                                                                          \
		.dir_fd = -1, .fd = -1                                                             \
	}

/*
 * Finds out where `path` is, and that a file can be made there. Symbolic links are followed now.
 * Returns 0 or a negative errno with *err set and *ret closed. Nothing is written yet.
 */
int atomic_file_open(struct atomic_file *ret, const char *path, struct error *err);

/* Replaces the contents, mode 0644 less the umask. Returns 0 or a negative errno; the file is then
 * as it was. */
int atomic_file_write(const struct atomic_file *file, const void *bytes, size_t len);

void atomic_file_close(struct atomic_file *file);

#endif
