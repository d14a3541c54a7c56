/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "policy/nearest.h"
#include "policy/private.h"

static const char *const on_block_words[] = {"deny", "kill", NULL};
static const char *const rollback_words[] = {"never", "on-failure", "always", NULL};
static const char *const boolean_words[] = {"false", "true", NULL};
static const char *const library_words[] = {"false", "true", "http", NULL};

const struct key policy_keys[] = {
	{NULL, "version", parse_version, .early = true},
	{NULL, "extends", parse_extends, .early = true},
	{NULL, "vars", parse_vars, .early = true},

	{"files", "read", parse_paths, .allow = RIGHT_READ},
	{"files", "write", parse_paths, .allow = RIGHTS_WRITE},
	{"files", "create", parse_paths, .allow = RIGHT_CREATE},
	{"files", "modify", parse_paths, .allow = RIGHT_MODIFY},
	{"files", "delete", parse_paths, .allow = RIGHT_DELETE},
	{"files", "attr", parse_paths, .allow = RIGHT_ATTR},
	{"files", "deny", parse_paths, .deny = RIGHTS_PATH},
	{"files", "hide", parse_paths, .deny = RIGHTS_PATH | RIGHT_SEE},
	{"files", "rewrite", parse_path_rewrites},

	{"exec", "allow", parse_programs, .allow = RIGHT_EXEC},
	{"exec", "deny", parse_paths, .deny = RIGHT_EXEC},
	{"exec", "rewrite", parse_path_rewrites, .allow = RIGHT_EXEC},

	{"network", "connect", parse_endpoints, .allow = RIGHT_CONNECT},
	{"network", "bind", parse_endpoints, .allow = RIGHT_BIND},
	{"network", "deny", parse_endpoints, .deny = RIGHTS_NETWORK},
	{"network", "rewrite", parse_endpoint_rewrites},
	{"network", "proxy", parse_choice, .words = boolean_words,
	 .setting = offsetof(struct policy, proxy)},

	{"syscalls", "deny", parse_denied_calls},
	{"syscalls", "allow", parse_allowed_calls},

	{"env", "keep", parse_keep},
	{"env", "drop", parse_drop},
	{"env", "set", parse_set},

	{"limits", "wall", parse_duration, .limit = LIMIT_WALL},
	{"limits", "cpu", parse_duration, .limit = LIMIT_CPU},
	{"limits", "memory", parse_size, .limit = LIMIT_MEMORY},
	{"limits", "processes", parse_count, .limit = LIMIT_PROCESSES},
	{"limits", "open_files", parse_count, .limit = LIMIT_OPEN_FILES},
	{"limits", "file_size", parse_size, .limit = LIMIT_FILE_SIZE},
	{"limits", "disk", parse_size, .limit = LIMIT_DISK},
	{"limits", "output", parse_size, .limit = LIMIT_OUTPUT},

	{NULL, "on_block", parse_choice, .words = on_block_words,
	 .setting = offsetof(struct policy, on_block)},
	{NULL, "rollback", parse_choice, .words = rollback_words,
	 .setting = offsetof(struct policy, rollback), .pending = true},
	{"observe", "library", parse_choice, .words = library_words,
	 .setting = offsetof(struct policy, observe_library)},
};
const size_t policy_key_count = sizeof(policy_keys) / sizeof(policy_keys[0]);

/* The column `pending` for what is no key of its own. */
static const struct {
	const char *what;
	bool pending;
} features[FEATURE_COUNT] = {
	[FEATURE_ARGS] = {"args in exec.allow", .pending = false},
	[FEATURE_SHA256] = {"sha256 in exec.allow", .pending = false},
	[FEATURE_HOST_NAMES] = {"a host name in network", .pending = false},
};

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

const char *key_title(struct memory *memory, const struct key *key)
{
	return key->section ? memory_printf(memory, "%s.%s", key->section, key->name) : key->name;
}

static const struct key *find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < policy_key_count; i++)
		if (same(policy_keys[i].section, section) && !strcmp(policy_keys[i].name, name))
			return &policy_keys[i];
	return NULL;
}

static bool is_section(const char *name)
{
	for (size_t i = 0; i < policy_key_count; i++)
		if (policy_keys[i].section && !strcmp(policy_keys[i].section, name))
			return true;
	return false;
}

/* "version, extends, files..." for a message: all that could stand in `section`. */
static const char *known_names(struct memory *memory, const char *section)
{
	const char *names = NULL;
	const char *last = "";

	for (size_t i = 0; i < policy_key_count; i++) {
		const struct key *key = &policy_keys[i];
		const char *name = key->name;

		if (!section && key->section)
			name = key->section;
		else if (!same(key->section, section))
			continue;
		if (strcmp(name, last) != 0)
			names = names ? memory_printf(memory, "%s, %s", names, name) : name;
		last = name;
	}
	return names;
}

static void unknown_key(struct loader *loader, const struct document *document,
			const char *section, const struct node *node)
{
	struct nearest nearest = {.wanted = node->value};
	const char *place = "";

	for (size_t i = 0; i < policy_key_count; i++) {
		if (same(policy_keys[i].section, section))
			nearest_offer(&nearest, policy_keys[i].name);
		else if (!section)
			nearest_offer(&nearest, policy_keys[i].section);
	}
	if (section)
		place = memory_printf(loader->memory, " in %s", section);
	if (nearest.best)
		loader_fault(loader, document, node, "unknown key '%s'%s; did you mean '%s'?",
			     node->value, place, nearest.best);
	else
		loader_fault(loader, document, node, "unknown key '%s'%s; expected one of %s",
			     node->value, place, known_names(loader->memory, section));
}

void schema_pending(struct loader *loader, const struct document *document,
		    const struct node *node, const char *what)
{
	struct policy *policy = loader->policy;
	struct policy_pending *pending =
		memory_push(loader->memory, policy->pending, policy->pending_count);

	*pending = (struct policy_pending){document->file, node->line, node->column, what};
}

void schema_use(struct loader *loader, const struct document *document, const struct node *node,
		enum feature feature)
{
	if (features[feature].pending)
		schema_pending(loader, document, node, features[feature].what);
}

static void apply_key(struct loader *loader, const struct document *document,
		      const struct key *key, const struct node *name, const struct node *value,
		      enum schema_pass pass)
{
	if (key->early != (pass == PASS_EARLY))
		return;
	key->parse(loader, document, key, value);
	if (key->pending && !key->words)
		schema_pending(loader, document, name, key_title(loader->memory, key));
}

static void apply_section(struct loader *loader, const struct document *document,
			  const char *section, const struct node *value, enum schema_pass pass)
{
	if (value->kind != NODE_MAPPING) {
		if (pass == PASS_EARLY)
			loader_expected(loader, document, value,
					memory_printf(loader->memory, "a mapping with %s",
						      known_names(loader->memory, section)));
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		const struct key *key = find_key(section, value->keys[i]->value);

		if (key)
			apply_key(loader, document, key, value->keys[i], value->items[i], pass);
		else if (pass == PASS_EARLY)
			unknown_key(loader, document, section, value->keys[i]);
	}
}

void schema_apply(struct loader *loader, const struct document *document, enum schema_pass pass)
{
	const struct node *root = document->root;

	for (size_t i = 0; i < root->count; i++) {
		const struct node *name = root->keys[i];
		const struct key *key = find_key(NULL, name->value);

		if (key)
			apply_key(loader, document, key, name, root->items[i], pass);
		else if (is_section(name->value))
			apply_section(loader, document, name->value, root->items[i], pass);
		else if (pass == PASS_EARLY)
			unknown_key(loader, document, NULL, name);
	}
	if (pass == PASS_EARLY && !node_get(root, "version"))
		loader_fault(loader, document, root, "the key 'version' is missing; expected 'version: 1'");
}
