/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_SINK_H
#define PROCTOR_AUDIT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

/*
 * Where the lines go. A regular file is locked (flock) for as long as it is
 * open, so that no other session writes between our lines, and watched: it must
 * stay under its name, and nobody else may change its length.
 */
struct sink {
	char *target; /* as the user named it */
	int fd;
	bool regular;
	/* Of a regular file: */
	int dir_fd; /* its folder (O_PATH): a rename of a folder above does no harm */
	char *name; /* its name in there */
	dev_t dev;
	ino_t ino;
	off_t end; /* length, as far as we wrote it */
};

/* A sink that is not open; sink_close() may be called on it. */
#define SINK_CLOSED                                                                                \
	(struct sink)                                                                              \
	{                                                                                          \
		.fd = -1, .dir_fd = -1                                                             \
	}

/*
 * Opens "-" (standard error), "unix:PATH" (a stream socket) or a file, which
 * is made with mode 0600 or appended to. A symbolic link is refused, so is a
 * FIFO without reader, and a file that another session writes to.
 * Returns 0, or a negative errno with *err set and *ret closed.
 */
int sink_open(struct sink *ret, const char *target, struct error *err);

void sink_close(struct sink *sink);

/*
 * Goes on in a new file under the name of the regular file, which has been renamed away. Returns 0,
 * or a negative errno; the sink is then as it was.
 */
int sink_renew(struct sink *sink);

/*
 * Writes `len` bytes, all of them or none: what a failing write left in a
 * regular file is cut off again. Returns 0; -ESTALE when a regular file was
 * removed, replaced, truncated or written to by somebody else; -ETIMEDOUT when
 * the other side took nothing for SINK_PATIENCE_S seconds; or what write(2)
 * said. The caller ignores SIGPIPE and SIGXFSZ.
 */
enum { SINK_PATIENCE_S = 10 };
int sink_write(struct sink *sink, const char *bytes, size_t len);

#endif
