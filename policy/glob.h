/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_GLOB_H
#define PROCTOR_POLICY_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/memory.h"

/*
 * Wildcards within one name (a path component, a variable's name, an abstract
 * socket's name), over bytes: "*" any bytes, "?" one byte, "[a-z]" and "[!a-z]"
 * one byte of a set, "\" takes the special meaning from what follows, and "\xHH"
 * is the byte HH. "*" matches a leading dot and, in a flat name, a slash too.
 */

struct byte_set {
	uint64_t bits[4];
};

struct glob_token {
	enum { TOKEN_BYTE, TOKEN_ONE, TOKEN_SET, TOKEN_STAR } kind;
	unsigned char byte;
	const struct byte_set *set;
};

struct glob {
	const struct glob_token *tokens;
	size_t count;
	const char *literal; /* when there is no wildcard: the bytes (`tokens` is not used); else NULL */
	size_t literal_len;
	/* Otherwise the bytes that it starts with and ends in; of no length where it has none. */
	const char *prefix;
	size_t prefix_len;
	const char *suffix;
	size_t suffix_len;
};

/* True when there is nothing in the text that has a special meaning. */
bool glob_is_plain(const char *text, size_t len);

/*
 * Compiles `len` bytes of `text`. Returns NULL, or what is wrong, in words that
 * end a sentence about the pattern; *ret is then untouched.
 */
const char *glob_compile(struct memory *memory, const char *text, size_t len, struct glob *ret);

/* O(tokens * len), no recursion: a star is only ever taken back to the last one. */
bool glob_match(const struct glob *glob, const char *name, size_t len);

/*
 * Writes out the alternatives "{a,b}" of `text` (they nest, and may hold
 * slashes). Returns NULL and the texts, or what is wrong.
 */
enum { BRACES_MAX = 256, BRACES_PAIRS_MAX = 16 };
const char *glob_expand_braces(struct memory *memory, const char *text, char ***ret, size_t *count);

#endif
