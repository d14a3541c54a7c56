/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "policy/private.h"

unsigned int policy_right_of(enum access_class class, enum access_op op)
{
	static const struct {
		enum access_class class;
		unsigned int right;
	} rights[OP_COUNT] = {
		[OP_READ] = {CLASS_FILE, RIGHT_READ},
		[OP_CREATE] = {CLASS_FILE, RIGHT_CREATE},
		[OP_MODIFY] = {CLASS_FILE, RIGHT_MODIFY},
		[OP_DELETE] = {CLASS_FILE, RIGHT_DELETE},
		[OP_ATTR] = {CLASS_FILE, RIGHT_ATTR},
		[OP_EXEC] = {CLASS_EXEC, RIGHT_EXEC},
		[OP_CONNECT] = {CLASS_NETWORK, RIGHT_CONNECT},
		[OP_SEND] = {CLASS_NETWORK, RIGHT_CONNECT},
		[OP_BIND] = {CLASS_NETWORK, RIGHT_BIND},
		[OP_LISTEN] = {CLASS_NETWORK, RIGHT_BIND},
	};

	if ((unsigned int)op >= OP_COUNT || rights[op].class != class)
		return 0;
	return rights[op].right;
}

/* connect(2) to 0.0.0.0 or :: reaches this host's loopback: it is decided as both. */
static bool reaches_loopback(const struct endpoint *endpoint, struct endpoint *ret)
{
	static const struct in6_addr v4_any = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (endpoint->transport != TRANSPORT_TCP && endpoint->transport != TRANSPORT_UDP)
		return false;
	*ret = (struct endpoint){
		.transport = endpoint->transport,
		.family = endpoint->family,
		.address = endpoint->address,
		.port = endpoint->port,
	};
	if (IN6_IS_ADDR_UNSPECIFIED(&endpoint->address)) {
		ret->address = in6addr_loopback;
		return true;
	}
	ret->address.s6_addr[12] = 127;
	ret->address.s6_addr[15] = 1;
	return !memcmp(&endpoint->address, &v4_any, sizeof(v4_any));
}

static bool ask_endpoint(const struct ruleset *ruleset, const struct endpoint *endpoint,
			 struct query *query)
{
	struct endpoint loopback;

	if (!endpoint)
		return false;
	switch (endpoint->transport) {
	case TRANSPORT_UNIX:
		if (endpoint->path[0] != '/')
			return false;
		ruleset_ask_path(ruleset, endpoint->path, query);
		return true;
	case TRANSPORT_TCP:
	case TRANSPORT_UDP:
	case TRANSPORT_UNIX_ABSTRACT:
		ruleset_ask_endpoint(ruleset, endpoint, query);
		if (query->right == RIGHT_CONNECT && reaches_loopback(endpoint, &loopback))
			ruleset_ask_endpoint(ruleset, &loopback, query);
		return true;
	case TRANSPORT_OTHER:
		break;
	}
	return false;
}

bool policy_ask(const struct policy *policy, const struct access *access, struct query *ret)
{
	*ret = (struct query){.right = policy_right_of(access->class, access->op)};
	if (!ret->right)
		return false;
	if (access->class == CLASS_NETWORK)
		return ask_endpoint(&policy->ruleset, access->endpoint, ret);
	if (!access->path || access->path[0] != '/')
		return false;
	ruleset_ask_path(&policy->ruleset, access->path, ret);
	return true;
}

struct verdict policy_decide(const struct policy *policy, const struct access *access)
{
	struct verdict verdict = {.decision = DECISION_DENY, .error = EACCES};
	const struct rule *rule = NULL;
	struct query query;

	if (!policy_ask(policy, access, &query))
		return verdict;
	if (query.denied) {
		rule = query.denied;
	} else if (query.allowed) {
		rule = query.allowed;
		verdict.decision = DECISION_ALLOW;
		verdict.error = 0;
	} else {
		rule = query.taken;
	}
	verdict.rule = rule ? &rule->source : NULL;
	return verdict;
}

/* True when the rule covers every path and nothing in its list takes any back. */
static bool covers_everything(const struct rule *rule)
{
	const struct rule_list *list = rule->list;

	if (list->exception_count > 0 &&
	    list->exceptions[list->exception_count - 1]->order > rule->order)
		return false;
	for (size_t i = 0; i < rule->pattern_count; i++) {
		const struct pattern *pattern = &rule->patterns[i];

		if (pattern->tree && pattern->literal_len == 0 && pattern->part_count == 0)
			return true;
	}
	return false;
}

bool policy_allows_all(const struct policy *policy, enum access_class class, enum access_op op)
{
	unsigned int right = policy_right_of(class, op);
	bool covered = false;

	/* Some families of sockets no rule can name: a network call can always be refused. */
	if (!right || class == CLASS_NETWORK)
		return false;
	for (size_t i = 0; i < policy->ruleset.count; i++) {
		const struct rule *rule = policy->ruleset.rules[i];

		if (rule->exception)
			continue;
		if (rule->list->deny & right)
			return false;
		if (rule->list->allow & right && covers_everything(rule))
			covered = true;
	}
	return covered;
}
