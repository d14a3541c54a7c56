/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For the tests of the schema and the manual: the table of keys (without arguments), or policies as
 * their text stands (one JSON value a line), as the parser has them.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "policy/private.h"

static const char *kind_of(const struct key *key)
{
	static const struct {
		void (*parse)(struct loader *loader, const struct document *document,
			      const struct key *key, const struct node *value);
		const char *name;
	} kinds[] = {
		{parse_version, "version"},
		{parse_extends, "extends"},
		{parse_vars, "texts"},
		{parse_paths, "paths"},
		{parse_programs, "programs"},
		{parse_path_rewrites, "pathRewrites"},
		{parse_endpoints, "endpoints"},
		{parse_endpoint_rewrites, "endpointRewrites"},
		{parse_denied_calls, "calls"},
		{parse_allowed_calls, "calls"},
		{parse_keep, "names"},
		{parse_drop, "names"},
		{parse_set, "texts"},
		{parse_duration, "duration"},
		{parse_size, "size"},
		{parse_count, "count"},
		{parse_choice, "choice"},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].parse == key->parse)
			return kinds[i].name;
	return "unknown";
}

static json_t *keys(void)
{
	struct memory memory = {NULL};
	json_t *all = json_object();

	for (size_t i = 0; i < policy_key_count; i++) {
		const struct key *key = &policy_keys[i];
		json_t *words = json_array();

		for (const char *const *word = key->words; word && *word; word++)
			json_array_append_new(words, json_string(*word));
		json_object_set_new(all, key_title(&memory, key),
				    json_pack("{s:s, s:o}", "kind", kind_of(key), "words", words));
	}
	memory_free(&memory);
	return all;
}

/* A plain word is what YAML's core schema makes of it. */
static json_t *scalar(const struct node *node)
{
	const char *text = node->value;
	char *end;
	long long number;

	if (!node->quoted) {
		if (!*text || !strcmp(text, "~") || !strcmp(text, "null"))
			return json_null();
		if (!strcmp(text, "true") || !strcmp(text, "false"))
			return json_boolean(*text == 't');
		number = strtoll(text, &end, 10);
		if (!*end)
			return json_integer(number);
	}
	return json_stringn_nocheck(text, strlen(text));
}

static json_t *value_of(const struct node *node)
{
	json_t *value;

	if (node->kind == NODE_SCALAR)
		return scalar(node);
	value = node->kind == NODE_MAPPING ? json_object() : json_array();
	for (size_t i = 0; i < node->count; i++) {
		if (node->kind == NODE_MAPPING)
			json_object_set_new(value, node->keys[i]->value, value_of(node->items[i]));
		else
			json_array_append_new(value, value_of(node->items[i]));
	}
	return value;
}

/* null: it is not even a mapping. */
static json_t *policy(const char *name)
{
	AUTO_FILE FILE *in = fopen(name, "r");
	AUTO_FREE char *text = NULL;
	struct diagnostics diagnostics = {NULL, 0};
	struct memory memory = {NULL};
	size_t capacity = 0;
	struct node *root;
	json_t *value;
	ssize_t len;

	if (!in) {
		perror(name);
		exit(EXIT_FAILURE);
	}
	len = getdelim(&text, &capacity, '\0', in);
	root = document_parse(&memory, name, text ? text : "", len > 0 ? (size_t)len : 0,
			      &diagnostics);
	value = root ? value_of(root) : json_null();
	diagnostics_free(&diagnostics);
	memory_free(&memory);
	return value;
}

static void print(json_t *value)
{
	json_dumpf(value, stdout, JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(value);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		print(keys());
	for (int i = 1; i < argc; i++)
		print(policy(argv[i]));
	return EXIT_SUCCESS;
}
