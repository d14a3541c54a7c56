/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/private.h"

/*
 * All rules that speak of an access, for people: one by one and without the index, so that
 * what is said does not depend on how decisions are made fast.
 */
struct listing {
	const struct policy *policy;
	const struct access *access;
	unsigned int right;
	const struct endpoint *endpoint; /* an address or an abstract name; else NULL */
	struct endpoint loopback;
	bool reaches_loopback;
	const char *host;
	const char *path; /* else NULL */
	struct policy_match *matches;
	size_t size;
	size_t count;
};

static void add_match(struct listing *listing, const struct policy_match *match)
{
	if (listing->count < listing->size)
		listing->matches[listing->count] = *match;
	listing->count++;
}

static const struct rule *endpoint_taken_back(const struct rule *rule,
					      const struct endpoint *endpoint, const char *host)
{
	const struct rule_list *list = rule->list;

	for (size_t i = list->exception_count; i-- > 0;) {
		const struct rule *exception = list->exceptions[i];

		if (exception->order < rule->order)
			break;
		if (exception->endpoint &&
		    endpoint_pattern_match(exception->endpoint, endpoint, host))
			return exception;
	}
	return NULL;
}

/* Sets *ret_taken to the "!" entry that takes the object from the rule, if there is one. */
static bool matches_endpoint(const struct listing *listing, const struct rule *rule,
			     const struct endpoint *endpoint, const struct rule **ret_taken)
{
	if (!rule->endpoint || !endpoint_pattern_match(rule->endpoint, endpoint, listing->host))
		return false;
	*ret_taken = endpoint_taken_back(rule, endpoint, listing->host);
	return true;
}

static bool matches(const struct listing *listing, const struct rule *rule,
		    const struct rule **ret_taken)
{
	if (listing->path) {
		if (!rule_matches_path(rule, listing->path))
			return false;
		*ret_taken = rule_taken_back(rule, listing->path);
		return true;
	}
	if (matches_endpoint(listing, rule, listing->endpoint, ret_taken))
		return true;
	return listing->reaches_loopback &&
	       matches_endpoint(listing, rule, &listing->loopback, ret_taken);
}

static void list_rules(struct listing *listing)
{
	const struct ruleset *ruleset = &listing->policy->ruleset;

	for (size_t i = 0; i < ruleset->count; i++) {
		const struct rule *rule = ruleset->rules[i];
		struct query query = {.right = listing->right, .access = listing->access};
		const struct rule *taken = NULL;
		struct policy_match match = {.rule = &rule->source};

		if (rule->exception ||
		    !((rule->list->allow | rule->list->deny) & listing->right) ||
		    !matches(listing, rule, &taken))
			continue;
		match.taken = taken ? &taken->source : NULL;
		if (rule->list->deny & RIGHT_SEE)
			match.kind = MATCH_HIDES;
		else if (rule->list->deny & listing->right)
			match.kind = MATCH_DENIES;
		else
			match.unmet = !rule_meets_conditions(rule, &query);
		add_match(listing, &match);
	}
}

static void list_path_rewrite(struct listing *listing, const struct path_rewrites *rewrites)
{
	size_t len;
	const struct path_rewrite *found = path_rewrites_find(rewrites, listing->path, &len);

	if (found)
		add_match(listing, &(struct policy_match){.kind = MATCH_REWRITES,
							  .rule = &found->rule.source});
}

static void list_rewrites(struct listing *listing)
{
	const struct policy *policy = listing->policy;
	const struct access *access = listing->access;
	const struct endpoint_rewrite *found = NULL;

	if (access->class == CLASS_NETWORK && listing->right == RIGHT_CONNECT)
		found = endpoint_rewrites_find(&policy->endpoint_rewrites, access->endpoint,
					       access->host);
	if (found)
		add_match(listing, &(struct policy_match){.kind = MATCH_REWRITES,
							  .rule = &found->rule.source});
	if (!listing->path)
		return;
	if (access->class == CLASS_EXEC)
		list_path_rewrite(listing, &policy->exec_rewrites);
	list_path_rewrite(listing, &policy->file_rewrites);
}

size_t policy_matches(const struct policy *policy, const struct access *access,
		      struct policy_match *ret, size_t size)
{
	struct listing listing = {
		.policy = policy,
		.access = access,
		.right = policy_right_of(access->class, access->op),
		.path = access->path,
		.matches = ret,
		.size = size,
	};

	if (!listing.right)
		return 0;
	if (access->class == CLASS_NETWORK) {
		listing.path = NULL;
		if (access->endpoint->transport == TRANSPORT_UNIX)
			listing.path = access->endpoint->path;
		else if (access->endpoint->transport == TRANSPORT_OTHER)
			return 0;
		listing.endpoint = access->endpoint;
		listing.host = listing.right == RIGHT_CONNECT ? access->host : NULL;
		listing.reaches_loopback =
			listing.right == RIGHT_CONNECT &&
			policy_reaches_loopback(access->endpoint, &listing.loopback);
	}
	list_rules(&listing);
	list_rewrites(&listing);
	return listing.count;
}
