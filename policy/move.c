/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

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

	if (rule->program)
		return false;
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
	const struct access create = {.class = CLASS_FILE, .op = OP_CREATE, .path = to};
	const struct move removal = {&policy->ruleset, from, to,
				     policy_right_of(CLASS_FILE, OP_DELETE)};
	const struct move making = {&policy->ruleset, to, from,
				    policy_right_of(CLASS_FILE, OP_CREATE)};
	const struct rule *obstacle = tree_obstacle(&removal);

	if (obstacle || policy_decide(policy, &create).decision == DECISION_DENY)
		return obstacle;
	return tree_obstacle(&making);
}

static bool rule_names(const struct rule *rule, const char *path)
{
	return rule_matches_path(rule, path) && !rule_taken_back(rule, path);
}

/* An exec rule with conditions that may give at `to` what it does not give at `from`. */
static const struct rule *program_obstacle(const struct policy *policy, const char *from,
					   const char *to)
{
	for (size_t i = 0; i < policy->ruleset.program_count; i++) {
		const struct rule *rule = policy->ruleset.programs[i];

		if (rule_names(rule, to) && !(from && rule_names(rule, from)))
			return rule;
	}
	return NULL;
}

static struct verdict refuse(const struct rule *rule)
{
	return (struct verdict){
		.decision = DECISION_DENY,
		.error = EACCES,
		.rule = rule ? &rule->source : NULL,
	};
}

/* The right at `to` is there at `from` as well; the names alone, without what is below. */
static struct verdict compare_right(const struct policy *policy, enum access_class class,
				    enum access_op op, const char *from, const char *to)
{
	const struct verdict fine = {.decision = DECISION_ALLOW};
	struct access access = {.class = class, .op = op, .path = to};
	const struct rule *conditional = NULL;
	struct verdict verdict;
	struct query query;

	if (!policy_ask(policy, &access, &query) || query.hidden || query.denied)
		return fine;
	if (class == CLASS_EXEC && !query.allowed)
		conditional = program_obstacle(policy, NULL, to);
	if (!query.allowed && !conditional)
		return fine;
	access.path = from;
	verdict = policy_decide(policy, &access);
	if (verdict.decision != DECISION_DENY)
		return fine;
	verdict.needs_digest = false;
	if (!conditional || !policy_ask(policy, &access, &query) || query.hidden || query.denied)
		return verdict;
	conditional = program_obstacle(policy, from, to);
	return conditional ? refuse(conditional) : fine;
}

static struct verdict decide_names(const struct policy *policy, const char *from, const char *to,
				   bool tree)
{
	const struct rule *entry = tree ? entry_obstacle(policy, from, to) : NULL;

	if (entry)
		return refuse(entry);
	for (size_t i = 0; i < sizeof(moved_rights) / sizeof(moved_rights[0]); i++) {
		const struct move move = {&policy->ruleset, from, to,
					  policy_right_of(moved_rights[i].class,
							  moved_rights[i].op)};
		const struct rule *obstacle = tree ? tree_obstacle(&move) : NULL;
		struct verdict verdict;

		if (obstacle)
			return refuse(obstacle);
		verdict = compare_right(policy, moved_rights[i].class, moved_rights[i].op, from,
					to);
		if (verdict.decision == DECISION_DENY)
			return verdict;
	}
	return (struct verdict){.decision = DECISION_ALLOW};
}

/* A rewrite that has its place at or below one of the names. */
static const struct path_rewrite *rewrite_obstacle(const struct policy *policy, const char *from,
						   const char *to, bool tree)
{
	const struct path_rewrites *const kinds[] = {&policy->file_rewrites,
						     &policy->exec_rewrites};
	const struct path_rewrite *found = NULL;

	for (size_t i = 0; i < 2 && !found; i++) {
		found = path_rewrites_below(kinds[i], from);
		found = found ? found : path_rewrites_below(kinds[i], to);
	}
	if (!found && tree)
		found = path_rewrites_to_below(&policy->file_rewrites, to);
	return found;
}

/* The other names of what will stand at `to`: where a rewrite leads, and what leads there. */
static struct verdict decide_other_names(const struct policy *policy, const char *from,
					 const char *to, bool tree)
{
	struct verdict verdict = {.decision = DECISION_ALLOW};
	char other[PATH_MAX];
	int result = policy_rewrite_path(policy, CLASS_FILE, to, other, NULL);

	if (result == 1)
		verdict = decide_names(policy, from, other, tree);
	for (size_t i = 0; i < policy->file_rewrites.count && result >= 0 &&
			   verdict.decision == DECISION_ALLOW; i++) {
		result = path_rewrite_given(policy->file_rewrites.items[i], to, other);
		if (result == 1)
			verdict = decide_names(policy, from, other, tree);
	}
	return result < 0 ? refuse(NULL) : verdict;
}

struct verdict policy_decide_move(const struct policy *policy, const char *from, const char *to,
				  bool tree)
{
	const struct path_rewrite *rewrite;
	struct verdict verdict;

	if (*from != '/' || *to != '/')
		return refuse(NULL);
	rewrite = rewrite_obstacle(policy, from, to, tree);
	if (rewrite)
		return refuse(&rewrite->rule);
	verdict = decide_names(policy, from, to, tree);
	if (verdict.decision == DECISION_ALLOW && policy_rewrites(policy, CLASS_FILE))
		verdict = decide_other_names(policy, from, to, tree);
	return verdict;
}
