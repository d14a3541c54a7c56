/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/private.h"

/* What is executed under another name is opened under its own. */
static void each_stand_in(const struct path_rewrites *rewrites,
			  void (*each)(const char *path, void *arg), void *arg)
{
	for (size_t i = 0; i < rewrites->count; i++)
		each(rewrites->items[i]->to.literal, arg);
}

void policy_each_grant(const struct policy *policy, enum access_class class, enum access_op op,
		       void (*each)(const char *path, void *arg), void *arg)
{
	const unsigned int right = policy_right_of(class, op);

	for (size_t i = 0; right && i < policy->ruleset.count; i++) {
		const struct rule *rule = policy->ruleset.rules[i];

		if (rule->exception || !(rule->list->allow & right))
			continue;
		for (size_t j = 0; j < rule->pattern_count; j++) {
			const struct pattern *pattern = &rule->patterns[j];

			each(pattern->literal_len ? pattern->literal : "/", arg);
		}
	}
	if (class != CLASS_EXEC)
		return;
	each_stand_in(&policy->exec_rewrites, each, arg);
	each_stand_in(&policy->file_rewrites, each, arg);
}
