/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <string.h>

#include "policy/nearest.h"
#include "policy/private.h"

/* `syscalls`: names of system calls, by the list that the supervisor gives. */

/* True when the pattern names a call that there is. */
static bool is_known(const struct loader *loader, const struct glob *glob)
{
	const char *name;

	if (!loader->context->syscall_name)
		return true;
	for (size_t i = 0; (name = loader->context->syscall_name(i)); i++)
		if (glob_match(glob, name, strlen(name)))
			return true;
	return false;
}

static void unknown_call(struct loader *loader, const struct document *document,
			 const struct node *entry, const char *name)
{
	struct nearest nearest = {.wanted = name};
	const char *known;

	for (size_t i = 0; (known = loader->context->syscall_name(i)); i++)
		nearest_offer(&nearest, known);
	if (nearest.best)
		loader_fault(loader, document, entry, "unknown system call '%s'; did you mean '%s'?",
			     name, nearest.best);
	else
		loader_fault(loader, document, entry,
			     "unknown system call '%s'; expected a name as in syscalls(2)", name);
}

static bool compile_call(struct loader *loader, const struct document *document,
			 const struct node *entry, struct call_rule *ret)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_*?[]-!^";
	const char *name = entry->value + (*entry->value == '!');
	struct call_rule rule = {
		.source = {document->file, entry->line, entry->column, entry->value},
		.exception = *entry->value == '!',
	};

	if (!*name || isdigit((unsigned char)*name) || name[strspn(name, letters)] ||
	    glob_compile(loader->memory, name, strlen(name), &rule.glob)) {
		loader_expected(loader, document, entry, "the name of a system call");
		return false;
	}
	if (!is_known(loader, &rule.glob)) {
		unknown_call(loader, document, entry, name);
		return false;
	}
	*ret = rule;
	return true;
}

static void parse_calls(struct loader *loader, const struct document *document,
			const struct key *key, const struct node *value, struct call_lists *lists)
{
	const struct node *entries = list_of(loader, document, key, value, "system calls");
	struct call_list *list = memory_push(loader->memory, lists->lists, lists->count);

	for (size_t i = 0; entries && i < entries->count; i++) {
		const struct node *entry = entries->items[i];
		struct call_rule rule;

		if (loader_scalar(loader, document, entry, "the name of a system call") &&
		    compile_call(loader, document, entry, &rule))
			*memory_push(loader->memory, list->rules, list->count) = rule;
	}
}

void parse_denied_calls(struct loader *loader, const struct document *document,
			const struct key *key, const struct node *value)
{
	parse_calls(loader, document, key, value, &loader->policy->denied_calls);
}

void parse_allowed_calls(struct loader *loader, const struct document *document,
			 const struct key *key, const struct node *value)
{
	parse_calls(loader, document, key, value, &loader->policy->allowed_calls);
}

/* ------------------------------------------------------------------------ asking */

static const struct rule_source *list_names(const struct call_list *list, const char *name)
{
	const size_t len = strlen(name);

	for (size_t i = list->count; i-- > 0;)
		if (glob_match(&list->rules[i].glob, name, len))
			return list->rules[i].exception ? NULL : &list->rules[i].source;
	return NULL;
}

static const struct rule_source *lists_name(const struct call_lists *lists, const char *name)
{
	for (size_t i = 0; i < lists->count; i++) {
		const struct rule_source *source = list_names(&lists->lists[i], name);

		if (source)
			return source;
	}
	return NULL;
}

const struct rule_source *policy_syscall(const struct policy *policy, const char *name,
					 enum decision *ret)
{
	const struct rule_source *source = lists_name(&policy->denied_calls, name);

	if (source) {
		*ret = DECISION_DENY;
		return source;
	}
	source = lists_name(&policy->allowed_calls, name);
	if (source)
		*ret = DECISION_ALLOW;
	return source;
}

bool policy_has_syscall_rules(const struct policy *policy)
{
	return policy->denied_calls.count > 0 || policy->allowed_calls.count > 0;
}
