/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_ROTATE_H
#define PROCTOR_AUDIT_ROTATE_H

#include <stdbool.h>
#include <stddef.h>

#include "audit/reader.h"
#include "audit/sink.h"
#include "core/digest.h"
#include "core/error.h"

/*
 * A log that was rotated is a row of files: FILE.n, ..., FILE.2, FILE.1, FILE, the oldest first. The
 * chain runs through all of them.
 */

/* `detail` of the record, of event `limit`, that says what the row has lost at its old end: this,
 * followed by the hash of the last record that is gone. */
#define ROTATION_REMOVED "log rotation removed the records up to "

/*
 * Renames the sink's file to FILE.1, and FILE.1 to FILE.2..., removes what would become
 * FILE.`keep`+1 (`keep` at least 1), and goes on in a new FILE. Returns 0 or a negative errno.
 */
int rotate_sink(struct sink *sink, unsigned int keep);

/* Whether that would remove records: 1 with the hash of the last one, 0, or a negative errno. */
int rotation_loses(const struct sink *sink, unsigned int keep, char ret[DIGEST_HEX_SIZE]);

/* Reads a row, or a file that was never rotated. */
struct row_reader {
	struct reader reader; /* of the file that is being read */
	char *file;           /* as given */
	char *name;           /* of the file that is being read */
	bool first;           /* nothing was read of another file before */
};

/* Begins with the oldest file. As reader_open(). */
int row_open(struct row_reader *row, const char *file, struct error *err);
void row_close(struct row_reader *row);

/* As reader_next(); goes on to the next file of the row at the end of one. */
int row_next(struct row_reader *row);

#endif
