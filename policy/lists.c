/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "policy/nearest.h"
#include "policy/private.h"

/* Keys whose value is a list of rules. */

const struct node *list_of(struct loader *loader, const struct document *document,
			   const struct key *key, const struct node *value, const char *what)
{
	const char *hint = "";

	if (value->kind == NODE_SEQUENCE)
		return value;
	if (value->kind == NODE_SCALAR && !node_is_nothing(value))
		hint = memory_printf(loader->memory, "; write %s: [\"%s\"]", key->name,
				     value->value);
	loader_fault(loader, document, value, "expected a list of %s in %s, found %s%s", what,
		     key_title(loader->memory, key), node_describe(loader->memory, value), hint);
	return NULL;
}

struct rule *new_rule(struct loader *loader, const struct document *document,
		      const struct node *entry, struct rule_list *list)
{
	struct rule *rule = memory_alloc(loader->memory, sizeof(*rule));

	rule->source.file = document->file;
	rule->source.line = entry->line;
	rule->source.column = entry->column;
	rule->source.text = entry->value;
	rule->exception = *entry->value == '!';
	rule->list = list;
	return rule;
}

static struct rule_list *new_list(struct loader *loader, const struct key *key)
{
	struct rule_list *list = memory_alloc(loader->memory, sizeof(*list));

	list->allow = key->allow;
	list->deny = key->deny;
	return list;
}

bool compile_path(struct loader *loader, const struct document *document,
		  const struct node *entry, size_t skip, struct rule *rule)
{
	const struct pattern_place place = {document->folder, loader->context->home};
	const char *text = loader_expand(loader, document, entry, skip, EXPAND_PATTERN);
	struct pattern *patterns;
	const char *wrong;

	if (!text)
		return false;
	wrong = pattern_compile(loader->memory, text, &place, &patterns, &rule->pattern_count);
	if (wrong) {
		loader_fault(loader, document, entry, "bad path pattern '%s': %s", entry->value,
			     wrong);
		return false;
	}
	rule->patterns = patterns;
	return true;
}

static void add_path(struct loader *loader, const struct document *document,
		     const struct node *entry, struct rule_list *list)
{
	struct rule *rule = new_rule(loader, document, entry, list);

	if (compile_path(loader, document, entry, rule->exception, rule))
		ruleset_add(&loader->policy->ruleset, rule);
}

void parse_paths(struct loader *loader, const struct document *document, const struct key *key,
		 const struct node *value)
{
	const struct node *entries = list_of(loader, document, key, value, "paths");
	struct rule_list *list = new_list(loader, key);

	for (size_t i = 0; entries && i < entries->count; i++)
		if (loader_scalar(loader, document, entries->items[i], "a path"))
			add_path(loader, document, entries->items[i], list);
}

/* ------------------------------------------------------- entries with several keys */

static void unknown_field(struct loader *loader, const struct document *document,
			  const struct key *key, const struct node *node, const char *const *names)
{
	struct nearest nearest = {.wanted = node->value};
	const char *known = NULL;

	for (size_t i = 0; names[i]; i++) {
		nearest_offer(&nearest, names[i]);
		known = known ? memory_printf(loader->memory, "%s, %s", known, names[i]) : names[i];
	}
	if (nearest.best)
		loader_fault(loader, document, node,
			     "unknown key '%s' in an entry of %s; did you mean '%s'?", node->value,
			     key_title(loader->memory, key), nearest.best);
	else
		loader_fault(loader, document, node,
			     "unknown key '%s' in an entry of %s; expected one of %s", node->value,
			     key_title(loader->memory, key), known);
}

bool check_fields(struct loader *loader, const struct document *document, const struct key *key,
		  const struct node *mapping, const char *const *names, size_t required)
{
	bool good = true;

	for (size_t i = 0; i < mapping->count; i++) {
		size_t n = 0;

		while (names[n] && strcmp(names[n], mapping->keys[i]->value) != 0)
			n++;
		if (names[n])
			continue;
		unknown_field(loader, document, key, mapping->keys[i], names);
		good = false;
	}
	for (size_t n = 0; n < required; n++) {
		if (node_get(mapping, names[n]))
			continue;
		loader_fault(loader, document, mapping, "the key '%s' is missing in an entry of %s",
			     names[n], key_title(loader->memory, key));
		good = false;
	}
	return good;
}

void parse_path_rewrites(struct loader *loader, const struct document *document,
			 const struct key *key, const struct node *value)
{
	static const char *const fields[] = {"path", "to", NULL};
	const struct node *entries = list_of(loader, document, key, value, "{path, to} mappings");

	for (size_t i = 0; entries && i < entries->count; i++) {
		const struct node *entry = entries->items[i];

		if (entry->kind != NODE_MAPPING) {
			loader_expected(loader, document, entry, "{path: PATH, to: PATH}");
			continue;
		}
		check_fields(loader, document, key, entry, fields, 2);
		for (size_t f = 0; fields[f]; f++) {
			const struct node *path = node_get(entry, fields[f]);
			struct rule unused = {.pattern_count = 0};

			if (path && loader_scalar(loader, document, path, "a path"))
				compile_path(loader, document, path, 0, &unused);
		}
	}
}

static void check_args(struct loader *loader, const struct document *document,
		       const struct key *key, const struct node *args)
{
	const struct node *list = list_of(loader, document, key, args, "arguments");

	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *arg = list->items[i];
		const char *wrong;
		struct glob glob;

		if (!loader_scalar(loader, document, arg, "an argument"))
			continue;
		wrong = glob_compile(loader->memory, arg->value, strlen(arg->value), &glob);
		if (wrong)
			loader_fault(loader, document, arg, "bad argument pattern '%s': %s",
				     arg->value, wrong);
	}
}

static void check_sha256(struct loader *loader, const struct document *document,
			 const struct node *digest)
{
	static const char expected[] = "64 hexadecimal digits";

	if (!loader_scalar(loader, document, digest, expected))
		return;
	if (strlen(digest->value) != 64 || strspn(digest->value, "0123456789abcdefABCDEF") != 64)
		loader_expected(loader, document, digest, expected);
}

/* An entry of exec.allow that says more than a path. */
static void add_program(struct loader *loader, const struct document *document,
			const struct key *key, const struct node *entry, struct rule_list *list)
{
	static const char *const fields[] = {"path", "args", "sha256", NULL};
	static const struct key args_key = {"exec.allow", "args", NULL};
	const struct node *path = node_get(entry, "path");
	const struct node *args = node_get(entry, "args");
	const struct node *digest = node_get(entry, "sha256");

	check_fields(loader, document, key, entry, fields, 1);
	if (args) {
		check_args(loader, document, &args_key, args);
		schema_pending(loader, document, args, "args in exec.allow");
	}
	if (digest) {
		check_sha256(loader, document, digest);
		schema_pending(loader, document, digest, "sha256 in exec.allow");
	}
	if (path && loader_scalar(loader, document, path, "a path"))
		add_path(loader, document, path, list);
}

void parse_programs(struct loader *loader, const struct document *document, const struct key *key,
		    const struct node *value)
{
	const struct node *entries = list_of(loader, document, key, value, "programs");
	struct rule_list *list = new_list(loader, key);

	for (size_t i = 0; entries && i < entries->count; i++) {
		const struct node *entry = entries->items[i];

		if (entry->kind == NODE_MAPPING)
			add_program(loader, document, key, entry, list);
		else if (loader_scalar(loader, document, entry, "a path or {path: PATH, ...}"))
			add_path(loader, document, entry, list);
	}
}

/* --------------------------------------------------------------------- network */

static bool compile_endpoint(struct loader *loader, const struct document *document,
			     const struct node *entry, size_t skip, bool both,
			     struct endpoint_pattern *ret)
{
	const char *text = loader_expand(loader, document, entry, skip, EXPAND_PLAIN);
	const char *wrong;

	if (!text)
		return false;
	wrong = endpoint_pattern_compile(loader->memory, text, both, ret);
	if (wrong)
		loader_fault(loader, document, entry, "bad endpoint '%s': %s", entry->value, wrong);
	return !wrong;
}

static void add_endpoint(struct loader *loader, const struct document *document,
			 const struct key *key, const struct node *entry, struct rule_list *list)
{
	struct rule *rule = new_rule(loader, document, entry, list);
	size_t skip = rule->exception;
	struct endpoint_pattern *endpoint;

	if (!strncmp(entry->value + skip, "unix:", 5) && entry->value[skip + 5] != '@') {
		if (compile_path(loader, document, entry, skip + 5, rule))
			ruleset_add(&loader->policy->ruleset, rule);
		return;
	}
	endpoint = memory_alloc(loader->memory, sizeof(*endpoint));
	if (!compile_endpoint(loader, document, entry, skip, key->deny != 0, endpoint))
		return;
	if (endpoint->kind == ENDPOINT_HOST) {
		schema_pending(loader, document, entry,
			       memory_printf(loader->memory, "the host name '%s' in %s",
					     endpoint->text, key_title(loader->memory, key)));
		return;
	}
	if (endpoint->kind == ENDPOINT_UNIX_PATH) {
		loader_fault(loader, document, entry,
			     "bad endpoint '%s': 'unix:' must be written out, not come from a "
			     "variable", entry->value);
		return;
	}
	rule->endpoint = endpoint;
	ruleset_add(&loader->policy->ruleset, rule);
}

void parse_endpoints(struct loader *loader, const struct document *document,
		     const struct key *key, const struct node *value)
{
	const struct node *entries = list_of(loader, document, key, value, "endpoints");
	struct rule_list *list = new_list(loader, key);

	for (size_t i = 0; entries && i < entries->count; i++)
		if (loader_scalar(loader, document, entries->items[i], "an endpoint"))
			add_endpoint(loader, document, key, entries->items[i], list);
}

void parse_endpoint_rewrites(struct loader *loader, const struct document *document,
			     const struct key *key, const struct node *value)
{
	static const char *const fields[] = {"connect", "to", NULL};
	const struct node *entries = list_of(loader, document, key, value, "{connect, to} mappings");

	for (size_t i = 0; entries && i < entries->count; i++) {
		const struct node *entry = entries->items[i];

		if (entry->kind != NODE_MAPPING) {
			loader_expected(loader, document, entry, "{connect: ENDPOINT, to: ENDPOINT}");
			continue;
		}
		check_fields(loader, document, key, entry, fields, 2);
		for (size_t f = 0; fields[f]; f++) {
			const struct node *text = node_get(entry, fields[f]);
			struct endpoint_pattern unused;

			if (text && loader_scalar(loader, document, text, "an endpoint"))
				compile_endpoint(loader, document, text, 0, false, &unused);
		}
	}
}
