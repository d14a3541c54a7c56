/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_DOCUMENT_H
#define PROCTOR_POLICY_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/memory.h"
#include "policy/policy.h"

/* A YAML document as a tree whose nodes know where they stand. */

enum node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct node {
	enum node_kind kind;
	unsigned int line;   /* from 1 */
	unsigned int column; /* from 1 */
	unsigned int width;  /* of a scalar in one line: its characters, quotes included */
	const char *value;   /* scalar: its text, without a NUL inside */
	bool quoted;
	struct node **items; /* sequence: items; mapping: values */
	struct node **keys;  /* mapping: scalars */
	size_t count;
};

/* One policy file. */
struct document {
	const char *file;    /* for messages and rules */
	const char *folder;  /* absolute: relative patterns and files count from here */
	struct node *root;   /* mapping; NULL: not usable */
};

/*
 * Parses `len` bytes of `text`. Every fault is added to *diagnostics. Returns the
 * root, a mapping, or NULL when there is none to speak of.
 */
struct node *document_parse(struct memory *memory, const char *file, const char *text, size_t len,
			    struct diagnostics *diagnostics);

/* The value of `key`, or NULL. */
struct node *node_get(const struct node *mapping, const char *key);

/* A key with nothing behind it. */
bool node_is_nothing(const struct node *node);

/* "a mapping", "a list", "nothing", "'text'"... for "expected X, found Y". */
const char *node_describe(struct memory *memory, const struct node *node);

#endif
