/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/ruleset.h"

void ruleset_add(struct ruleset *ruleset, struct rule *rule)
{
	struct rule_list *list = rule->list;

	if (!ruleset->index)
		ruleset->index = path_index_new(ruleset->memory);
	rule->order = (uint32_t)ruleset->count;
	*memory_push(ruleset->memory, ruleset->rules, ruleset->count) = rule;
	if (rule->exception) {
		*memory_push(ruleset->memory, list->exceptions, list->exception_count) = rule;
		return;
	}
	if (rule->endpoint)
		*memory_push(ruleset->memory, ruleset->endpoints, ruleset->endpoint_count) = rule;
	for (size_t i = 0; i < rule->pattern_count; i++)
		path_index_add(ruleset->index, rule, &rule->patterns[i]);
}

/* Only a rule that stands before the one found so far can change the answer. */
static bool wanted(const struct rule *rule, const struct query *query)
{
	if (rule->list->deny & query->right)
		return !query->denied || rule->order < query->denied->order;
	if (rule->list->allow & query->right)
		return !query->allowed || rule->order < query->allowed->order;
	return false;
}

static void note(const struct rule *rule, const struct rule *taken, struct query *query)
{
	bool deny = rule->list->deny & query->right;

	if (taken && !deny && (!query->taken || taken->order < query->taken->order))
		query->taken = taken;
	if (taken)
		return;
	if (deny)
		query->denied = rule;
	else
		query->allowed = rule;
}

static bool matches_path(const struct rule *rule, const char *path)
{
	for (size_t i = 0; i < rule->pattern_count; i++)
		if (pattern_match(&rule->patterns[i], path))
			return true;
	return false;
}

static void found_path(const struct rule *rule, const char *path, struct query *query)
{
	const struct rule_list *list = rule->list;
	const struct rule *taken = NULL;

	for (size_t i = list->exception_count; i-- > 0 && !taken;) {
		if (list->exceptions[i]->order < rule->order)
			break;
		if (matches_path(list->exceptions[i], path))
			taken = list->exceptions[i];
	}
	note(rule, taken, query);
}

void ruleset_ask_path(const struct ruleset *ruleset, const char *path, struct query *query)
{
	const struct path_visitor visitor = {wanted, found_path, query};

	if (ruleset->index)
		path_index_visit(ruleset->index, path, &visitor);
}

void ruleset_ask_endpoint(const struct ruleset *ruleset, const struct endpoint *endpoint,
			  struct query *query)
{
	for (size_t i = 0; i < ruleset->endpoint_count; i++) {
		const struct rule *rule = ruleset->endpoints[i];
		const struct rule_list *list = rule->list;
		const struct rule *taken = NULL;

		if (!wanted(rule, query) || !endpoint_pattern_match(rule->endpoint, endpoint))
			continue;
		for (size_t e = list->exception_count; e-- > 0 && !taken;) {
			const struct rule *exception = list->exceptions[e];

			if (exception->order < rule->order)
				break;
			if (exception->endpoint &&
			    endpoint_pattern_match(exception->endpoint, endpoint))
				taken = exception;
		}
		note(rule, taken, query);
	}
}
