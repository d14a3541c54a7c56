/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "policy/lint.h"
#include "policy/program.h"
#include "policy/secrets.h"

/* ----------------------------------------------------------------------------- secrets */

/* A rule that gives secrets away: the first of them, and how many. */
struct leak {
	const struct rule_source *rule;
	const char *name;
	const char *what;
	size_t count;
};

struct leaks {
	struct leak *items;
	size_t count;
};

static void add_leak(struct lint *lint, struct leaks *leaks, const struct rule_source *rule,
		     const char *name, const char *what)
{
	struct leak *leak;

	for (size_t i = 0; i < leaks->count; i++) {
		if (leaks->items[i].rule == rule) {
			leaks->items[i].count++;
			return;
		}
	}
	leak = memory_push(&lint->memory, leaks->items, leaks->count);
	*leak = (struct leak){rule, name, what, 1};
}

static const char *secret_path(struct lint *lint, const struct secret *secret)
{
	if (*secret->path != '~')
		return secret->path;
	if (!lint->context->home || *lint->context->home != '/')
		return NULL;
	return memory_printf(&lint->memory, "%s%s", lint->context->home, secret->path + 1);
}

static void check_secret(struct lint *lint, const struct secret *secret, struct leaks *leaks)
{
	struct access access = {.class = CLASS_FILE, .op = OP_READ};
	struct endpoint endpoint;
	struct verdict verdict;

	if (secret->path) {
		access.path = secret_path(lint, secret);
		if (!access.path)
			return;
	} else {
		if (endpoint_parse(&endpoint, secret->endpoint) < 0)
			return;
		access.class = CLASS_NETWORK;
		access.op = OP_CONNECT;
		access.endpoint = &endpoint;
	}
	verdict = policy_decide(lint->policy, &access);
	if (verdict.decision == DECISION_ALLOW)
		add_leak(lint, leaks, verdict.rule,
			 secret->path ? secret->path : secret->endpoint, secret->what);
}

void lint_secrets(struct lint *lint)
{
	struct leaks leaks = {NULL, 0};

	for (size_t i = 0; i < policy_secret_count; i++)
		check_secret(lint, &policy_secrets[i], &leaks);
	for (size_t i = 0; i < leaks.count; i++) {
		const struct leak *leak = &leaks.items[i];
		const char *more = "";

		if (leak->count > 1)
			more = memory_printf(&lint->memory, " and %zu other well-known secret%s",
					     leak->count - 1, leak->count > 2 ? "s" : "");
		lint_warn(lint, leak->rule, "this covers %s (%s)%s", leak->name, leak->what, more);
	}
}

/* --------------------------------------------------------------- programs that are written */

static struct query ask(const struct lint *lint, enum right right, const char *path)
{
	const struct access access = {.class = CLASS_EXEC, .op = OP_EXEC, .path = path};
	struct query query = {.right = right, .access = &access};

	ruleset_ask_path(&lint->policy->ruleset, path, &query);
	query.access = NULL;
	return query;
}

static bool has_right(const struct query *query)
{
	return query->allowed && !query->denied && !query->hidden;
}

/* The rule by which the tool changes, or makes, what stands at the path; NULL: it cannot. */
static const struct rule *writer_of(const struct lint *lint, const char *path)
{
	struct query query;

	if (!strncmp(path, "/dev/", 5))
		return NULL; /* no device is a program */
	query = ask(lint, RIGHT_MODIFY, path);
	if (has_right(&query))
		return query.allowed;
	query = ask(lint, RIGHT_CREATE, path);
	return has_right(&query) ? query.allowed : NULL;
}

/* The rule by which it runs that. One that asks for arguments lets it run, too. */
static const struct rule *runner_of(const struct lint *lint, const struct rule *rule,
				    const char *path)
{
	struct query query = ask(lint, RIGHT_EXEC, path);

	if (query.denied || query.hidden)
		return NULL;
	if (query.allowed)
		return query.allowed;
	return rule->program && !rule->program->sha256 && !rule_taken_back(rule, path) ? rule : NULL;
}

void lint_written_programs(struct lint *lint)
{
	const struct ruleset *ruleset = &lint->policy->ruleset;
	bool *said = memory_alloc(&lint->memory, ruleset->count + 1);

	for (size_t i = 0; i < ruleset->count; i++) {
		const struct rule *rule = ruleset->rules[i];
		struct sampling sampling = {.pattern = 0};

		if (rule->exception ||
		    !(rule->list->allow & (RIGHT_EXEC | RIGHT_MODIFY | RIGHT_CREATE)))
			continue;
		while (lint_next_sample(rule, &sampling)) {
			const struct rule *writer = writer_of(lint, sampling.path);
			const struct rule *runner =
				writer ? runner_of(lint, rule, sampling.path) : NULL;

			if (!runner || said[writer->order] ||
			    lint_is_intended(lint, &runner->source))
				continue;
			said[writer->order] = true;
			lint_warn(lint, &writer->source,
				  "the tool may write here what it may run: '%s' at %s:%u lets it",
				  runner->source.text, runner->source.file, runner->source.line);
		}
	}
}
