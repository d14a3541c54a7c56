/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "policy/private.h"

/*
 * May a name be looked up? What a name's connections are allowed to are ranges of ports, less those
 * that are denied or taken back. Such a set, if it is not empty, holds the first port of an allowed
 * range or the port behind the last of a denied one: those are tried.
 */
struct lookup {
	const struct policy *policy;
	const char *host;
	bool named; /* a rule would allow it if another did not deny it */
	struct verdict refused; /* the last refusal that has to do with the name */
};

bool policy_has_name_rules(const struct policy *policy)
{
	return policy->has_name_rules;
}

static bool concerns(const struct endpoint_pattern *pattern, const char *host)
{
	if (pattern->kind == ENDPOINT_HOST)
		return endpoint_pattern_names(pattern, host);
	return pattern->kind == ENDPOINT_ADDRESS && pattern->any_address;
}

static bool try_port(struct lookup *lookup, unsigned int port, struct verdict *ret)
{
	static const enum transport transports[] = {TRANSPORT_TCP, TRANSPORT_UDP};

	for (size_t i = 0; port <= UINT16_MAX && i < 2; i++) {
		const struct endpoint endpoint = {
			.transport = transports[i],
			.port = (uint16_t)port,
		};
		const struct access access = {
			.class = CLASS_NETWORK,
			.op = OP_CONNECT,
			.endpoint = &endpoint,
			.host = lookup->host,
		};
		const struct verdict verdict = policy_decide(lookup->policy, &access);

		if (verdict.decision != DECISION_DENY) {
			*ret = (struct verdict){.decision = DECISION_ALLOW, .rule = verdict.rule};
			return true;
		}
		if (verdict.rule && lookup->named)
			lookup->refused = verdict;
	}
	return false;
}

static bool try_pattern(struct lookup *lookup, const struct rule *rule, struct verdict *ret)
{
	const struct endpoint_pattern *pattern = rule->endpoint;

	if (!pattern || !concerns(pattern, lookup->host))
		return false;
	lookup->named = lookup->named || pattern->kind == ENDPOINT_HOST ||
			(rule->list && rule->list->allow & RIGHT_CONNECT);
	for (size_t i = 0; i < pattern->port_count; i++)
		if (try_port(lookup, pattern->ports[i].first, ret) ||
		    try_port(lookup, pattern->ports[i].last + 1u, ret))
			return true;
	return false;
}

bool policy_rewrites_name(const struct policy *policy, const char *host)
{
	for (size_t i = 0; i < policy->endpoint_rewrites.count; i++) {
		const struct endpoint_pattern *pattern =
			policy->endpoint_rewrites.items[i]->rule.endpoint;

		if (pattern && pattern->kind == ENDPOINT_HOST &&
		    endpoint_pattern_names(pattern, host))
			return true;
	}
	return false;
}

struct verdict policy_decide_lookup(const struct policy *policy, const char *host)
{
	struct lookup lookup = {
		.policy = policy,
		.host = host,
		.refused = {.decision = DECISION_DENY, .error = EACCES},
	};
	struct verdict verdict;

	for (size_t i = 0; i < policy->ruleset.count; i++)
		if (try_pattern(&lookup, policy->ruleset.rules[i], &verdict))
			return verdict;
	for (size_t i = 0; i < policy->endpoint_rewrites.count; i++)
		if (try_pattern(&lookup, &policy->endpoint_rewrites.items[i]->rule, &verdict))
			return verdict;
	return lookup.refused;
}
