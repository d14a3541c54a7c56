/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <string.h>

#include "policy/private.h"

/* Keys whose value is one word or a small mapping. */

void parse_version(struct loader *loader, const struct document *document, const struct key *key,
		   const struct node *value)
{
	(void)key;
	if (value->kind != NODE_SCALAR || value->quoted || strcmp(value->value, "1") != 0)
		loader_expected(loader, document, value, "version 1, the only one there is");
}

void parse_extends(struct loader *loader, const struct document *document, const struct key *key,
		   const struct node *value)
{
	const struct node *list = list_of(loader, document, key, value, "profiles or files");

	for (size_t i = 0; list && i < list->count; i++)
		if (loader_scalar(loader, document, list->items[i], "the name of a profile or a file"))
			loader_extend(loader, document, list->items[i]);
}

void parse_vars(struct loader *loader, const struct document *document, const struct key *key,
		const struct node *value)
{
	(void)key;
	if (value->kind != NODE_MAPPING) {
		loader_expected(loader, document, value, "a mapping of names to texts");
		return;
	}
	for (size_t i = 0; i < value->count; i++)
		if (loader_scalar(loader, document, value->items[i], "a text"))
			loader_add_variable(loader, document, value->keys[i], value->items[i]);
}

/* A word of a fixed set. */
void parse_choice(struct loader *loader, const struct document *document, const struct key *key,
		  const struct node *value)
{
	const char *words = NULL;

	for (size_t i = 0; key->words[i]; i++) {
		if (value->kind == NODE_SCALAR && !strcmp(value->value, key->words[i])) {
			memcpy((char *)loader->policy + key->setting, &i, sizeof(i));
			if (i > 0 && key->pending)
				schema_pending(loader, document, value,
					       memory_printf(loader->memory, "%s: %s",
							     key_title(loader->memory, key),
							     key->words[i]));
			return;
		}
		words = words ? memory_printf(loader->memory, "%s%s'%s'", words,
					      key->words[i + 1] ? ", " : " or ", key->words[i])
			      : memory_printf(loader->memory, "'%s'", key->words[i]);
	}
	loader_expected(loader, document, value, words);
}

/* ---------------------------------------------------------------------- limits */

static void set_limit(struct loader *loader, const struct document *document,
		      const struct key *key, const struct node *node, uint64_t value)
{
	loader->policy->limited[key->limit] = true;
	loader->policy->limits[key->limit] = (struct policy_limit){
		.value = value,
		.rule = {document->file, node->line, node->column,
			 memory_printf(loader->memory, "%s: %s", key->name, node->value)},
	};
}

void parse_duration(struct loader *loader, const struct document *document, const struct key *key,
		    const struct node *value)
{
	uint64_t duration;

	if (value->kind == NODE_SCALAR && policy_parse_duration(value->value, &duration) == 0)
		set_limit(loader, document, key, value, duration);
	else
		loader_expected(loader, document, value,
				"a duration such as 90, 1.5s, 200ms, 5m or 2h");
}

/* Digits, of which the value fits 64 bits after `shift` doublings. */
static bool read_number(const char *text, size_t len, unsigned int shift, uint64_t *ret)
{
	uint64_t value = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)text[i]) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return false;
	*ret = value << shift;
	return value <= UINT64_MAX >> shift;
}

void parse_size(struct loader *loader, const struct document *document, const struct key *key,
		const struct node *value)
{
	static const char units[] = "kmgt";
	const char *text = value->kind == NODE_SCALAR ? value->value : "";
	size_t len = strlen(text);
	const char *unit = len ? strchr(units, tolower((unsigned char)text[len - 1])) : NULL;
	const unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
	uint64_t size;

	if (read_number(text, unit ? len - 1 : len, shift, &size))
		set_limit(loader, document, key, value, size);
	else
		loader_expected(loader, document, value,
				"a size in bytes such as 4096, 10k, 512M or 2G");
}

void parse_count(struct loader *loader, const struct document *document, const struct key *key,
		 const struct node *value)
{
	const char *text = value->kind == NODE_SCALAR ? value->value : "";
	uint64_t count;

	if (read_number(text, strlen(text), 0, &count))
		set_limit(loader, document, key, value, count);
	else
		loader_expected(loader, document, value, "a number");
}

/* ----------------------------------------------------------------- environment */

static void parse_name(struct loader *loader, const struct document *document,
		       const struct node *entry, struct name_rule *rule)
{
	struct memory *memory = loader->memory;
	struct glob *globs = NULL;
	const char *text, *wrong = NULL;
	char **texts = NULL;
	size_t count = 0;

	rule->exception = *entry->value == '!';
	text = entry->value + rule->exception;
	if (!*text)
		wrong = "it is empty";
	else if (strchr(text, '='))
		wrong = "a name holds no '='";
	else
		wrong = glob_expand_braces(memory, text, &texts, &count);
	for (size_t i = 0; !wrong && i < count; i++)
		wrong = glob_compile(memory, texts[i], strlen(texts[i]),
				     memory_push(memory, globs, rule->glob_count));
	if (wrong)
		loader_fault(loader, document, entry, "bad name pattern '%s': %s", entry->value,
			     wrong);
	rule->globs = globs;
}

static void parse_names(struct loader *loader, const struct document *document,
			const struct key *key, const struct node *value, struct name_list *names)
{
	const struct node *list = list_of(loader, document, key, value, "names");

	for (size_t i = 0; list && i < list->count; i++)
		if (loader_scalar(loader, document, list->items[i], "the name of a variable"))
			parse_name(loader, document, list->items[i],
				   memory_push(loader->memory, names->rules, names->count));
}

void parse_keep(struct loader *loader, const struct document *document, const struct key *key,
		const struct node *value)
{
	struct environment_rules *rules = &loader->policy->environment;

	parse_names(loader, document, key, value,
		    memory_push(loader->memory, rules->keep, rules->keep_count));
}

void parse_drop(struct loader *loader, const struct document *document, const struct key *key,
		const struct node *value)
{
	struct environment_rules *rules = &loader->policy->environment;

	parse_names(loader, document, key, value,
		    memory_push(loader->memory, rules->drop, rules->drop_count));
}

/* Later wins: an earlier one of the same name is replaced in its place. */
static void set_one(struct loader *loader, const char *name, const char *value)
{
	struct environment_rules *rules = &loader->policy->environment;
	const char *entry = memory_printf(loader->memory, "%s=%s", name, value);
	size_t len = strlen(name) + 1;

	for (size_t i = 0; i < rules->set_count; i++) {
		if (!strncmp(rules->set[i], entry, len)) {
			rules->set[i] = entry;
			return;
		}
	}
	*memory_push(loader->memory, rules->set, rules->set_count) = entry;
}

void parse_set(struct loader *loader, const struct document *document, const struct key *key,
	       const struct node *value)
{
	(void)key;
	if (value->kind != NODE_MAPPING) {
		loader_expected(loader, document, value, "a mapping of names to texts");
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		const struct node *name = value->keys[i];
		const char *text;

		if (!*name->value || strchr(name->value, '=')) {
			loader_expected(loader, document, name, "the name of a variable");
			continue;
		}
		if (!loader_scalar(loader, document, value->items[i], "a text"))
			continue;
		text = loader_expand(loader, document, value->items[i], 0, EXPAND_PLAIN);
		if (text)
			set_one(loader, name->value, text);
	}
}
