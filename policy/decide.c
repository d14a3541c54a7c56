/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "policy/private.h"
#include "policy/program.h"

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
		[OP_MAP] = {CLASS_EXEC, RIGHT_EXEC},
		[OP_CONNECT] = {CLASS_NETWORK, RIGHT_CONNECT},
		[OP_SEND] = {CLASS_NETWORK, RIGHT_CONNECT},
		[OP_BIND] = {CLASS_NETWORK, RIGHT_BIND},
		[OP_LISTEN] = {CLASS_NETWORK, RIGHT_BIND},
	};

	if ((unsigned int)op >= OP_COUNT || rights[op].class != class)
		return 0;
	return rights[op].right;
}

bool policy_reaches_loopback(const struct endpoint *endpoint, struct endpoint *ret)
{
	static const struct in6_addr v4_any = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
	const bool v4 = !memcmp(&endpoint->address, &v4_any, sizeof(v4_any));

	if ((endpoint->transport != TRANSPORT_TCP && endpoint->transport != TRANSPORT_UDP) ||
	    endpoint->family == AF_UNSPEC ||
	    (!v4 && !IN6_IS_ADDR_UNSPECIFIED(&endpoint->address)))
		return false;
	/* Not an initializer: that would clear the long path. */
	ret->transport = endpoint->transport;
	ret->family = endpoint->family;
	ret->address = v4 ? v4_any : in6addr_loopback;
	ret->scope_id = 0;
	ret->port = endpoint->port;
	ret->path_len = 0;
	ret->path[0] = '\0';
	if (v4) {
		ret->address.s6_addr[12] = 127;
		ret->address.s6_addr[15] = 1;
	}
	return true;
}

static void __attribute__((noinline)) ask_loopback(const struct ruleset *ruleset, const struct endpoint *endpoint,
			 const char *host, struct query *query)
{
	struct endpoint loopback;

	if (policy_reaches_loopback(endpoint, &loopback))
		ruleset_ask_endpoint(ruleset, &loopback, host, query);
}

static bool ask_endpoint(const struct ruleset *ruleset, const struct access *access,
			 struct query *query)
{
	const struct endpoint *endpoint = access->endpoint;
	const char *host = query->right == RIGHT_CONNECT ? access->host : NULL;

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
		ruleset_ask_endpoint(ruleset, endpoint, host, query);
		if (query->right == RIGHT_CONNECT)
			ask_loopback(ruleset, endpoint, host, query);
		return true;
	case TRANSPORT_OTHER:
		break;
	}
	return false;
}

bool policy_ask(const struct policy *policy, const struct access *access, struct query *ret)
{
	*ret = (struct query){
		.right = policy_right_of(access->class, access->op),
		.access = access,
	};
	if (!ret->right)
		return false;
	if (access->class == CLASS_NETWORK)
		return ask_endpoint(&policy->ruleset, access, ret);
	if (!access->path || access->path[0] != '/' || strlen(access->path) >= PATH_MAX)
		return false;
	ruleset_ask_path(&policy->ruleset, access->path, ret);
	return true;
}

/* The rewrite of what is not denied; NULL: none. `allowed`: a rule allows it. */
static const struct rule *find_rewrite(const struct policy *policy, const struct access *access,
				       bool allowed)
{
	const struct path_rewrite *rewrite = NULL;
	const struct endpoint_rewrite *other;
	const char *path = access->path;
	size_t len;

	if (access->class == CLASS_NETWORK) {
		other = policy->endpoint_rewrites.count > 0 &&
				policy_right_of(access->class, access->op) == RIGHT_CONNECT
				? endpoint_rewrites_find(&policy->endpoint_rewrites,
							 access->endpoint, access->host)
				: NULL;
		if (other)
			return &other->rule;
		path = access->endpoint->transport == TRANSPORT_UNIX ? access->endpoint->path : NULL;
	}
	if (!path || !allowed)
		return NULL;
	if (access->class == CLASS_EXEC)
		rewrite = path_rewrites_find(&policy->exec_rewrites, path, &len);
	if (!rewrite)
		rewrite = path_rewrites_find(&policy->file_rewrites, path, &len);
	return rewrite ? &rewrite->rule : NULL;
}

static struct verdict deny(const struct rule *rule, int error)
{
	return (struct verdict){
		.decision = DECISION_DENY,
		.error = error,
		.rule = rule ? &rule->source : NULL,
	};
}

/* The rule that lets a file without an exec grant be mapped as code: it may be read, and the tool
 * cannot have written it. NULL: none does. */
static const struct rule *library_rule(const struct policy *policy, const char *path)
{
	static const enum access_op makes[] = {OP_MODIFY, OP_CREATE};
	struct access access = {.class = CLASS_FILE, .path = path};
	struct query query;

	if (!strncmp(path, "/memfd:", 7)) /* nobody else can have written it */
		return NULL;
	for (size_t i = 0; i < sizeof(makes) / sizeof(makes[0]); i++) {
		access.op = makes[i];
		if (policy_ask(policy, &access, &query) && query.allowed && !query.denied)
			return NULL;
	}
	access.op = OP_READ;
	return policy_ask(policy, &access, &query) && !query.denied ? query.allowed : NULL;
}

/* What is mapped is the file itself: nothing stands in its place. */
static struct verdict decide_map(const struct policy *policy, const char *path,
				 const struct query *query)
{
	const struct rule *rule = query->allowed;
	struct verdict verdict;

	if (!rule && !query->taken)
		rule = library_rule(policy, path);
	verdict = deny(rule ? rule : query->taken, rule ? 0 : EACCES);
	verdict.decision = rule ? DECISION_ALLOW : DECISION_DENY;
	return verdict;
}

static struct verdict decide_call(const struct policy *policy, const char *name)
{
	struct verdict verdict = deny(NULL, EACCES);
	enum decision decision;

	verdict.rule = name ? policy_syscall(policy, name, &decision) : NULL;
	if (verdict.rule && decision == DECISION_ALLOW) {
		verdict.decision = DECISION_ALLOW;
		verdict.error = 0;
	}
	return verdict;
}

struct verdict policy_decide(const struct policy *policy, const struct access *access)
{
	const struct rule *rewrite;
	struct verdict verdict;
	struct query query;

	if (access->class == CLASS_SYSTEM && access->op == OP_CALL)
		return decide_call(policy, access->call);
	if (!policy_ask(policy, access, &query))
		return deny(NULL, EACCES);
	if (query.hidden)
		return deny(query.hidden, ENOENT);
	if (query.denied)
		return deny(query.denied, EACCES);
	if (access->op == OP_MAP)
		return decide_map(policy, access->path, &query);
	rewrite = find_rewrite(policy, access, query.allowed != NULL);
	if (!rewrite && !query.allowed) {
		verdict = deny(query.taken, EACCES);
		verdict.needs_digest = query.unproven;
		return verdict;
	}
	verdict = deny(rewrite ? rewrite : query.allowed, rewrite ? EACCES : 0);
	verdict.decision = rewrite ? DECISION_REWRITE : DECISION_ALLOW;
	verdict.binds_site = !rewrite && access->class == CLASS_NETWORK && query.allowed->endpoint &&
			     endpoint_pattern_binds_site(query.allowed->endpoint, access->endpoint);
	return verdict;
}

/* ------------------------------------------------------------------ all of a kind */

/* True when the rule covers every path and nothing in its list takes any back. */
static bool covers_everything(const struct rule *rule)
{
	const struct rule_list *list = rule->list;

	if (rule->program)
		return false;
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
	if (!right || class == CLASS_NETWORK || policy_rewrites(policy, class))
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

/* An endpoint of a rule, or a unix path: then it has none. */
static bool takes_datagrams(const struct rule *rule)
{
	return !rule->endpoint || rule->endpoint->kind != ENDPOINT_ADDRESS || rule->endpoint->udp;
}

bool policy_allows_datagrams(const struct policy *policy)
{
	for (size_t i = 0; i < policy->ruleset.count; i++) {
		const struct rule *rule = policy->ruleset.rules[i];

		if (!rule->exception && (rule->list->allow & RIGHTS_NETWORK) && takes_datagrams(rule))
			return true;
	}
	for (size_t i = 0; i < policy->endpoint_rewrites.count; i++)
		if (takes_datagrams(&policy->endpoint_rewrites.items[i]->rule))
			return true;
	return policy->has_name_rules;
}

bool policy_asks_args(const struct policy *policy)
{
	for (size_t i = 0; i < policy->ruleset.program_count; i++) {
		if (policy->ruleset.programs[i]->program->has_args)
			return true;
	}
	return false;
}
