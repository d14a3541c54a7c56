/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "policy/private.h"

/* files.hide, for listings. */

const struct rule_source *policy_hides(const struct policy *policy, const char *path)
{
	struct query query = {.right = RIGHT_SEE};

	if (policy->ruleset.hide_count == 0)
		return NULL;
	ruleset_ask_path(&policy->ruleset, path, &query);
	return query.hidden ? &query.hidden->source : NULL;
}

bool policy_hides_anything(const struct policy *policy)
{
	return policy->ruleset.hide_count > 0;
}

/* True when the pattern may match a name directly below the folder. */
static bool reaches_entry(const struct pattern *pattern, const char *folder)
{
	const struct pattern_state state = pattern_run(pattern, folder);

	switch (state.kind) {
	case STATE_PREFIX:
		/* What is left of the literal part, "/name/...", is one name, and all there is. */
		return pattern->part_count == 0 && !strchr(state.left + 1, '/');
	case STATE_WILD:
		/* One name more takes it from its last part to the end; see advance(). */
		return state.bits >> (pattern->part_count - 1) & 1;
	case STATE_ALL:
		return true;
	case STATE_DEAD:
		break;
	}
	return false;
}

bool policy_hides_entries(const struct policy *policy, const char *folder)
{
	for (size_t i = 0; i < policy->ruleset.hide_count; i++) {
		const struct rule *rule = policy->ruleset.hides[i];

		for (size_t p = 0; p < rule->pattern_count; p++)
			if (reaches_entry(&rule->patterns[p], folder))
				return true;
	}
	return false;
}
