/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_LINT_H
#define PROCTOR_POLICY_LINT_H

#include "policy/private.h"

/* What the files that look for doubtful rules share. */

struct lint {
	const struct policy *policy;
	const struct policy_context *context;
	struct diagnostics *diagnostics;
	struct memory memory;
};

/* Whoever meant the rule has said so in its line, and why: "- /x  # intended: REASON". */
bool lint_is_intended(const struct lint *lint, const struct rule_source *rule);

/* Adds a warning at a rule, unless it is intended. */
void lint_warn(struct lint *lint, const struct rule_source *rule, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Goes through the samples of a rule's patterns (policy/sample.h). Starts as {.pattern = 0}. */
struct sampling {
	size_t pattern;
	unsigned int index;
	char path[PATH_MAX];
};
bool lint_next_sample(const struct rule *rule, struct sampling *sampling);

/* Rules that let the tool have well-known secrets. */
void lint_secrets(struct lint *lint);

/* Rules that let it write what it may run. */
void lint_written_programs(struct lint *lint);

#endif
