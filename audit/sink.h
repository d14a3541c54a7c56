/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_SINK_H
#define PROCTOR_AUDIT_SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

enum sink_kind {
	SINK_FILE,   /* a regular file */
	SINK_STREAM, /* standard error, a FIFO, a device */
	SINK_SOCKET, /* a stream socket */
	SINK_SYSLOG, /* datagrams: one a line */
	SINK_JOURNAL,
};

/*
 * Where the lines go. A regular file is locked (flock) for as long as it is
 * open, so that no other session writes between our lines, and watched: it must
 * stay under its name, and nobody else may change its length.
 */
struct sink {
	char *target; /* as the user named it */
	enum sink_kind kind;
	int fd;
	int hurry; /* eventfd, not owned: readable when nobody can wait long any more; -1: none */
	/* Of what can be slow: */
	int patience_ms;  /* how long it may take nothing; -1: a terminal, any time */
	uint64_t until_ns; /* once in a hurry: CLOCK_MONOTONIC of the end of all patience */
	atomic_bool waiting; /* a writer waits for it to take more */
	size_t piece;     /* bytes that it takes without blocking when poll(2) says that it takes any */
	char *owed;       /* the rest of a line that was begun */
	size_t owed_len;
	char *name; /* of a regular file: in its folder; of a daemon's socket: its path */
	/* Of a regular file: */
	int dir_fd; /* its folder (O_PATH): a rename of a folder above does no harm */
	dev_t dev;
	ino_t ino;
	off_t end; /* length, as far as we wrote it */
};

/* What a sink with fields of its own says about a line beside the line itself. NULL: nothing. */
struct sink_note {
	const char *session;
	const char *event;
	const char *class;
	const char *object; /* path or endpoint */
	bool warning;       /* a refusal */
};

/* A sink that is not open; sink_close() may be called on it. */
#define SINK_CLOSED                                                                                \
	(struct sink)                                                                              \
	{                                                                                          \
		.fd = -1, .hurry = -1, .dir_fd = -1                                                             \
	}

/*
 * Opens "-" (standard error), "unix:PATH" (a stream socket), "syslog:[PATH]" or
 * "journal:[PATH]" (datagrams, to the socket of the system's daemon unless
 * another is named) or a file, which is made with mode 0600 or appended to. A
 * symbolic link is refused, so is a FIFO without reader, and a file that
 * another session writes to. `hurry` is as in struct sink.
 * Returns 0, or a negative errno with *err set and *ret closed.
 */
int sink_open(struct sink *ret, const char *target, int hurry, struct error *err);

void sink_close(struct sink *sink);

/*
 * Goes on in a new file under the name of the regular file, which has been renamed away. Returns 0,
 * or a negative errno; the sink is then as it was.
 */
int sink_renew(struct sink *sink);

/*
 * Writes a line, all of it or nothing: what a failing write left in a
 * regular file is cut off again. Returns 0; -ESTALE when a regular file was
 * removed, replaced, truncated or written to by somebody else; -ETIMEDOUT when
 * the other side took nothing for SINK_PATIENCE_S seconds (a terminal, which
 * somebody may have stopped to read it, is waited for), or in a hurry for
 * SINK_LAST_S in all; or what write(2) said. The caller ignores SIGPIPE and SIGXFSZ.
 */
enum { SINK_PATIENCE_S = 10, SINK_LAST_S = 2 };
int sink_write(struct sink *sink, const char *line, size_t len, const struct sink_note *note);

/*
 * The same for a line that may be dropped, as far as that goes without waiting: 0 when it is
 * written or will be, being begun; -EAGAIN when the sink, given `wait_ms`, takes nothing: nothing
 * of it is written then.
 */
int sink_offer(struct sink *sink, const char *line, size_t len, const struct sink_note *note,
	       int wait_ms);

/* A terminal that was stopped (Ctrl-S) goes on. Nothing for other sinks. */
void sink_resume(const struct sink *sink);

#endif
