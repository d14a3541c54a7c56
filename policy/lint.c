/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/canonical.h"
#include "policy/diagnostics.h"
#include "policy/lint.h"
#include "policy/sample.h"

/* What is right as a policy and yet hardly meant; `check` warns of it. */

/* --------------------------------------------------------------------- warnings */

/* The line of a rule, of *ret_len bytes; NULL: not known. */
static const char *line_of(const struct policy *policy, const struct rule_source *rule,
			   size_t *ret_len)
{
	for (size_t i = 0; i < policy->source_count; i++) {
		const struct policy_source *source = &policy->sources[i];
		unsigned int line = 1;
		size_t at = 0;

		if (strcmp(source->file, rule->file) != 0)
			continue;
		while (at < source->len && line < rule->line) {
			size_t length = line_break(source->text + at, source->len - at);

			line += length > 0;
			at += length ? length : 1;
		}
		*ret_len = (size_t)(strchrnul(source->text + at, '\n') - (source->text + at));
		return source->text + at;
	}
	return NULL;
}

bool lint_is_intended(const struct lint *lint, const struct rule_source *rule)
{
	static const char mark[] = " # intended: ";
	size_t len = 0;
	const char *line = line_of(lint->policy, rule, &len);

	return line && memmem(line, len, mark, sizeof(mark) - 1);
}

void lint_warn(struct lint *lint, const struct rule_source *rule, const char *format, ...)
{
	char *message;
	va_list args;
	int length;

	if (lint_is_intended(lint, rule))
		return;
	va_start(args, format);
	length = vasprintf(&message, format, args);
	va_end(args);
	if (length < 0)
		memory_exhausted();
	diagnostics_add(lint->diagnostics, rule->file, rule->line, rule->column, "%s", message);
	lint->diagnostics->items[lint->diagnostics->count - 1].kind = DIAGNOSTIC_WARNING;
	free(message);
}

/* There is nothing below it. */
static bool names_file(const struct pattern *pattern)
{
	struct stat st;

	return pattern->part_count == 0 && *pattern->literal && stat(pattern->literal, &st) == 0 &&
	       !S_ISDIR(st.st_mode);
}

bool lint_next_sample(const struct rule *rule, struct sampling *sampling)
{
	while (sampling->pattern < rule->pattern_count) {
		const struct pattern *pattern = &rule->patterns[sampling->pattern];

		if (sampling->index >= SAMPLE_COUNT ||
		    (sampling->index == 1 && names_file(pattern))) {
			sampling->pattern++;
			sampling->index = 0;
			continue;
		}
		if (sample_path(pattern, sampling->index++, sampling->path))
			return true;
	}
	return false;
}

/* ----------------------------------------------------------- rules without effect */

/* The rule that takes one right on one path away from `rule`; NULL: it has it. */
static const struct rule *taker_of(const struct lint *lint, const struct rule *rule,
				   unsigned int right, const char *path)
{
	const struct access access = {.class = CLASS_FILE, .path = path};
	struct query query = {.right = (enum right)right, .access = &access};

	ruleset_ask_path(&lint->policy->ruleset, path, &query);
	if (query.hidden)
		return query.hidden;
	return query.denied ? query.denied : rule_taken_back(rule, path);
}

/* False: certainly no path matches both. */
static bool patterns_may_meet(const struct pattern *a, const struct pattern *b)
{
	const struct glob *last_a = a->part_count ? &a->parts[a->part_count - 1].glob : NULL;
	const struct glob *last_b = b->part_count ? &b->parts[b->part_count - 1].glob : NULL;

	if (pattern_run(a, b->literal).kind == STATE_DEAD &&
	    pattern_run(b, a->literal).kind == STATE_DEAD)
		return false;
	if (a->tree || b->tree || !last_a || !last_b)
		return true;
	if (last_a->literal)
		return glob_match(last_b, last_a->literal, last_a->literal_len);
	return !last_b->literal || glob_match(last_a, last_b->literal, last_b->literal_len);
}

/* The list of the taker may give back some of what it takes. */
static bool may_be_given_back(const struct rule *taker, const struct rule *rule)
{
	for (size_t i = 0; i < taker->list->exception_count; i++) {
		const struct rule *exception = taker->list->exceptions[i];

		if (exception->order <= taker->order)
			continue;
		for (size_t e = 0; e < exception->pattern_count; e++)
			for (size_t r = 0; r < rule->pattern_count; r++)
				if (patterns_may_meet(&exception->patterns[e], &rule->patterns[r]))
					return true;
	}
	return false;
}

static const struct rule *swallowed_at(const struct lint *lint, const struct rule *rule,
				       const char *path)
{
	const struct rule *taker = NULL;

	for (unsigned int right = 1; right <= RIGHT_BIND; right <<= 1) {
		if (!(rule->list->allow & right))
			continue;
		taker = taker_of(lint, rule, right, path);
		if (!taker)
			return NULL;
	}
	return taker;
}

static void check_swallowed_paths(struct lint *lint, const struct rule *rule)
{
	struct sampling sampling = {.pattern = 0};
	const struct rule *taker = NULL;

	while (lint_next_sample(rule, &sampling)) {
		taker = swallowed_at(lint, rule, sampling.path);
		if (!taker || (!taker->exception && may_be_given_back(taker, rule)))
			return;
	}
	if (taker)
		lint_warn(lint, &rule->source, "this has no effect: '%s' at %s:%u takes all of it away",
			  taker->source.text, taker->source.file, taker->source.line);
}

/* An address pattern is denied whole by one that names at least its addresses and ports. */
static bool endpoint_within(const struct endpoint_pattern *inner,
			    const struct endpoint_pattern *outer)
{
	struct endpoint first;
	char host[PATH_MAX];

	if (inner->kind != outer->kind || (inner->tcp && !outer->tcp) ||
	    (inner->udp && !outer->udp) || !sample_endpoint(inner, &first, host))
		return false;
	if (inner->kind == ENDPOINT_HOST && inner->below && !outer->below)
		return false;
	if (inner->kind == ENDPOINT_ADDRESS && !outer->any_address &&
	    (inner->any_address || inner->prefix < outer->prefix))
		return false;
	for (size_t i = 0; i < inner->port_count; i++) {
		first.port = inner->ports[i].first;
		if (!endpoint_pattern_match(outer, &first, host))
			return false;
		first.port = inner->ports[i].last;
		if (!endpoint_pattern_match(outer, &first, host))
			return false;
	}
	return endpoint_pattern_match(outer, &first, host);
}

static void check_swallowed_endpoint(struct lint *lint, const struct rule *rule)
{
	const struct ruleset *ruleset = &lint->policy->ruleset;

	for (size_t i = 0; i < ruleset->count; i++) {
		const struct rule *deny = ruleset->rules[i];

		if (!deny->endpoint || deny->exception || deny->list->exception_count > 0 ||
		    (deny->list->deny & rule->list->allow) != rule->list->allow ||
		    !endpoint_within(rule->endpoint, deny->endpoint))
			continue;
		lint_warn(lint, &rule->source, "this has no effect: '%s' at %s:%u takes all of it away",
			  deny->source.text, deny->source.file, deny->source.line);
		return;
	}
}

/* A literal name that goes on behind a file. */
static void check_reachable(struct lint *lint, const struct rule *rule)
{
	for (size_t i = 0; i < rule->pattern_count; i++) {
		const struct pattern *pattern = &rule->patterns[i];
		char *path = memory_strdup(&lint->memory, pattern->literal);
		char *end = path + pattern->literal_len;
		struct stat st;

		if (pattern->part_count == 0 && pattern->literal_len > 0)
			end = strrchr(path, '/');
		for (; end > path; end = strrchr(path, '/')) {
			*end = '\0';
			if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
				continue;
			lint_warn(lint, &rule->source, "this can never match: '%s' is no folder", path);
			return;
		}
	}
}

/* ------------------------------------------------------------------------ exceptions */

/* Which "!" entries take something back, by their order. */
struct usefulness {
	bool *useful;
	const struct rule *from; /* whose samples are tried */
};

static bool wanted_exception(const struct rule *rule, const void *data)
{
	const struct usefulness *usefulness = data;

	return !usefulness->useful[rule->order] && rule->order > usefulness->from->order;
}

static void found_exception(const struct rule *rule, const struct pattern *pattern,
			    const char *path, void *data)
{
	struct usefulness *usefulness = data;

	(void)pattern;
	(void)path;
	usefulness->useful[rule->order] = true;
}

static bool wanted_earlier(const struct rule *rule, const void *data)
{
	const struct usefulness *usefulness = data;

	return rule->list == usefulness->from->list && rule->order < usefulness->from->order;
}

static void found_earlier(const struct rule *rule, const struct pattern *pattern, const char *path,
			  void *data)
{
	struct usefulness *usefulness = data;

	(void)rule;
	(void)pattern;
	(void)path;
	usefulness->useful[usefulness->from->order] = true;
}

/* Either matches a sample of the other: they have something in common. */
static void mark_paths(const struct ruleset *ruleset, const struct rule *rule,
		       struct usefulness *usefulness)
{
	struct path_index *index = rule->exception ? ruleset->index : rule->list->exception_paths;
	const struct path_visitor visitor = {
		rule->exception ? wanted_earlier : wanted_exception,
		rule->exception ? found_earlier : found_exception,
		usefulness,
	};
	struct sampling sampling = {.pattern = 0};

	while (index && lint_next_sample(rule, &sampling))
		path_index_visit(index, sampling.path, &visitor);
}

static bool endpoints_meet(const struct endpoint_pattern *a, const struct endpoint_pattern *b)
{
	struct endpoint sample;
	char host[PATH_MAX];

	return (sample_endpoint(a, &sample, host) && endpoint_pattern_match(b, &sample, host)) ||
	       (sample_endpoint(b, &sample, host) && endpoint_pattern_match(a, &sample, host));
}

static void mark_endpoints(const struct rule *rule, bool *useful)
{
	for (size_t i = 0; i < rule->list->exception_count; i++) {
		const struct rule *exception = rule->list->exceptions[i];

		if (exception->order > rule->order && exception->endpoint &&
		    endpoints_meet(rule->endpoint, exception->endpoint))
			useful[exception->order] = true;
	}
}

/* "!**"-patterns are written to be safe: behind any entry at all they are fine. */
static bool is_precaution(const struct rule *exception, const struct rule *before)
{
	return before && before->list == exception->list && exception->pattern_count > 0 &&
	       exception->patterns[0].literal_len == 0;
}

static void check_exceptions(struct lint *lint)
{
	const struct ruleset *ruleset = &lint->policy->ruleset;
	struct usefulness usefulness = {
		.useful = memory_alloc(&lint->memory, ruleset->count + 1),
	};
	const struct rule *before = NULL;

	for (size_t i = 0; i < ruleset->count; i++) {
		const struct rule *rule = ruleset->rules[i];

		usefulness.from = rule;
		if (rule->list->exception_count == 0)
			continue;
		mark_paths(ruleset, rule, &usefulness);
		if (rule->endpoint && !rule->exception)
			mark_endpoints(rule, usefulness.useful);
	}
	for (size_t i = 0; i < ruleset->count; i++) {
		const struct rule *rule = ruleset->rules[i];

		if (!rule->exception)
			before = rule;
		else if (!usefulness.useful[i] && !is_precaution(rule, before))
			lint_warn(lint, &rule->source,
				  "this takes nothing back: no entry before it in this list names "
				  "any of it");
	}
}

/* ---------------------------------------------------------------------------- links */

static void check_links(struct lint *lint, const struct rule *rule)
{
	/* A built-in one is written for many hosts, on which other names are links. */
	if (policy_is_builtin(rule->source.file))
		return;
	for (size_t i = 0; i < rule->pattern_count; i++) {
		const char *literal = rule->patterns[i].literal;
		char reached[PATH_MAX];

		if (!*literal || canonical_path(literal, CANONICAL_FOLLOW, reached) < 0 ||
		    !strcmp(literal, reached) || !strncmp(reached, "/proc/", 6))
			continue;
		lint_warn(lint, &rule->source,
			  "'%s' leads through a symbolic link to '%s'; where it leads when the "
			  "policy is loaded counts", literal, reached);
		return;
	}
}

/* -------------------------------------------------------------------------------- all */

static void check_rule(struct lint *lint, const struct rule *rule)
{
	check_reachable(lint, rule);
	check_links(lint, rule);
	if (rule->exception || !rule->list->allow)
		return;
	if (rule->endpoint)
		check_swallowed_endpoint(lint, rule);
	else
		check_swallowed_paths(lint, rule);
}

void policy_lint(const struct policy *policy, const struct policy_context *context,
		 struct diagnostics *diagnostics)
{
	struct lint lint = {.policy = policy, .context = context, .diagnostics = diagnostics};

	for (size_t i = 0; i < policy->ruleset.count; i++)
		check_rule(&lint, policy->ruleset.rules[i]);
	check_exceptions(&lint);
	lint_secrets(&lint);
	lint_written_programs(&lint);
	memory_free(&lint.memory);
	diagnostics_sort(diagnostics);
	for (size_t i = 0; i < policy->source_count; i++)
		diagnostics_quote(diagnostics, policy->sources[i].file, policy->sources[i].text,
				  policy->sources[i].len);
}
