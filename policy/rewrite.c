/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/rewrite.h"

#include <errno.h>
#include <string.h>

#include "core/path.h"
#include "policy/private.h"

void path_rewrites_add(struct memory *memory, struct path_rewrites *rewrites,
		       struct path_rewrite *rewrite)
{
	if (!rewrites->given) {
		rewrites->given = path_index_new(memory);
		rewrites->back = path_index_new(memory);
	}
	rewrite->rule.order = (uint32_t)rewrites->count;
	*memory_push(memory, rewrites->items, rewrites->count) = rewrite;
	for (size_t i = 0; i < rewrite->rule.pattern_count; i++)
		path_index_add(rewrites->given, &rewrite->rule, &rewrite->rule.patterns[i]);
	path_index_add(rewrites->back, &rewrite->rule, &rewrite->to);
}

/* ----------------------------------------------------------------------- finding */

struct search {
	const struct path_rewrite *found;
	size_t len; /* of the literal that matched */
};

static bool any_rule(const struct rule *rule, const void *data)
{
	(void)rule;
	(void)data;
	return true;
}

static void found_place(const struct rule *rule, const struct pattern *pattern, const char *path,
			void *data)
{
	struct search *search = data;

	(void)path;
	if (search->found &&
	    (pattern->literal_len < search->len ||
	     (pattern->literal_len == search->len && rule->order < search->found->rule.order)))
		return;
	search->found = (const struct path_rewrite *)rule;
	search->len = pattern->literal_len;
}

static struct search find_in(const struct path_index *index, const char *path)
{
	struct search search = {NULL, 0};
	const struct path_visitor visitor = {any_rule, found_place, &search};

	if (index)
		path_index_visit(index, path, &visitor);
	return search;
}

const struct path_rewrite *path_rewrites_find(const struct path_rewrites *rewrites,
					      const char *path, size_t *ret_len)
{
	struct search search;

	if (rewrites->count == 0)
		return NULL;
	search = find_in(rewrites->given, path);
	*ret_len = search.len;
	return search.found;
}

const struct path_rewrite *path_rewrites_below(const struct path_rewrites *rewrites,
					       const char *path)
{
	for (size_t i = 0; i < rewrites->count; i++) {
		const struct rule *rule = &rewrites->items[i]->rule;

		for (size_t p = 0; p < rule->pattern_count; p++)
			if (path_lies_in(rule->patterns[p].literal, path))
				return rewrites->items[i];
	}
	return NULL;
}

const struct path_rewrite *path_rewrites_to_below(const struct path_rewrites *rewrites,
						  const char *path)
{
	for (size_t i = 0; i < rewrites->count; i++) {
		const char *to = rewrites->items[i]->to.literal;

		if (path_lies_in(to, path) && strcmp(to, path) != 0)
			return rewrites->items[i];
	}
	return NULL;
}

/* Replaces the first `len` bytes of `path` by `head`. Returns 1 or -ENAMETOOLONG. */
static int join(const char *head, const char *path, size_t len, char ret[PATH_MAX])
{
	const char *rest = path[len] == '/' && path[len + 1] == '\0' ? "" : path + len;
	const size_t head_len = strlen(head);
	const size_t rest_len = strlen(rest);

	if (head_len + rest_len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(ret, head, head_len);
	memcpy(ret + head_len, rest, rest_len + 1);
	if (!*ret)
		memcpy(ret, "/", 2);
	return 1;
}

int policy_rewrite_path(const struct policy *policy, enum access_class class, const char *path,
			char ret[PATH_MAX], const struct rule_source **ret_rule)
{
	const struct path_rewrite *rewrite = NULL;
	size_t len;
	int result;

	if (class == CLASS_EXEC)
		rewrite = path_rewrites_find(&policy->exec_rewrites, path, &len);
	if (!rewrite)
		rewrite = path_rewrites_find(&policy->file_rewrites, path, &len);
	if (!rewrite)
		return 0;
	result = join(rewrite->to.literal, path, len, ret);
	if (result == 1 && ret_rule)
		*ret_rule = &rewrite->rule.source;
	return result;
}

/* The name through which the kernel would reach the place natively: what its links lead to. */
static const char *given_name(const struct path_rewrite *rewrite)
{
	return rewrite->rule.patterns[rewrite->rule.pattern_count - 1].literal;
}

int path_rewrite_given(const struct path_rewrite *rewrite, const char *path, char ret[PATH_MAX])
{
	if (!path_lies_in(path, rewrite->to.literal_len ? rewrite->to.literal : "/"))
		return 0;
	return join(given_name(rewrite), path, rewrite->to.literal_len, ret);
}

int policy_given_path(const struct policy *policy, const char *path, char ret[PATH_MAX])
{
	const struct path_rewrites *rewrites = &policy->file_rewrites;
	const struct search search = find_in(rewrites->back, path);
	char given[PATH_MAX];
	size_t len;
	int result;

	if (!search.found)
		return 0;
	result = join(given_name(search.found), path, search.len, given);
	if (result < 0)
		return result;
	if (path_rewrites_find(rewrites, given, &len) != search.found)
		return 0;
	memcpy(ret, given, strlen(given) + 1);
	return 1;
}

bool policy_rewrites(const struct policy *policy, enum access_class class)
{
	switch (class) {
	case CLASS_FILE:
		return policy->file_rewrites.count > 0;
	case CLASS_EXEC:
		return policy->exec_rewrites.count > 0 || policy->file_rewrites.count > 0;
	case CLASS_NETWORK:
		return policy->endpoint_rewrites.count > 0;
	default:
		return false;
	}
}

/* --------------------------------------------------------------------- endpoints */

static bool fits(const struct rule *rule, const struct endpoint *endpoint, const char *host)
{
	if (rule->endpoint)
		return endpoint_pattern_match(rule->endpoint, endpoint, host);
	return endpoint->transport == TRANSPORT_UNIX && rule_matches_path(rule, endpoint->path);
}

const struct endpoint_rewrite *endpoint_rewrites_find(const struct endpoint_rewrites *rewrites,
						      const struct endpoint *endpoint,
						      const char *host)
{
	struct endpoint loopback;
	const bool local = policy_reaches_loopback(endpoint, &loopback);

	for (size_t i = rewrites->count; i-- > 0;) {
		const struct rule *rule = &rewrites->items[i]->rule;

		if (fits(rule, endpoint, host) || (local && fits(rule, &loopback, host)))
			return rewrites->items[i];
	}
	return NULL;
}

const struct rule_source *policy_rewrite_endpoint(const struct policy *policy,
						  const struct access *access,
						  struct policy_target *ret)
{
	const struct endpoint_rewrite *rewrite = NULL;

	if (access->endpoint && policy_right_of(access->class, access->op) == RIGHT_CONNECT)
		rewrite = endpoint_rewrites_find(&policy->endpoint_rewrites, access->endpoint,
						 access->host);
	if (!rewrite)
		return NULL;
	*ret = rewrite->to;
	return &rewrite->rule.source;
}
