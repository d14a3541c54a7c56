/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "policy/private.h"

static bool rule_names(const struct name_rule *rule, const char *name, size_t len)
{
	for (size_t i = 0; i < rule->glob_count; i++)
		if (glob_match(&rule->globs[i], name, len))
			return true;
	return false;
}

static bool listed(const struct name_list *lists, size_t count, const char *name, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t r = lists[i].count; r-- > 0;) {
			if (!rule_names(&lists[i].rules[r], name, len))
				continue;
			if (!lists[i].rules[r].exception)
				return true;
			break;
		}
	}
	return false;
}

static bool is_set(const struct environment_rules *rules, const char *entry, size_t len)
{
	for (size_t i = 0; i < rules->set_count; i++)
		if (!strncmp(rules->set[i], entry, len + 1))
			return true;
	return false;
}

static size_t name_length(const char *entry)
{
	const char *equals = strchr(entry, '=');

	return equals ? (size_t)(equals - entry) : 0;
}

static bool passes(const struct environment_rules *rules, const char *entry)
{
	const size_t len = name_length(entry);

	/* What is no NAME=value has no name that a rule could speak of. */
	if (len == 0 || is_set(rules, entry, len))
		return false;
	if (rules->keep_count > 0 && !listed(rules->keep, rules->keep_count, entry, len))
		return false;
	return !listed(rules->drop, rules->drop_count, entry, len);
}

bool policy_has_environment_rules(const struct policy *policy)
{
	const struct environment_rules *rules = &policy->environment;

	return rules->keep_count > 0 || rules->drop_count > 0 || rules->set_count > 0;
}

bool policy_passes_variable(const struct policy *policy, const char *entry)
{
	return passes(&policy->environment, entry);
}

bool policy_keeps_variable(const struct policy *policy, const char *entry)
{
	const struct environment_rules *rules = &policy->environment;

	return listed(rules->keep, rules->keep_count, entry, name_length(entry));
}

const char *const *policy_set_variables(const struct policy *policy, size_t *ret_count)
{
	*ret_count = policy->environment.set_count;
	return policy->environment.set;
}

char **policy_environment(const struct policy *policy, char *const *environ)
{
	const struct environment_rules *rules = &policy->environment;
	size_t size = rules->set_count + 1;
	size_t count = 0;
	char **made;

	for (char *const *entry = environ; entry && *entry; entry++)
		size++;
	made = calloc(size, sizeof(*made));
	if (!made)
		return NULL;
	for (char *const *entry = environ; entry && *entry; entry++) {
		if (!passes(rules, *entry))
			continue;
		made[count] = strdup(*entry);
		if (!made[count++])
			goto fail;
	}
	for (size_t i = 0; i < rules->set_count; i++) {
		made[count] = strdup(rules->set[i]);
		if (!made[count++])
			goto fail;
	}
	return made;
fail:
	policy_environment_free(made);
	return NULL;
}

void policy_environment_free(char **environment)
{
	for (char **entry = environment; entry && *entry; entry++)
		free(*entry);
	free(environment);
}
