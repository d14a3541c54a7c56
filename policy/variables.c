/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <string.h>

#include "policy/nearest.h"
#include "policy/private.h"

enum { EXPANDED_MAX = 65535, VARIABLE_DEPTH_MAX = 32 };

/* ---------------------------------------------------------- variables built in */

static const char *const builtin_names[] = {"HOME", "PWD",        "USER", "UID",
					    "TMPDIR", "POLICY_DIR", NULL};

static bool is_builtin(const char *name)
{
	for (size_t i = 0; builtin_names[i]; i++)
		if (!strcmp(builtin_names[i], name))
			return true;
	return false;
}

static const char *builtin_value(struct loader *loader, const struct document *document,
				 const char *name)
{
	const struct policy_context *context = loader->context;

	if (!strcmp(name, "HOME"))
		return context->home;
	if (!strcmp(name, "PWD"))
		return context->cwd;
	if (!strcmp(name, "USER"))
		return context->user;
	if (!strcmp(name, "TMPDIR"))
		return context->tmpdir;
	if (!strcmp(name, "POLICY_DIR"))
		return document->folder;
	return memory_printf(loader->memory, "%lu", (unsigned long)context->uid);
}

static const char *environment_value(const struct loader *loader, const char *name)
{
	size_t len = strlen(name);

	for (char *const *entry = loader->context->environ; entry && *entry; entry++)
		if (!strncmp(*entry, name, len) && (*entry)[len] == '=')
			return *entry + len + 1;
	return NULL;
}

/* ------------------------------------------------------------------- expansion */

struct expansion {
	struct loader *loader;
	const struct document *document; /* where the text stands */
	const struct node *node;
	enum expand_mode mode;
	char *text;
	size_t len;
	size_t capacity;
	bool good;
};

static void append(struct expansion *expansion, const char *text, size_t len)
{
	char *grown;

	if (!expansion->good)
		return;
	if (expansion->len + len > EXPANDED_MAX) {
		loader_fault(expansion->loader, expansion->document, expansion->node,
			     "the text is longer than %d bytes once its variables are replaced",
			     EXPANDED_MAX);
		expansion->good = false;
		return;
	}
	if (expansion->len + len >= expansion->capacity) {
		expansion->capacity = 2 * (expansion->len + len) + 1;
		grown = memory_alloc(expansion->loader->memory, expansion->capacity);
		memcpy(grown, expansion->text, expansion->len);
		expansion->text = grown;
	}
	memcpy(expansion->text + expansion->len, text, len);
	expansion->len += len;
	expansion->text[expansion->len] = '\0';
}

/* What comes from outside: no wildcard in it, and in a path never nothing. */
static void append_outside(struct expansion *expansion, const char *name, const char *value)
{
	if (!value || (!*value && expansion->mode == EXPAND_PATTERN)) {
		loader_fault(expansion->loader, expansion->document, expansion->node,
			     "the variable ${%s} is %s", name, value ? "empty" : "not set");
		expansion->good = false;
		return;
	}
	if (expansion->mode == EXPAND_PATTERN)
		value = pattern_quote(expansion->loader->memory, value);
	append(expansion, value, strlen(value));
}

static struct variable *find_variable(struct loader *loader, const char *name)
{
	for (size_t i = loader->variable_count; i-- > 0;)
		if (!strcmp(loader->variables[i].name, name))
			return &loader->variables[i];
	return NULL;
}

static const char *variable_text(struct loader *loader, struct variable *variable,
				 enum expand_mode mode)
{
	const char *text;

	if (variable->expanded[mode].state != VALUE_UNKNOWN)
		return variable->expanded[mode].text;
	variable->expanded[mode].state = VALUE_BEING_MADE;
	text = NULL;
	if (++loader->variable_depth > VARIABLE_DEPTH_MAX)
		loader_fault(loader, variable->document, variable->value,
			     "variables stand within each other too deeply");
	else
		text = loader_expand(loader, variable->document, variable->value, 0, mode);
	loader->variable_depth--;
	variable->expanded[mode].state = text ? VALUE_GOOD : VALUE_BAD;
	variable->expanded[mode].text = text;
	return text;
}

static void unknown_variable(struct expansion *expansion, const char *name)
{
	struct loader *loader = expansion->loader;
	struct nearest nearest = {.wanted = name};

	for (size_t i = 0; builtin_names[i]; i++)
		nearest_offer(&nearest, builtin_names[i]);
	for (size_t i = 0; i < loader->variable_count; i++)
		nearest_offer(&nearest, loader->variables[i].name);
	expansion->good = false;
	if (nearest.best)
		loader_fault(loader, expansion->document, expansion->node,
			     "unknown variable ${%s}; did you mean ${%s}?", name, nearest.best);
	else
		loader_fault(loader, expansion->document, expansion->node,
			     "unknown variable ${%s}; expected one of vars, HOME, PWD, USER, UID, "
			     "TMPDIR, POLICY_DIR or env:NAME", name);
}

static void append_variable(struct expansion *expansion, const char *name)
{
	struct loader *loader = expansion->loader;
	struct variable *variable;
	const char *text;

	if (!strncmp(name, "env:", 4)) {
		append_outside(expansion, name, environment_value(loader, name + 4));
		return;
	}
	if (is_builtin(name)) {
		append_outside(expansion, name, builtin_value(loader, expansion->document, name));
		return;
	}
	variable = find_variable(loader, name);
	if (!variable) {
		unknown_variable(expansion, name);
		return;
	}
	if (variable->expanded[expansion->mode].state == VALUE_BEING_MADE) {
		loader_fault(loader, expansion->document, expansion->node,
			     "the variable ${%s} stands for itself", name);
		expansion->good = false;
		return;
	}
	text = variable_text(loader, variable, expansion->mode);
	if (text)
		append(expansion, text, strlen(text));
	else
		expansion->good = false; /* said where the variable stands */
}

/* At a '$'. Returns what follows the variable. */
static const char *read_variable(struct expansion *expansion, const char *at)
{
	const char *close;

	if (at[1] != '{') {
		if (expansion->mode == EXPAND_PATTERN) {
			loader_fault(expansion->loader, expansion->document, expansion->node,
				     "expected '{NAME}' after '$'; write '\\$' for the sign itself");
			expansion->good = false;
		}
		append(expansion, at, 1);
		return at + 1;
	}
	close = strchr(at, '}');
	if (!close) {
		loader_fault(expansion->loader, expansion->document, expansion->node,
			     "a '${' has no '}'");
		expansion->good = false;
		return at + strlen(at);
	}
	append_variable(expansion, memory_strndup(expansion->loader->memory, at + 2,
						  (size_t)(close - at - 2)));
	return close + 1;
}

/* Length of the piece at `at` that is taken as it is; 0 at a '$' that is not quoted. */
static size_t plain_length(const char *at, enum expand_mode mode)
{
	const char *end = at;

	while (*end && *end != '$' && *end != '\\')
		end++;
	if (end > at || *end != '\\')
		return (size_t)(end - at);
	return mode == EXPAND_PATTERN && at[1] ? 2 : 1;
}

const char *loader_expand(struct loader *loader, const struct document *document,
			  const struct node *node, size_t skip, enum expand_mode mode)
{
	struct expansion expansion = {
		.loader = loader,
		.document = document,
		.node = node,
		.mode = mode,
		.text = memory_strdup(loader->memory, ""),
		.capacity = 1,
		.good = true,
	};
	const char *at = node->value + skip;

	while (*at) {
		size_t len = plain_length(at, mode);

		if (len == 0) {
			at = read_variable(&expansion, at);
		} else if (mode == EXPAND_PLAIN && !strncmp(at, "\\${", 3)) {
			append(&expansion, "${", 2);
			at += 3;
		} else {
			append(&expansion, at, len);
			at += len;
		}
	}
	return expansion.good ? expansion.text : NULL;
}

/* ------------------------------------------------------------------------ vars */

static bool is_name(const char *name)
{
	return *name && !isdigit((unsigned char)*name) &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] ==
		       '\0';
}

void loader_add_variable(struct loader *loader, const struct document *document,
			 const struct node *key, const struct node *value)
{
	struct variable *variable;

	if (!is_name(key->value)) {
		loader_expected(loader, document, key,
				"the name of a variable, of letters, digits and '_'");
		return;
	}
	if (is_builtin(key->value)) {
		loader_fault(loader, document, key,
			     "the variable ${%s} is there already; choose another name",
			     key->value);
		return;
	}
	variable = memory_push(loader->memory, loader->variables, loader->variable_count);
	variable->name = key->value;
	variable->value = value;
	variable->document = document;
}

void loader_check_variables(struct loader *loader)
{
	for (size_t i = 0; i < loader->variable_count; i++)
		(void)variable_text(loader, &loader->variables[i], EXPAND_PLAIN);
}
