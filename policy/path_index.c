/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/path_index.h"

static uint64_t hash_name(const char *text, size_t len)
{
	char padded[PATH_MAX + WORD];

	memcpy(padded, text, len);
	memset(padded + len, 0, WORD);
	return hash_padded(padded, len);
}

static void put_slot(struct path_index *index, uint32_t number)
{
	const uint64_t hash = index->nodes[number].hash;
	const size_t mask = index->slot_count - 1;
	size_t at = hash & mask;

	index->filter[hash & (mask >> FILTER_SHIFT)] |= filter_bits(hash);
	while (index->slots[at].number)
		at = (at + 1) & mask;
	index->slots[at] = (struct slot){(uint32_t)hash, number};
}

static uint32_t new_node(struct path_index *index)
{
	(void)memory_push(index->memory, index->nodes, index->node_count);
	return (uint32_t)(index->node_count - 1);
}

static void grow_slots(struct path_index *index)
{
	index->slot_count = index->slot_count ? 2 * index->slot_count : 16;
	index->slots = memory_alloc(index->memory, index->slot_count * sizeof(*index->slots));
	index->filter = memory_alloc(index->memory,
				     (index->slot_count >> FILTER_SHIFT) * sizeof(*index->filter));
	for (size_t i = 0; i < index->node_count; i++)
		if (index->nodes[i].parent)
			put_slot(index, (uint32_t)i);
}

static uint32_t make_node(struct path_index *index, uint32_t parent, const char *name, size_t len)
{
	const uint64_t hash = hash_name(name, len);
	uint32_t number = find_node(index, parent, name, len, hash);
	struct node *node;

	if (number)
		return number;
	if (2 * ++index->used >= index->slot_count)
		grow_slots(index);
	number = new_node(index);
	node = &index->nodes[number];
	node->name_len = (uint32_t)len;
	node->hash = hash_below(parent, hash);
	node->parent = parent;
	if (len <= NAME_INLINE)
		memcpy(node->inlined, name, len);
	else
		node->name = name;
	put_slot(index, number);
	return number;
}

struct path_index *path_index_new(struct memory *memory)
{
	struct path_index *index = memory_alloc(memory, sizeof(*index));

	index->memory = memory;
	(void)memory_push(memory, index->entries, index->entry_count);
	(void)memory_push(memory, index->shadows, index->shadow_count);
	new_node(index);
	new_node(index); /* ROOT */
	grow_slots(index);
	return index;
}

/* What a pattern may be found by. */
struct key {
	const char *text;
	size_t len; /* 0: nothing */
	enum affix affix;
	enum place place;
	unsigned int cost; /* patterns under the key so far */
};

/* The place of part `number`: fixed as long as no "**" stands before it. */
static enum place place_of(const struct pattern *pattern, size_t number)
{
	if (number + 1 == pattern->part_count && !pattern->tree)
		return PLACE_LAST;
	for (size_t i = 0; i < number; i++)
		if (pattern->parts[i].any)
			return PLACE_ANY;
	return number <= PLACE_2 ? (enum place)number : PLACE_ANY;
}

static unsigned int cut_length(size_t len, size_t *ret)
{
	unsigned int at = LENGTHS;

	while (affix_lengths[--at] > len)
		;
	*ret = affix_lengths[at];
	return at;
}

static unsigned int key_cost(const struct path_index *index, uint32_t number,
			     const struct key *key)
{
	const struct shadow *shadow = &index->shadows[index->nodes[number].shadow];
	const uint32_t parent = shadow->parents[key->place][key->affix];
	const uint32_t found = parent ? find_node(index, parent, key->text, key->len,
						  hash_name(key->text, key->len))
				      : 0;

	return found ? index->nodes[found].wild_count : 0;
}

/* Fewer patterns first; then places of which there is one; then whole names; then longer ones. */
static bool is_better(const struct key *a, const struct key *b)
{
	if (a->len == 0 || b->len == 0)
		return a->len > 0;
	if (a->cost != b->cost)
		return a->cost < b->cost;
	if ((a->place == PLACE_ANY) != (b->place == PLACE_ANY))
		return b->place == PLACE_ANY;
	if ((a->affix == AFFIX_NONE) != (b->affix == AFFIX_NONE))
		return a->affix == AFFIX_NONE;
	return a->len > b->len;
}

static void offer_key(const struct path_index *index, uint32_t number, struct key key,
		      struct key *best)
{
	size_t len = key.len;

	if (len == 0)
		return;
	if (key.affix != AFFIX_NONE) {
		(void)cut_length(len, &key.len);
		if (key.affix == AFFIX_SUFFIX)
			key.text += len - key.len;
	}
	key.cost = key_cost(index, number, &key);
	if (is_better(&key, best))
		*best = key;
}

static struct key key_of(const struct path_index *index, uint32_t number,
			 const struct pattern *pattern)
{
	struct key best = {.len = 0};

	for (size_t i = 0; i < pattern->part_count; i++) {
		const struct glob *glob = &pattern->parts[i].glob;
		struct key key = {.place = place_of(pattern, i)};

		if (pattern->parts[i].any)
			continue;
		if (glob->literal) {
			key.text = glob->literal;
			key.len = glob->literal_len;
			offer_key(index, number, key, &best);
			continue;
		}
		key.affix = AFFIX_PREFIX;
		key.text = glob->prefix;
		key.len = glob->prefix_len;
		offer_key(index, number, key, &best);
		key.affix = AFFIX_SUFFIX;
		key.text = glob->suffix;
		key.len = glob->suffix_len;
		offer_key(index, number, key, &best);
	}
	return best;
}

static uint32_t key_node(struct path_index *index, uint32_t number, const struct key *key)
{
	struct shadow *shadow;
	size_t cut;

	if (!index->nodes[number].shadow) {
		(void)memory_push(index->memory, index->shadows, index->shadow_count);
		index->nodes[number].shadow = (uint32_t)(index->shadow_count - 1);
	}
	shadow = &index->shadows[index->nodes[number].shadow];
	if (!shadow->parents[key->place][key->affix])
		shadow->parents[key->place][key->affix] = new_node(index);
	if (key->affix != AFFIX_NONE)
		shadow->lengths[key->place][key->affix] |=
			(uint16_t)(1u << cut_length(key->len, &cut));
	return make_node(index, shadow->parents[key->place][key->affix], key->text, key->len);
}

void path_index_add(struct path_index *index, const struct rule *rule,
		    const struct pattern *pattern)
{
	const char *path = pattern->literal;
	uint32_t number = ROOT;
	struct entry *entry;
	struct key key;
	uint32_t *head;

	while (*path) {
		const size_t len = strcspn(++path, "/");

		number = make_node(index, number, path, len);
		path += len;
	}
	key = key_of(index, number, pattern);
	if (key.len > 0)
		number = key_node(index, number, &key);
	entry = memory_push(index->memory, index->entries, index->entry_count);
	entry->rule = rule;
	entry->pattern = pattern;
	entry->tree = pattern->tree;
	head = pattern->part_count ? &index->nodes[number].wild : &index->nodes[number].plain;
	index->nodes[number].wild_count += pattern->part_count > 0;
	entry->next = *head;
	*head = (uint32_t)(index->entry_count - 1);
}
