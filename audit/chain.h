/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_CHAIN_H
#define PROCTOR_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "audit/emit.h"
#include "core/digest.h"

/*
 * The hash chain. A line is, byte for byte,
 *
 *	{"ts":"...", ... ,"prev":"PREV","hash":"HASH"}\n
 *
 * PREV and HASH are 64 lower-case hexadecimal digits. HASH is the SHA-256 of
 * the bytes from the opening brace up to and including the quote that closes
 * PREV: of everything before `,"hash":"`. PREV is the HASH of the line before
 * in the file, also when that line belongs to an earlier session; the first
 * line of a file has 64 zeros. So each line seals all that stand before it.
 */

#define CHAIN_FIRST "0000000000000000000000000000000000000000000000000000000000000000"

/*
 * Ends the object in `line`, which has all its other fields and no closing
 * brace: adds prev, hash, brace and newline, and replaces `prev` by the hash.
 * Returns 0, or -EIO when the digest failed, or -ENOMEM; `prev` is then kept.
 */
int chain_seal(struct emitter *line, char prev[DIGEST_HEX_SIZE]);

/* Where the links stand in a line; neither is NUL-terminated. */
struct chain_link {
	const char *prev;
	const char *hash;
	size_t body;    /* bytes before `,"prev":"` */
	size_t covered; /* bytes that the hash covers */
};

/* Finds the links of a line of `len` bytes, newline not included; false when it has none. */
bool chain_find(const char *line, size_t len, struct chain_link *ret);

/* True when the hash of the line is that of its bytes. */
bool chain_holds(const char *line, const struct chain_link *link);

#endif
