/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_PATTERN_H
#define PROCTOR_POLICY_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/glob.h"
#include "policy/memory.h"

/*
 * One compiled path pattern: a literal path, then components with wildcards, of
 * which "**" stands for any number. The wild part is an automaton whose states
 * are its components, so that a set of states is one 64-bit word.
 */
struct pattern_part {
	bool any; /* "**" */
	struct glob glob;
};

enum { PATTERN_WILD_MAX = 62 };

struct pattern {
	const char *literal; /* "/usr/share", or "" for the root */
	size_t literal_len;
	const struct pattern_part *parts;
	size_t part_count;
	bool tree; /* all below what matches, too */
};

/*
 * What a pattern has come to after a path: whether it can still match something
 * below, and how. Two equal states treat all below alike.
 */
struct pattern_state {
	enum {
		STATE_DEAD,    /* nothing at or below the path matches */
		STATE_PREFIX,  /* still inside the literal part: `left` of it to go */
		STATE_WILD,    /* inside the wild part: `bits` */
		STATE_ALL,     /* the path and all below it match */
	} kind;
	const char *left;
	uint64_t bits;
	bool accepts; /* the path itself matches */
};

struct canonical_cache;

/* Where a pattern stands, for what it is relative to. */
struct pattern_place {
	const char *folder; /* absolute: relative patterns count from here */
	const char *home;   /* "~"; NULL: not known */
	struct canonical_cache *cache; /* of what was looked at already; NULL: none */
};

/*
 * Compiles `text` (variables replaced, a leading "!" taken off) into one or more
 * patterns: alternatives in braces, and for a literal part that runs through a
 * symbolic link what the link leads to as well.
 * Returns NULL, or what is wrong, in words.
 */
const char *pattern_compile(struct memory *memory, const char *text,
			    const struct pattern_place *place, struct pattern **ret, size_t *count);

/* State after the whole of `path` (absolute, canonical). */
struct pattern_state pattern_run(const struct pattern *pattern, const char *path);

/* True when the wild part (and only it) matches `rest`: "" or "a/b", no leading slash. */
bool pattern_wild_match(const struct pattern *pattern, const char *rest);

bool pattern_match(const struct pattern *pattern, const char *path);

/* True when whatever matches below in state `a` matches in state `b` as well. */
bool pattern_state_within(const struct pattern_state *a, const struct pattern_state *b);

/* `path` so quoted that it is a pattern for itself. */
char *pattern_quote(struct memory *memory, const char *path);

#endif
