/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <string.h>

#include "policy/nearest.h"
#include "policy/private.h"
#include "policy/program.h"

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

void source_of(struct rule *rule, const struct document *document, const struct node *entry)
{
	rule->source.file = document->file;
	rule->source.line = entry->line;
	rule->source.column = entry->column;
	rule->source.text = entry->value;
}

static struct rule *new_rule(struct loader *loader, const struct document *document,
			     const struct node *entry, struct rule_list *list)
{
	struct rule *rule = memory_alloc(loader->memory, sizeof(*rule));

	source_of(rule, document, entry);
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
	const struct pattern_place place = {document->folder, loader->context->home,
					    loader->cache};
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
		     const struct node *entry, struct rule_list *list,
		     const struct program *program)
{
	struct rule *rule = new_rule(loader, document, entry, list);

	rule->program = program;
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
			add_path(loader, document, entries->items[i], list, NULL);
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

static bool compile_args(struct loader *loader, const struct document *document,
			 const struct node *args, struct program *program)
{
	static const struct key key = {"exec.allow", "args", NULL};
	const struct node *list = list_of(loader, document, &key, args, "arguments");
	struct arg_pattern *patterns = NULL;
	bool good = list != NULL;

	program->has_args = true;
	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *arg = list->items[i];
		const char *text = NULL;
		const char *wrong;

		/* An empty argument is one, when it is quoted. */
		if (arg->kind != NODE_SCALAR || node_is_nothing(arg))
			loader_expected(loader, document, arg, "an argument");
		else
			text = loader_expand(loader, document, arg, 0, EXPAND_PATTERN);
		good = good && text;
		if (!text)
			continue;
		wrong = arg_pattern_compile(loader->memory, text,
					    memory_push(loader->memory, patterns,
							program->arg_count));
		if (!wrong)
			continue;
		good = false;
		loader_fault(loader, document, arg, "bad argument pattern '%s': %s", arg->value,
			     wrong);
	}
	program->args = patterns;
	return good;
}

static bool compile_sha256(struct loader *loader, const struct document *document,
			   const struct node *digest, struct program *program)
{
	static const char expected[] = "64 hexadecimal digits";
	char *lower;

	if (!loader_scalar(loader, document, digest, expected))
		return false;
	if (strlen(digest->value) != 64 || strspn(digest->value, "0123456789abcdefABCDEF") != 64) {
		loader_expected(loader, document, digest, expected);
		return false;
	}
	lower = memory_strdup(loader->memory, digest->value);
	for (char *at = lower; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	program->sha256 = lower;
	return true;
}

/* An entry of exec.allow that says more than a path. */
static void add_program(struct loader *loader, const struct document *document,
			const struct key *key, const struct node *entry, struct rule_list *list)
{
	static const char *const fields[] = {"path", "args", "sha256", NULL};
	const struct node *path = node_get(entry, "path");
	const struct node *args = node_get(entry, "args");
	const struct node *digest = node_get(entry, "sha256");
	struct program *program = memory_alloc(loader->memory, sizeof(*program));
	bool good = check_fields(loader, document, key, entry, fields, 1);

	if (args) {
		good = compile_args(loader, document, args, program) && good;
		schema_use(loader, document, args, FEATURE_ARGS);
	}
	if (digest) {
		good = compile_sha256(loader, document, digest, program) && good;
		schema_use(loader, document, digest, FEATURE_SHA256);
	}
	if (!path || !loader_scalar(loader, document, path, "a path"))
		return;
	if (*path->value == '!' && (args || digest))
		loader_fault(loader, document, path,
			     "'!' takes a path back whole; expected no args and no sha256 with it");
	else if (good)
		add_path(loader, document, path, list, args || digest ? program : NULL);
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
			add_path(loader, document, entry, list, NULL);
	}
}

/* --------------------------------------------------------------------- network */

bool compile_endpoint(struct loader *loader, const struct document *document,
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

void note_name_rule(struct loader *loader, const struct document *document,
		    const struct node *entry, const struct endpoint_pattern *pattern)
{
	if (pattern->kind != ENDPOINT_HOST)
		return;
	loader->policy->has_name_rules = true;
	schema_use(loader, document, entry, FEATURE_HOST_NAMES);
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
	if (endpoint->kind == ENDPOINT_HOST && key->allow == RIGHT_BIND) {
		loader_fault(loader, document, entry,
			     "bad endpoint '%s': a program listens on an address, not on a name",
			     entry->value);
		return;
	}
	if (endpoint->kind == ENDPOINT_UNIX_PATH) {
		loader_fault(loader, document, entry,
			     "bad endpoint '%s': 'unix:' must be written out, not come from a "
			     "variable", entry->value);
		return;
	}
	note_name_rule(loader, document, entry, endpoint);
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
