/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/ruleset.h"

#include <string.h>

#include "policy/program.h"

static void add_exception(struct ruleset *ruleset, struct rule *rule)
{
	struct rule_list *list = rule->list;

	*memory_push(ruleset->memory, list->exceptions, list->exception_count) = rule;
	if (rule->pattern_count > 0 && !list->exception_paths)
		list->exception_paths = path_index_new(ruleset->memory);
	for (size_t i = 0; i < rule->pattern_count; i++)
		path_index_add(list->exception_paths, rule, &rule->patterns[i]);
	if (rule->endpoint && !list->exception_endpoints)
		list->exception_endpoints = endpoint_index_new(ruleset->memory);
	if (rule->endpoint)
		endpoint_index_add(list->exception_endpoints, rule);
}

void ruleset_add(struct ruleset *ruleset, struct rule *rule)
{
	if (!ruleset->index) {
		ruleset->index = path_index_new(ruleset->memory);
		ruleset->endpoints = endpoint_index_new(ruleset->memory);
	}
	rule->order = (uint32_t)ruleset->count;
	*memory_push(ruleset->memory, ruleset->rules, ruleset->count) = rule;
	if (rule->exception) {
		add_exception(ruleset, rule);
		return;
	}
	if (rule->endpoint)
		endpoint_index_add(ruleset->endpoints, rule);
	if (rule->list->deny & RIGHT_SEE)
		*memory_push(ruleset->memory, ruleset->hides, ruleset->hide_count) = rule;
	if (rule->program)
		*memory_push(ruleset->memory, ruleset->programs, ruleset->program_count) = rule;
	for (size_t i = 0; i < rule->pattern_count; i++)
		path_index_add(ruleset->index, rule, &rule->patterns[i]);
}

/* ------------------------------------------------------------------ what a rule adds */

static bool stands_before(const struct rule *rule, const struct rule *found)
{
	return !found || rule->order < found->order;
}

/* Only a rule that stands before the one found so far can change the answer. */
static bool wanted(const struct rule *rule, const void *data)
{
	const struct query *query = data;

	if (rule->list->deny & query->right)
		return stands_before(rule, rule->list->deny & RIGHT_SEE ? query->hidden
								       : query->denied);
	if (rule->list->allow & query->right)
		return stands_before(rule, query->allowed);
	return false;
}

bool rule_meets_conditions(const struct rule *rule, struct query *query)
{
	const struct program *program = rule->program;
	const struct access *access = query->access;

	if (!program)
		return true;
	if (program->has_args && !(access->argv && program_takes_args(program, access->argv)))
		return false;
	if (!program->sha256)
		return true;
	if (access->sha256)
		return !strcmp(program->sha256, access->sha256);
	query->unproven = true;
	return false;
}

static void note(const struct rule *rule, const struct rule *taken, struct query *query)
{
	const bool deny = rule->list->deny & query->right;

	if (taken) {
		if (!deny && stands_before(taken, query->taken))
			query->taken = taken;
		return;
	}
	if (!deny) {
		if (rule_meets_conditions(rule, query))
			query->allowed = rule;
	} else if (rule->list->deny & RIGHT_SEE) {
		query->hidden = rule;
	} else {
		query->denied = rule;
	}
}

/* ------------------------------------------------------------------------------ paths */

static bool wanted_exception(const struct rule *rule, const void *data)
{
	const struct rule *const *last = data;

	return !*last || rule->order > (*last)->order;
}

static void found_exception(const struct rule *rule, const struct pattern *pattern,
			    const char *path, void *data)
{
	const struct rule **last = data;

	(void)pattern;
	(void)path;
	*last = rule;
}

static const struct rule *last_exception(const struct rule_list *list, const char *path)
{
	const struct rule *last = NULL;
	const struct path_visitor visitor = {wanted_exception, found_exception, &last};

	if (list->exception_paths)
		path_index_visit(list->exception_paths, path, &visitor);
	return last;
}

bool rule_matches_path(const struct rule *rule, const char *path)
{
	for (size_t i = 0; i < rule->pattern_count; i++)
		if (pattern_match(&rule->patterns[i], path))
			return true;
	return false;
}

const struct rule *rule_taken_back(const struct rule *rule, const char *path)
{
	const struct rule *last = last_exception(rule->list, path);

	return last && last->order > rule->order ? last : NULL;
}

static void found_path(const struct rule *rule, const struct pattern *pattern, const char *path,
		       void *data)
{
	struct query *query = data;
	const struct rule *taken = NULL;

	(void)pattern;
	if (rule->list->exception_paths) {
		if (query->list != rule->list) {
			query->exception = last_exception(rule->list, path);
			query->list = rule->list;
		}
		if (query->exception && query->exception->order > rule->order)
			taken = query->exception;
	}
	note(rule, taken, query);
}

void ruleset_ask_path(const struct ruleset *ruleset, const char *path, struct query *query)
{
	const struct path_visitor visitor = {wanted, found_path, query};

	query->list = NULL;
	if (ruleset->index)
		path_index_visit(ruleset->index, path, &visitor);
}

/* -------------------------------------------------------------------------- endpoints */

static void found_endpoint_exception(const struct rule *rule, const struct endpoint *endpoint,
				     const char *host, void *data)
{
	const struct rule **last = data;

	(void)endpoint;
	(void)host;
	*last = rule;
}

static void found_endpoint(const struct rule *rule, const struct endpoint *endpoint,
			   const char *host, void *data)
{
	const struct rule_list *list = rule->list;
	struct query *query = data;
	const struct rule *last = NULL;
	const struct endpoint_visitor visitor = {wanted_exception, found_endpoint_exception, &last};

	if (list->exception_endpoints && query->list != list) {
		endpoint_index_visit(list->exception_endpoints, endpoint, host, &visitor);
		query->exception = last;
		query->list = list;
	}
	last = list->exception_endpoints ? query->exception : NULL;
	note(rule, last && last->order > rule->order ? last : NULL, query);
}

void ruleset_ask_endpoint(const struct ruleset *ruleset, const struct endpoint *endpoint,
			  const char *host, struct query *query)
{
	const struct endpoint_visitor visitor = {wanted, found_endpoint, query};

	query->list = NULL;
	if (ruleset->endpoints)
		endpoint_index_visit(ruleset->endpoints, endpoint, host, &visitor);
}
