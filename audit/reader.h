/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_READER_H
#define PROCTOR_AUDIT_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"

/* Reads a log line by line. */
struct reader {
	FILE *file;
	char *line; /* the last one read, newline left out, NUL-terminated */
	size_t len;
	size_t size;
	uint64_t number; /* of the last line, from 1 */
	bool torn;       /* the last line has no newline: it is only part of one */
	bool too_long;   /* the last line was cut at READER_LINE_MAX bytes */
};

/* No writer makes a line this long. */
enum { READER_LINE_MAX = 16 * 1024 * 1024 };

/* Returns 0, or a negative errno with *err set. Release with reader_close() in both cases. */
int reader_open(struct reader *reader, const char *file, struct error *err);
void reader_close(struct reader *reader);

/* Returns 1 with the next line, 0 at the end of the file, or a negative errno. */
int reader_next(struct reader *reader);

/*
 * Of a file that is still written to: after the end of the file, or a torn line, goes back to
 * where that line begins, so that the next reader_next() sees what has been added. Returns 0, or
 * a negative errno when the file cannot be read twice (a pipe).
 */
int reader_retry(struct reader *reader);

/*
 * Parses one record. JSON libraries refuse the lone surrogates that stand for
 * bytes that are not UTF-8: the strings returned have U+FFFD in their place.
 * Returns a new reference, or NULL when the text is not one JSON object.
 */
json_t *reader_parse(const char *line, size_t len);

#endif
