/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "policy/ruleset.h"

/*
 * A trie of path components. A pattern hangs at the node of its literal part.
 * One without wildcards is answered by the walk itself. One with wildcards that
 * still names some component (".env" in "**" "/.env") hangs below the node's
 * "shadow", under that name, and is tried only for paths that hold the name; one
 * that names none is tried for every path through the node. So the cost follows
 * the path's length and the rules that may concern it, not the number of rules.
 */
struct entry {
	const struct rule *rule;
	const struct pattern *pattern;
	uint32_t next; /* 0: none */
};

struct node {
	const char *name;
	uint32_t name_len;
	uint32_t parent;
	uint32_t hash;
	uint32_t plain;  /* entries without wildcards */
	uint32_t wild;   /* entries with wildcards to try */
	uint32_t shadow; /* parent of the nodes of named components; 0: none */
};

enum { ROOT = 1 }; /* index 0 of nodes, entries and slots means "none" */

struct path_index {
	struct memory *memory;
	struct node *nodes;
	size_t node_count;
	struct entry *entries;
	size_t entry_count;
	uint32_t *slots; /* hash table of nodes by parent and name */
	size_t slot_count;
};

/* A component of a path, with its hash. */
struct name {
	const char *text;
	uint32_t len;
	uint32_t hash;
};

/* ----------------------------------------------------------------- building */

static uint32_t hash_name(const char *text, size_t len)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	return hash;
}

static size_t slot_of(const struct path_index *index, uint32_t parent, uint32_t hash)
{
	uint64_t mixed = ((uint64_t)parent << 32 | hash) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(mixed >> 32) & (index->slot_count - 1);
}

static uint32_t find_node(const struct path_index *index, uint32_t parent, const struct name *name)
{
	size_t slot = slot_of(index, parent, name->hash);

	for (; index->slots[slot]; slot = (slot + 1) & (index->slot_count - 1)) {
		const struct node *node = &index->nodes[index->slots[slot]];

		if (node->hash == name->hash && node->parent == parent &&
		    node->name_len == name->len && !memcmp(node->name, name->text, name->len))
			return index->slots[slot];
	}
	return 0;
}

static void put_slot(struct path_index *index, uint32_t number)
{
	const struct node *node = &index->nodes[number];
	size_t slot = slot_of(index, node->parent, node->hash);

	while (index->slots[slot])
		slot = (slot + 1) & (index->slot_count - 1);
	index->slots[slot] = number;
}

static uint32_t new_node(struct path_index *index)
{
	(void)memory_push(index->memory, index->nodes, index->node_count);
	return (uint32_t)(index->node_count - 1);
}

static void grow_slots(struct path_index *index)
{
	index->slot_count = index->slot_count ? 2 * index->slot_count : 64;
	index->slots = memory_alloc(index->memory, index->slot_count * sizeof(*index->slots));
	for (size_t i = 0; i < index->node_count; i++)
		if (index->nodes[i].name)
			put_slot(index, (uint32_t)i);
}

static uint32_t make_node(struct path_index *index, uint32_t parent, const struct name *name)
{
	uint32_t number = find_node(index, parent, name);

	if (number)
		return number;
	if (2 * index->node_count >= index->slot_count)
		grow_slots(index);
	number = new_node(index);
	index->nodes[number] = (struct node){
		.name = name->text,
		.name_len = name->len,
		.parent = parent,
		.hash = name->hash,
	};
	put_slot(index, number);
	return number;
}

struct path_index *path_index_new(struct memory *memory)
{
	struct path_index *index = memory_alloc(memory, sizeof(*index));

	index->memory = memory;
	(void)memory_push(memory, index->entries, index->entry_count);
	new_node(index);
	new_node(index); /* ROOT */
	grow_slots(index);
	return index;
}

/* Takes the first component off *path, which has no leading slash. False: none left. */
static bool next_name(const char **path, struct name *ret)
{
	const char *at = *path;
	uint32_t hash = 2166136261u;

	if (!*at)
		return false;
	for (; *at && *at != '/'; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	ret->text = *path;
	ret->len = (uint32_t)(at - *path);
	ret->hash = hash;
	*path = at + (*at == '/');
	return true;
}

/* The longest literal component tells most paths apart; NULL: there is none. */
static const struct glob *key_of(const struct pattern *pattern)
{
	const struct glob *key = NULL;

	for (size_t i = 0; i < pattern->part_count; i++) {
		const struct pattern_part *part = &pattern->parts[i];

		if (!part->any && part->glob.literal &&
		    (!key || part->glob.literal_len > key->literal_len))
			key = &part->glob;
	}
	return key;
}

static uint32_t key_node(struct path_index *index, uint32_t number, const struct glob *key)
{
	const struct name name = {
		.text = key->literal,
		.len = (uint32_t)key->literal_len,
		.hash = hash_name(key->literal, key->literal_len),
	};

	if (!index->nodes[number].shadow) {
		uint32_t shadow = new_node(index);

		index->nodes[number].shadow = shadow;
	}
	return make_node(index, index->nodes[number].shadow, &name);
}

void path_index_add(struct path_index *index, const struct rule *rule,
		    const struct pattern *pattern)
{
	const struct glob *key = key_of(pattern);
	const char *path = pattern->literal + (*pattern->literal == '/');
	uint32_t number = ROOT;
	struct entry *entry;
	struct name name;
	uint32_t *head;

	while (next_name(&path, &name))
		number = make_node(index, number, &name);
	if (key)
		number = key_node(index, number, key);
	entry = memory_push(index->memory, index->entries, index->entry_count);
	entry->rule = rule;
	entry->pattern = pattern;
	head = pattern->part_count ? &index->nodes[number].wild : &index->nodes[number].plain;
	entry->next = *head;
	*head = (uint32_t)(index->entry_count - 1);
}

/* ----------------------------------------------------------------- visiting */

struct visit {
	const struct path_index *index;
	const struct path_visitor *visitor;
	const char *path;
};

static void visit_plain(const struct visit *visit, const struct node *node, bool at_end)
{
	const struct path_visitor *visitor = visit->visitor;

	for (uint32_t i = node->plain; i; i = visit->index->entries[i].next) {
		const struct entry *entry = &visit->index->entries[i];

		if ((at_end || entry->pattern->tree) && visitor->wanted(entry->rule, visitor->query))
			visitor->found(entry->rule, entry->pattern, visit->path, visitor->query);
	}
}

static void visit_wild(const struct visit *visit, const struct node *node, const char *rest)
{
	const struct path_visitor *visitor = visit->visitor;

	for (uint32_t i = node->wild; i; i = visit->index->entries[i].next) {
		const struct entry *entry = &visit->index->entries[i];

		if (visitor->wanted(entry->rule, visitor->query) &&
		    pattern_wild_match(entry->pattern, rest))
			visitor->found(entry->rule, entry->pattern, visit->path, visitor->query);
	}
}

static void visit_shadow(const struct visit *visit, const struct node *node, const char *rest)
{
	const char *at = rest;
	struct name name;

	while (node->shadow && next_name(&at, &name)) {
		uint32_t key = find_node(visit->index, node->shadow, &name);

		if (key)
			visit_wild(visit, &visit->index->nodes[key], rest);
	}
}

void path_index_visit(const struct path_index *index, const char *path,
		      const struct path_visitor *visitor)
{
	const struct visit visit = {index, visitor, path};
	const char *rest = path + (*path == '/');
	uint32_t number = ROOT;

	while (number) {
		const struct node *node = &index->nodes[number];
		struct name name;

		visit_plain(&visit, node, !*rest);
		visit_wild(&visit, node, rest);
		visit_shadow(&visit, node, rest);
		if (!next_name(&rest, &name))
			break;
		number = find_node(index, number, &name);
	}
}
