/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/document.h"

#include <string.h>
#include <yaml.h>

#include "policy/diagnostics.h"

/* More than any policy holds; what is looked up one by one stays cheap. */
enum { DEPTH_MAX = 16, KEYS_MAX = 4096, ANCHORS_MAX = 256 };

struct anchor {
	const char *name;
	struct node *node; /* NULL while the node is being read: an alias to it would loop */
};

struct reader {
	struct memory *memory;
	const char *file;
	const char *text;
	size_t len;
	struct diagnostics *diagnostics;
	yaml_parser_t parser;
	struct anchor *anchors;
	size_t anchor_count;
	unsigned int depth;
	bool failed; /* the rest of the file cannot be read */
};

#define COMPLAIN(reader, mark, ...)                                                                \
	diagnostics_add((reader)->diagnostics, (reader)->file, (unsigned int)(mark).line + 1,      \
			(unsigned int)(mark).column + 1, __VA_ARGS__)

/* ---------------------------------------------------------------- YAML errors */

/* The reader stage of libyaml gives a byte offset and no line. */
static yaml_mark_t mark_of_offset(const struct reader *reader, size_t offset)
{
	yaml_mark_t mark = {.index = offset};

	for (size_t i = 0; i < offset && i < reader->len; i++) {
		unsigned char byte = (unsigned char)reader->text[i];
		size_t length = line_break(reader->text + i, reader->len - i);

		if (length > 0) {
			i += length - 1;
			mark.line++;
			mark.column = 0;
		} else if ((byte & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

static bool at_end(const struct reader *reader, yaml_mark_t mark)
{
	yaml_mark_t end = mark_of_offset(reader, reader->len);

	return mark.line == end.line && mark.column == end.column;
}

static void report_yaml_error(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *context = parser->context ? parser->context : "";
	const char *hint = "";
	yaml_mark_t mark = parser->problem_mark;
	char from[64] = "";

	reader->failed = true;
	if (parser->error == YAML_MEMORY_ERROR)
		memory_exhausted();
	if (parser->error == YAML_READER_ERROR) {
		COMPLAIN(reader, mark_of_offset(reader, parser->problem_offset),
			 "this is not text in UTF-8: %s", parser->problem);
		return;
	}
	if (strstr(context, "scanning an alias"))
		hint = "; a pattern that starts with '*' must be quoted";
	else if (strstr(context, "scanning an anchor"))
		hint = "; a text that starts with '&' must be quoted";
	else if (strstr(context, "scanning a tag") || strstr(context, "parsing a tag"))
		hint = "; a pattern that starts with '!' must be quoted";
	else if (strstr(parser->problem, "cannot start any token"))
		hint = "; quote the text, and indent with spaces";
	/* What is open at the end of the file is of interest where it was opened. */
	if (*context && at_end(reader, parser->problem_mark))
		mark = parser->context_mark;
	else if (*context && parser->context_mark.line != parser->problem_mark.line)
		snprintf(from, sizeof(from), " that starts in line %zu",
			 parser->context_mark.line + 1);
	COMPLAIN(reader, mark, "this is not valid YAML: %s%s%s%s%s", context, from,
		 *context ? ", " : "", parser->problem, hint);
}

/* Next event, which the caller deletes. False: the file cannot be read on. */
static bool next_event(struct reader *reader, yaml_event_t *ret)
{
	if (reader->failed)
		return false;
	if (yaml_parser_parse(&reader->parser, ret))
		return true;
	report_yaml_error(reader);
	return false;
}

/* ---------------------------------------------------------------------- nodes */

static struct node *new_node(struct reader *reader, enum node_kind kind, yaml_mark_t mark)
{
	struct node *node = memory_alloc(reader->memory, sizeof(*node));

	node->kind = kind;
	node->line = (unsigned int)mark.line + 1;
	node->column = (unsigned int)mark.column + 1;
	return node;
}

static size_t add_anchor(struct reader *reader, const yaml_char_t *name, yaml_mark_t mark)
{
	struct anchor *anchor;

	if (!name)
		return SIZE_MAX;
	if (reader->anchor_count >= ANCHORS_MAX) {
		COMPLAIN(reader, mark, "too many anchors (more than %d)", ANCHORS_MAX);
		reader->failed = true;
		return SIZE_MAX;
	}
	anchor = memory_push(reader->memory, reader->anchors, reader->anchor_count);
	anchor->name = memory_strdup(reader->memory, (const char *)name);
	return reader->anchor_count - 1;
}

static struct node *read_alias(struct reader *reader, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	unsigned int width = (unsigned int)(event->end_mark.column - event->start_mark.column);

	/* The last anchor of a name counts (YAML 1.1, 3.2.2.2). */
	for (size_t i = reader->anchor_count; i-- > 0;) {
		if (strcmp(reader->anchors[i].name, name) != 0)
			continue;
		if (!reader->anchors[i].node) {
			COMPLAIN(reader, event->start_mark, "the anchor '&%s' contains itself", name);
			diagnostics_set_width(reader->diagnostics, width);
			return NULL;
		}
		return reader->anchors[i].node;
	}
	COMPLAIN(reader, event->start_mark,
		 "unknown anchor '%s'; a pattern that starts with '*' must be quoted", name);
	diagnostics_set_width(reader->diagnostics, width);
	return NULL;
}

static bool check_tag(struct reader *reader, const yaml_char_t *tag, yaml_mark_t mark)
{
	if (!tag || !strcmp((const char *)tag, "!") ||
	    !strncmp((const char *)tag, "tag:yaml.org,2002:", 18))
		return true;
	COMPLAIN(reader, mark,
		 "the YAML tag '%s' has no meaning here; a pattern that starts with '!' must be "
		 "quoted", (const char *)tag);
	return false;
}

static struct node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct node *node;

	if (!check_tag(reader, event->data.scalar.tag, event->start_mark))
		return NULL;
	if (memchr(value, '\0', len)) {
		COMPLAIN(reader, event->start_mark, "the text holds a NUL byte");
		return NULL;
	}
	node = new_node(reader, NODE_SCALAR, event->start_mark);
	node->value = memory_strndup(reader->memory, value, len);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (event->end_mark.line == event->start_mark.line)
		node->width = (unsigned int)(event->end_mark.column - event->start_mark.column);
	return node;
}

static struct node *read_node(struct reader *reader, const yaml_event_t *event);

/* Reads one more node; *ret_end is set at the end of the collection instead. */
static struct node *read_next(struct reader *reader, yaml_event_type_t end, bool *ret_end,
			      yaml_mark_t *ret_mark)
{
	struct node *node = NULL;
	yaml_event_t event;

	*ret_end = true;
	if (!next_event(reader, &event))
		return NULL;
	*ret_mark = event.start_mark;
	if (event.type != end) {
		*ret_end = false;
		node = read_node(reader, &event);
	}
	yaml_event_delete(&event);
	return node;
}

static void read_sequence(struct reader *reader, struct node *node)
{
	for (;;) {
		yaml_mark_t mark;
		bool end;
		struct node *item = read_next(reader, YAML_SEQUENCE_END_EVENT, &end, &mark);

		if (end || reader->failed)
			return;
		if (item)
			*memory_push(reader->memory, node->items, node->count) = item;
	}
}

static bool check_key(struct reader *reader, const struct node *mapping, const struct node *key,
		      yaml_mark_t mark)
{
	if (!key)
		return false; /* said already */
	if (key->kind != NODE_SCALAR) {
		COMPLAIN(reader, mark, "expected a key, found %s",
			 node_describe(reader->memory, key));
		return false;
	}
	if (mapping->count >= KEYS_MAX) {
		COMPLAIN(reader, mark, "too many keys in one mapping (more than %d)", KEYS_MAX);
		reader->failed = true;
		return false;
	}
	for (size_t i = 0; i < mapping->count; i++) {
		if (strcmp(mapping->keys[i]->value, key->value) != 0)
			continue;
		COMPLAIN(reader, mark, "duplicate key '%s'; it stands first in line %u", key->value,
			 mapping->keys[i]->line);
		diagnostics_set_width(reader->diagnostics, key->width);
		return false;
	}
	return true;
}

static void read_mapping(struct reader *reader, struct node *node)
{
	for (;;) {
		yaml_mark_t mark, value_mark;
		bool end;
		struct node *key = read_next(reader, YAML_MAPPING_END_EVENT, &end, &mark);
		struct node *value;
		size_t count = node->count;

		if (end || reader->failed)
			return;
		value = read_next(reader, YAML_NO_EVENT, &end, &value_mark);
		if (reader->failed)
			return;
		if (!check_key(reader, node, key, mark) || !value)
			continue;
		*memory_push(reader->memory, node->keys, count) = key;
		*memory_push(reader->memory, node->items, node->count) = value;
	}
}

static struct node *read_collection(struct reader *reader, const yaml_event_t *event)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *tag = mapping ? event->data.mapping_start.tag
					 : event->data.sequence_start.tag;
	struct node *node = new_node(reader, mapping ? NODE_MAPPING : NODE_SEQUENCE,
				     event->start_mark);
	size_t anchor = add_anchor(reader, mapping ? event->data.mapping_start.anchor
						   : event->data.sequence_start.anchor,
				   event->start_mark);
	bool good = check_tag(reader, tag, event->start_mark);

	if (++reader->depth > DEPTH_MAX) {
		COMPLAIN(reader, event->start_mark, "nested too deeply");
		reader->failed = true;
		return NULL;
	}
	if (mapping)
		read_mapping(reader, node);
	else
		read_sequence(reader, node);
	reader->depth--;
	if (anchor != SIZE_MAX)
		reader->anchors[anchor].node = node;
	return good ? node : NULL;
}

static struct node *read_node(struct reader *reader, const yaml_event_t *event)
{
	struct node *node;
	size_t anchor;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return read_alias(reader, event);
	case YAML_SCALAR_EVENT:
		node = read_scalar(reader, event);
		anchor = add_anchor(reader, event->data.scalar.anchor, event->start_mark);
		if (anchor != SIZE_MAX)
			reader->anchors[anchor].node = node;
		return node;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return read_collection(reader, event);
	default:
		return NULL;
	}
}

/* ------------------------------------------------------------------ documents */

static struct node *read_stream(struct reader *reader)
{
	struct node *root = NULL;
	unsigned int documents = 0;
	yaml_event_type_t type = YAML_NO_EVENT;

	while (type != YAML_STREAM_END_EVENT) {
		yaml_event_t event;

		if (!next_event(reader, &event))
			return root;
		type = event.type;
		if (type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
			COMPLAIN(reader, event.start_mark,
				 "a second YAML document starts here; expected one policy in a file");
			type = YAML_STREAM_END_EVENT;
		} else if (type != YAML_STREAM_START_EVENT) {
			struct node *node = read_node(reader, &event);

			root = node ? node : root;
		}
		yaml_event_delete(&event);
	}
	return root;
}

bool node_is_nothing(const struct node *node)
{
	return node->kind == NODE_SCALAR && !node->quoted && !*node->value;
}

struct node *document_parse(struct memory *memory, const char *file, const char *text, size_t len,
			    struct diagnostics *diagnostics)
{
	struct reader reader = {
		.memory = memory,
		.file = file,
		.text = text,
		.len = len,
		.diagnostics = diagnostics,
	};
	size_t faults = diagnostics->count;
	const char *nul = memchr(text, '\0', len);
	struct node *root;

	if (nul) {
		COMPLAIN(&reader, mark_of_offset(&reader, (size_t)(nul - text)),
			 "this is a binary file (it holds a NUL byte); expected YAML text");
		return NULL;
	}
	if (!yaml_parser_initialize(&reader.parser))
		memory_exhausted();
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, len);
	root = read_stream(&reader);
	yaml_parser_delete(&reader.parser);

	if (reader.failed)
		return NULL;
	if (root && root->kind == NODE_MAPPING)
		return root;
	if (!root || node_is_nothing(root)) {
		if (diagnostics->count == faults)
			diagnostics_add(diagnostics, file, 1, 1,
					"the policy is empty; expected at least 'version: 1'");
		return NULL;
	}
	diagnostics_add(diagnostics, file, root->line, root->column,
			"expected a mapping of keys such as 'version: 1', found %s",
			node_describe(memory, root));
	return NULL;
}

struct node *node_get(const struct node *mapping, const char *key)
{
	for (size_t i = 0; i < mapping->count; i++)
		if (!strcmp(mapping->keys[i]->value, key))
			return mapping->items[i];
	return NULL;
}

const char *node_describe(struct memory *memory, const struct node *node)
{
	enum { SHOWN = 40 };
	size_t len;

	if (node->kind == NODE_MAPPING)
		return "a mapping";
	if (node->kind == NODE_SEQUENCE)
		return "a list";
	if (node_is_nothing(node))
		return "nothing";
	len = strlen(node->value);
	if (len <= SHOWN && node->quoted)
		return memory_printf(memory, "\"%s\"", node->value);
	if (len <= SHOWN)
		return memory_printf(memory, "'%s'", node->value);
	for (len = SHOWN; len > 0 && ((unsigned char)node->value[len] & 0xc0) == 0x80;)
		len--;
	return memory_printf(memory, "'%.*s...'", (int)len, node->value);
}
