/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "policy/private.h"

/*
 * May what stands at `from` stand at `to`? For a folder the question is about
 * every path below, of which there is no end; it is answered by what state each
 * pattern is in after `from` and after `to`. Equal states treat all below alike,
 * and a smaller set of states matches less. Whatever cannot be shown that way
 * is refused.
 */
struct move {
	const struct ruleset *ruleset;
	const char *from;
	const char *to;
	unsigned int right;
};

static bool within(const struct pattern *pattern, const char *a, const char *b)
{
	struct pattern_state state_a = pattern_run(pattern, a);
	struct pattern_state state_b = pattern_run(pattern, b);

	return pattern_state_within(&state_a, &state_b);
}

/* Every pattern of the rule matches below `a` no more than below `b`. */
static bool rule_within(const struct rule *rule, const char *a, const char *b)
{
	for (size_t i = 0; i < rule->pattern_count; i++)
		if (!within(&rule->patterns[i], a, b))
			return false;
	return true;
}

/* Nothing at or below the path matches. */
static bool rule_dead(const struct rule *rule, const char *path)
{
	for (size_t i = 0; i < rule->pattern_count; i++)
		if (pattern_run(&rule->patterns[i], path).kind != STATE_DEAD)
			return false;
	return true;
}

/* The path and all below it match, and no exception of the list can bite there. */
static bool rule_covers(const struct rule *rule, const char *path)
{
	const struct rule_list *list = rule->list;
	bool covered = false;

	for (size_t i = 0; i < rule->pattern_count && !covered; i++)
		covered = pattern_run(&rule->patterns[i], path).kind == STATE_ALL;
	for (size_t i = 0; i < list->exception_count && covered; i++)
		if (list->exceptions[i]->order > rule->order && !rule_dead(list->exceptions[i], path))
			covered = false;
	return covered;
}

/*
 * What the rule comes to, its exceptions counted, below `a` is within what it
 * comes to below `b`: it matches no more there, and no less is taken back.
 */
static bool effect_within(const struct rule *rule, const char *a, const char *b)
{
	const struct rule_list *list = rule->list;

	if (!rule_within(rule, a, b))
		return false;
	if (rule_dead(rule, a))
		return true;
	for (size_t i = 0; i < list->exception_count; i++)
		if (list->exceptions[i]->order > rule->order &&
		    !rule_within(list->exceptions[i], b, a))
			return false;
	return true;
}

/* The first rule that allows, or denies, the right on the path and all below it. */
static const struct rule *find_cover(const struct move *move, bool deny, const char *path)
{
	for (size_t i = 0; i < move->ruleset->count; i++) {
		const struct rule *rule = move->ruleset->rules[i];
		unsigned int rights = deny ? rule->list->deny : rule->list->allow;

		if (!rule->exception && rights & move->right && rule_covers(rule, path))
			return rule;
	}
	return NULL;
}

/* NULL: `to` has the right nowhere where `from` lacks it. Else the rule in the way. */
static const struct rule *tree_obstacle(const struct move *move)
{
	bool covered = find_cover(move, false, move->from) != NULL;
	const struct rule *obstacle = NULL;
	bool alive = false;

	if (find_cover(move, true, move->to))
		return NULL;
	for (size_t i = 0; i < move->ruleset->count; i++) {
		const struct rule *rule = move->ruleset->rules[i];

		if (rule->exception)
			continue;
		if (rule->list->allow & move->right) {
			alive = alive || !rule_dead(rule, move->to);
			if (!obstacle && !covered && !effect_within(rule, move->to, move->from))
				obstacle = rule;
		} else if (rule->list->deny & move->right) {
			if (!obstacle && !effect_within(rule, move->from, move->to))
				obstacle = rule;
		}
	}
	return alive ? obstacle : NULL;
}

static const struct {
	enum access_class class;
	enum access_op op;
} moved_rights[] = {
	{CLASS_FILE, OP_READ},
	{CLASS_FILE, OP_MODIFY},
	{CLASS_FILE, OP_ATTR},
	{CLASS_EXEC, OP_EXEC},
};

/*
 * What a folder holds is removed at its old name and made at its new one with it. So a name that may
 * not be removed must not come to stand where it may, and no name must come to stand where it may
 * not be made. Returns the rule in the way. Whether `to` itself may be made is asked for by itself.
 */
static const struct rule *entry_obstacle(const struct policy *policy, const char *from,
					 const char *to)
{
	const struct access create = {CLASS_FILE, OP_CREATE, to, NULL};
	const struct move removal = {&policy->ruleset, from, to,
				     policy_right_of(CLASS_FILE, OP_DELETE)};
	const struct move making = {&policy->ruleset, to, from,
				    policy_right_of(CLASS_FILE, OP_CREATE)};
	const struct rule *obstacle = tree_obstacle(&removal);

	if (obstacle || policy_decide(policy, &create).decision != DECISION_ALLOW)
		return obstacle;
	return tree_obstacle(&making);
}

struct verdict policy_decide_move(const struct policy *policy, const char *from, const char *to,
				  bool tree)
{
	struct verdict refused = {.decision = DECISION_DENY, .error = EACCES};
	const struct rule *entry;

	if (*from != '/' || *to != '/')
		return refused;
	entry = tree ? entry_obstacle(policy, from, to) : NULL;
	if (entry) {
		refused.rule = &entry->source;
		return refused;
	}
	for (size_t i = 0; i < sizeof(moved_rights) / sizeof(moved_rights[0]); i++) {
		struct access access = {moved_rights[i].class, moved_rights[i].op, to, NULL};
		struct move move = {&policy->ruleset, from, to,
				    policy_right_of(access.class, access.op)};
		const struct rule *obstacle = tree ? tree_obstacle(&move) : NULL;
		struct verdict at_from;

		if (obstacle) {
			refused.rule = &obstacle->source;
			return refused;
		}
		if (policy_decide(policy, &access).decision != DECISION_ALLOW)
			continue;
		access.path = from;
		at_from = policy_decide(policy, &access);
		if (at_from.decision != DECISION_ALLOW)
			return at_from;
	}
	return (struct verdict){.decision = DECISION_ALLOW};
}
