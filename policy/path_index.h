/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_PATH_INDEX_H
#define PROCTOR_POLICY_PATH_INDEX_H

#include <limits.h>
#include <string.h>

#include "policy/ruleset.h"

/* What stands behind the index of ruleset.h: policy/path_index.c makes it, policy/path_visit.c asks it. */

/*
 * A trie of path components. A pattern hangs at the node of its literal part. One without wildcards
 * is answered by the walk itself. One with wildcards hangs below that node's "shadow", under a key: a
 * name that one of its components is, or starts with, or ends in ("node_modules", "lib", ".so"), and
 * the place where such a component must stand. It is tried only for paths that have the key there. So
 * the cost follows the path's length and the rules that may concern it, not the number of rules. Of
 * several keys the one with the fewest patterns so far is taken; one that has no key (a "*"
 * alone) is tried for every path through its node.
 */
struct entry {
	const struct rule *rule;
	const struct pattern *pattern;
	uint32_t next; /* 0: none */
	bool tree;     /* the pattern's, which is then not touched */
};

enum { NAME_INLINE = 20 };

struct node {
	union {
		const char *name; /* a longer one */
		char inlined[NAME_INLINE];
	};
	uint32_t name_len;
	uint32_t parent;
	uint64_t hash; /* of the name and the parent */
	uint32_t plain;      /* entries without wildcards */
	uint32_t wild;       /* entries with wildcards to try */
	uint32_t wild_count;
	uint32_t shadow;     /* 0: none */
};

/* Where a key must stand, counted from the first component behind the node. */
enum place { PLACE_0, PLACE_1, PLACE_2, PLACE_LAST, PLACE_ANY, PLACES };
enum affix { AFFIX_NONE, AFFIX_PREFIX, AFFIX_SUFFIX, AFFIXES };

/* Lengths that prefixes and suffixes are cut to: a bit each in struct shadow. */
static const unsigned char affix_lengths[] = {1, 2, 3, 4, 6, 8, 10, 12, 16};
enum {
	LENGTHS = sizeof(affix_lengths),
	WORD = 8,
	SEEN_MAX = 1024,
	SHORT_MAX = 256, /* bytes of a path that most are shorter than */
};

struct shadow {
	uint32_t parents[PLACES][AFFIXES]; /* numbers of parents of keys; 0: no such key */
	uint16_t lengths[PLACES][AFFIXES];
};

struct slot {
	uint32_t hash;
	uint32_t number; /* 0: free */
};

struct path_index {
	struct memory *memory;
	struct node *nodes;
	size_t node_count;
	struct entry *entries;
	size_t entry_count;
	struct shadow *shadows;
	size_t shadow_count;
	struct slot *slots; /* hash table of nodes by parent and name */
	size_t slot_count;
	size_t used; /* slots */
	/* A Bloom filter of what is in the table: most names are not, and it is small enough to stay
	 * in the processor's caches. */
	uint64_t *filter;
};

enum { FILTER_SHIFT = 3 }; /* a word for so many slots */

enum { ROOT = 1 }; /* index 0 of nodes, entries, shadows means "none" */

/* ------------------------------------------------------------------------ hashing */

/* Reads a word at a time: WORD bytes behind the name can be read, whatever they are. */
static inline uint64_t hash_padded(const char *text, size_t len)
{
	uint64_t hash = len * UINT64_C(0x9e3779b97f4a7c15);

	for (; len > 0; text += WORD) {
		uint64_t word;

		memcpy(&word, text, WORD);
		if (len < WORD)
			word &= (UINT64_C(1) << 8 * len) - 1;
		len -= len < WORD ? len : WORD;
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	return hash;
}

static inline uint64_t hash_below(uint32_t parent, uint64_t name_hash)
{
	const uint64_t mixed = (name_hash ^ parent) * UINT64_C(0x9e3779b97f4a7c15);

	return mixed ^ mixed >> 32;
}

/* Three bits of one word. */
static inline uint64_t filter_bits(uint64_t hash)
{
	return UINT64_C(1) << (hash >> 40 & 63) | UINT64_C(1) << (hash >> 46 & 63) |
	       UINT64_C(1) << (hash >> 52 & 63);
}

static inline const char *node_name(const struct node *node)
{
	return node->name_len <= NAME_INLINE ? node->inlined : node->name;
}

static inline uint32_t find_node(const struct path_index *index, uint32_t parent, const char *name,
			  size_t len, uint64_t name_hash)
{
	const uint64_t hash = hash_below(parent, name_hash);
	const uint64_t bits = filter_bits(hash);
	const size_t mask = index->slot_count - 1;

	if ((index->filter[hash & (mask >> FILTER_SHIFT)] & bits) != bits)
		return 0;
	for (size_t at = hash & mask; index->slots[at].number; at = (at + 1) & mask) {
		const struct node *node;

		if (index->slots[at].hash != (uint32_t)hash)
			continue;
		node = &index->nodes[index->slots[at].number];
		if (node->parent == parent && node->name_len == len && !memcmp(node_name(node), name, len))
			return index->slots[at].number;
	}
	return 0;
}

#endif
