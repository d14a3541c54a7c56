/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_EMIT_H
#define PROCTOR_AUDIT_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes one JSON text into a buffer that grows and is kept from line to line,
 * so that a steady stream of records allocates nothing. A failed allocation is
 * remembered in `failed`; what follows it is ignored.
 */
struct emitter {
	char *data;
	size_t len;
	size_t size;
	bool failed;
	bool comma; /* a value stands before this place: a comma is due */
};

void emit_reset(struct emitter *out);
void emit_free(struct emitter *out);

/* Bytes as they are, with no regard to commas. */
void emit_raw(struct emitter *out, const char *bytes, size_t len);

void emit_open(struct emitter *out, char bracket);  /* '{' or '[' */
void emit_close(struct emitter *out, char bracket); /* '}' or ']' */
void emit_key(struct emitter *out, const char *key);

void emit_null(struct emitter *out);
void emit_bool(struct emitter *out, bool value);
void emit_uint(struct emitter *out, uint64_t value);
void emit_int(struct emitter *out, int64_t value);
/* Nanoseconds as decimal seconds: 1.000000001. */
void emit_seconds(struct emitter *out, uint64_t ns);

/*
 * A string of arbitrary bytes. Characters that utf8_is_hidden() names are
 * written as \uXXXX, a byte that is not UTF-8 as \udcXX (XX: the byte), which
 * is what Python's "surrogateescape" reads back. Only the first `max` bytes of
 * `len` are written, whole characters, followed by U+2026 when there are more.
 */
void emit_bytes(struct emitter *out, const char *bytes, size_t len, size_t max);

/*
 * A NULL-terminated list of strings as an array of at most about `max` bytes of
 * text: the string that does not fit is cut and ends in U+2026, and one last
 * entry says how many strings are left out: "\u2026 12 more".
 */
void emit_list(struct emitter *out, const char *const *strings, size_t max);

#endif
