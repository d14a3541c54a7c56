/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/path_index.h"

struct component {
	uint16_t at;
	uint16_t len;
};

/* A path taken apart. */
struct walk {
	const struct path_index *index;
	const struct path_visitor *visitor;
	const char *path;
	char *text; /* the path, and 2 * WORD bytes that may be read behind it */
	size_t count;
	struct component *components;
	uint64_t *hashes;
	/* Keys that may stand anywhere and were found behind one node: each is tried once, however
	 * often the path holds it. */
	uint32_t *seen;
	size_t seen_count;
	size_t seen_max;
};

static void take_apart(struct walk *walk, size_t len)
{
	size_t at = 0;

	memcpy(walk->text, walk->path, len);
	memset(walk->text + len, 0, 2 * WORD);
	walk->count = 0;
	while (at < len) {
		size_t end = ++at;

		while (end < len && walk->text[end] != '/')
			end++;
		if (end == at)
			break; /* "/" alone, or a path that is not canonical */
		walk->components[walk->count] = (struct component){(uint16_t)at, (uint16_t)(end - at)};
		walk->hashes[walk->count++] = hash_padded(walk->text + at, end - at);
		at = end;
	}
}

static void visit_plain(const struct walk *walk, const struct node *node, bool at_end)
{
	const struct path_visitor *visitor = walk->visitor;

	for (uint32_t i = node->plain; i; i = walk->index->entries[i].next) {
		const struct entry *entry = &walk->index->entries[i];

		if ((at_end || entry->tree) && visitor->wanted(entry->rule, visitor->query))
			visitor->found(entry->rule, entry->pattern, walk->path, visitor->query);
	}
}

static void visit_wild(const struct walk *walk, const struct node *node, const char *rest)
{
	const struct path_visitor *visitor = walk->visitor;

	for (uint32_t i = node->wild; i; i = walk->index->entries[i].next) {
		const struct entry *entry = &walk->index->entries[i];

		if (visitor->wanted(entry->rule, visitor->query) &&
		    pattern_wild_match(entry->pattern, rest))
			visitor->found(entry->rule, entry->pattern, walk->path, visitor->query);
	}
}

static bool was_seen(struct walk *walk, uint32_t key)
{
	for (size_t i = 0; i < walk->seen_count; i++)
		if (walk->seen[i] == key)
			return true;
	if (walk->seen_count < walk->seen_max)
		walk->seen[walk->seen_count++] = key;
	return false;
}

static void visit_key(struct walk *walk, uint32_t parent, const char *text, size_t len,
		      uint64_t hash, const char *rest)
{
	const uint32_t key = find_node(walk->index, parent, text, len, hash);

	if (key && !was_seen(walk, key))
		visit_wild(walk, &walk->index->nodes[key], rest);
}

/* All keys that the component `number` may be, at the place. */
static void visit_keys(struct walk *walk, const struct shadow *shadow, enum place place,
		       size_t number, const char *rest)
{
	const uint32_t *parents = shadow->parents[place];
	const char *text = walk->text + walk->components[number].at;
	const size_t len = walk->components[number].len;

	if (parents[AFFIX_NONE])
		visit_key(walk, parents[AFFIX_NONE], text, len, walk->hashes[number], rest);
	for (int affix = AFFIX_PREFIX; affix < AFFIXES; affix++) {
		for (unsigned int left = shadow->lengths[place][affix]; left; left &= left - 1) {
			const size_t cut = affix_lengths[__builtin_ctz(left)];
			const char *start = affix == AFFIX_PREFIX ? text : text + len - cut;

			if (cut > len)
				break;
			visit_key(walk, parents[affix], start, cut, hash_padded(start, cut), rest);
		}
	}
}

static void visit_shadow(struct walk *walk, const struct shadow *shadow, size_t number,
			 const char *rest)
{
	walk->seen_count = 0;
	for (size_t place = PLACE_0; place <= PLACE_2; place++)
		if (number + place < walk->count)
			visit_keys(walk, shadow, (enum place)place, number + place, rest);
	if (number < walk->count)
		visit_keys(walk, shadow, PLACE_LAST, walk->count - 1, rest);
	if (!shadow->parents[PLACE_ANY][AFFIX_NONE] && !shadow->lengths[PLACE_ANY][AFFIX_PREFIX] &&
	    !shadow->lengths[PLACE_ANY][AFFIX_SUFFIX])
		return;
	for (size_t i = number; i < walk->count; i++)
		visit_keys(walk, shadow, PLACE_ANY, i, rest);
}

static void visit_nodes(struct walk *walk)
{
	const struct path_index *index = walk->index;
	uint32_t number = ROOT;

	for (size_t i = 0; number; i++) {
		const struct node *node = &index->nodes[number];
		const bool at_end = i == walk->count;
		const char *rest = at_end ? "" : walk->path + walk->components[i].at;

		visit_plain(walk, node, at_end);
		visit_wild(walk, node, rest);
		if (node->shadow)
			visit_shadow(walk, &index->shadows[node->shadow], i, rest);
		if (at_end)
			break;
		number = find_node(index, number, walk->text + walk->components[i].at,
				   walk->components[i].len, walk->hashes[i]);
	}
}

/* Room for a path of less than `size_` bytes. What is not filled in is not read. */
#define VISIT_WITH(size_, seen_max_)                                                               \
	do {                                                                                       \
		struct component components[(size_) / 2];                                          \
		uint64_t hashes[(size_) / 2];                                                      \
		uint32_t seen[seen_max_];                                                          \
		char text[(size_) + 2 * WORD];                                                     \
		struct walk walk = {                                                               \
			.index = index,                                                            \
			.visitor = visitor,                                                        \
			.path = path,                                                              \
			.text = text,                                                              \
			.components = components,                                                  \
			.hashes = hashes,                                                          \
			.seen = seen,                                                              \
			.seen_max = (seen_max_),                                                   \
		};                                                                                 \
                                                                                                   \
		take_apart(&walk, len);                                                            \
		visit_nodes(&walk);                                                                \
	} while (0)

static void visit_short(const struct path_index *index, const char *path, size_t len,
			const struct path_visitor *visitor)
{
	VISIT_WITH(SHORT_MAX, SHORT_MAX / 2);
}

/* Apart, as its stack is large. */
static void __attribute__((noinline)) visit_long(const struct path_index *index, const char *path,
						 size_t len, const struct path_visitor *visitor)
{
	VISIT_WITH(PATH_MAX, SEEN_MAX);
}

void path_index_visit(const struct path_index *index, const char *path,
		      const struct path_visitor *visitor)
{
	const size_t len = strlen(path);

	if (len < SHORT_MAX)
		visit_short(index, path, len, visitor);
	else if (len < PATH_MAX)
		visit_long(index, path, len, visitor);
}
