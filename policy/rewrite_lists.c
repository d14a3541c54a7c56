/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "policy/private.h"

/* Keys whose value is a list of rewrites. */

static bool has_wildcard(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' && text[1])
			text++;
		else if (strchr("*?[{", *text))
			return true;
	}
	return false;
}

/* Compiles a scalar that names one place, from byte `skip` on: its name and what that leads to. */
static bool compile_place(struct loader *loader, const struct document *document,
			  const struct node *node, size_t skip, struct rule *rule)
{
	const char *text;

	if (!loader_scalar(loader, document, node, "a path"))
		return false;
	text = loader_expand(loader, document, node, skip, EXPAND_PATTERN);
	if (text && has_wildcard(text)) {
		loader_fault(loader, document, node,
			     "expected one file or folder, without wildcards, found '%s'",
			     node->value);
		return false;
	}
	return text && compile_path(loader, document, node, skip, rule);
}

/* Of the names of a place the one that its links lead to. */
static const struct pattern *reached(const struct rule *rule)
{
	return &rule->patterns[rule->pattern_count - 1];
}

/* True for an entry that is a mapping with the two `fields`; faults in them are added. */
static bool is_rewrite(struct loader *loader, const struct document *document,
		       const struct key *key, const struct node *entry, const char *const *fields,
		       const char *expected)
{
	if (entry->kind != NODE_MAPPING) {
		loader_expected(loader, document, entry, expected);
		return false;
	}
	check_fields(loader, document, key, entry, fields, 2);
	return true;
}

static void add_path_rewrite(struct loader *loader, const struct document *document,
			     const struct node *entry, struct path_rewrites *rewrites)
{
	struct path_rewrite *rewrite = memory_alloc(loader->memory, sizeof(*rewrite));
	struct rule to = {.pattern_count = 0};
	const struct node *path = node_get(entry, "path");
	const struct node *to_node = node_get(entry, "to");
	const bool good = path && compile_place(loader, document, path, 0, &rewrite->rule);

	if (!to_node || !compile_place(loader, document, to_node, 0, &to) || !good)
		return;
	if (!strcmp(reached(&to)->literal, reached(&rewrite->rule)->literal)) {
		loader_fault(loader, document, to_node,
			     "'path' and 'to' are the same place; expected another one");
		return;
	}
	source_of(&rewrite->rule, document, entry);
	rewrite->rule.source.text = memory_printf(loader->memory, "{path: %s, to: %s}",
						  path->value, to_node->value);
	rewrite->to = *reached(&to);
	path_rewrites_add(loader->memory, rewrites, rewrite);
}

void parse_path_rewrites(struct loader *loader, const struct document *document,
			 const struct key *key, const struct node *value)
{
	static const char *const fields[] = {"path", "to", NULL};
	const struct node *entries = list_of(loader, document, key, value, "{path, to} mappings");
	struct path_rewrites *rewrites = key->allow & RIGHT_EXEC ? &loader->policy->exec_rewrites
								 : &loader->policy->file_rewrites;

	for (size_t i = 0; entries && i < entries->count; i++) {
		const struct node *entry = entries->items[i];

		if (is_rewrite(loader, document, key, entry, fields, "{path: PATH, to: PATH}"))
			add_path_rewrite(loader, document, entry, rewrites);
	}
}

/* --------------------------------------------------------------------- network */

static bool compile_given(struct loader *loader, const struct document *document,
			  const struct node *node, struct rule *rule)
{
	struct endpoint_pattern *pattern;

	if (!strncmp(node->value, "unix:", 5) && node->value[5] != '@')
		return compile_path(loader, document, node, 5, rule);
	pattern = memory_alloc(loader->memory, sizeof(*pattern));
	rule->endpoint = pattern;
	if (!compile_endpoint(loader, document, node, 0, false, pattern))
		return false;
	if (pattern->site == SITE_SAME)
		loader_fault(loader, document, node,
			     "bad endpoint '%s': a rewrite does not look into a connection; leave "
			     "\"tls:\" out", node->value);
	return pattern->site != SITE_SAME;
}

static bool set_unix_target(struct endpoint *ret, const char *literal)
{
	const size_t len = strlen(literal);

	*ret = (struct endpoint){.transport = TRANSPORT_UNIX, .family = AF_UNIX, .path_len = len};
	memcpy(ret->path, literal, len + 1);
	return len > 0;
}

static bool compile_target(struct loader *loader, const struct document *document,
			   const struct node *node, struct policy_target *ret)
{
	static const char expected[] = "one endpoint such as \"127.0.0.1:15432\", \"udp:[::1]:53\", "
				       "\"db.internal:5432\", \"unix:/run/x\" or \"unix:@name\"";
	char host[HOST_NAME_SIZE] = "";
	struct rule place = {.pattern_count = 0};
	const char *text;

	if (!strncmp(node->value, "unix:", 5) && node->value[5] != '@')
		return compile_place(loader, document, node, 5, &place) &&
		       set_unix_target(&ret->endpoint, reached(&place)->literal);
	text = loader_expand(loader, document, node, 0, EXPAND_PLAIN);
	if (!text)
		return false;
	if (endpoint_parse_named(&ret->endpoint, host, text) < 0 ||
	    (ret->endpoint.transport <= TRANSPORT_UDP && ret->endpoint.port == 0)) {
		loader_expected(loader, document, node, expected);
		return false;
	}
	if (*host)
		ret->host = memory_strdup(loader->memory, host);
	return true;
}

/* A stream is not made of datagrams. What a unix socket is, only the two ends know. */
static bool same_protocol(const struct endpoint_pattern *given, const struct endpoint *to)
{
	if (!given || given->kind == ENDPOINT_ABSTRACT)
		return true;
	return to->transport == TRANSPORT_TCP ? given->tcp
	       : to->transport == TRANSPORT_UDP ? given->udp : true;
}

static void add_endpoint_rewrite(struct loader *loader, const struct document *document,
				 const struct node *entry)
{
	struct endpoint_rewrites *rewrites = &loader->policy->endpoint_rewrites;
	struct endpoint_rewrite *rewrite = memory_alloc(loader->memory, sizeof(*rewrite));
	const struct node *given = node_get(entry, "connect");
	const struct node *to = node_get(entry, "to");
	bool good = given && loader_scalar(loader, document, given, "an endpoint") &&
		    compile_given(loader, document, given, &rewrite->rule);

	if (!to || !loader_scalar(loader, document, to, "an endpoint") ||
	    !compile_target(loader, document, to, &rewrite->to) || !good)
		return;
	if (!same_protocol(rewrite->rule.endpoint, &rewrite->to.endpoint)) {
		loader_fault(loader, document, to,
			     "one end is TCP and the other is UDP; write 'udp:' before both");
		return;
	}
	source_of(&rewrite->rule, document, entry);
	rewrite->rule.source.text = memory_printf(loader->memory, "{connect: %s, to: %s}",
						  given->value, to->value);
	if (rewrite->rule.endpoint)
		note_name_rule(loader, document, given, rewrite->rule.endpoint);
	*memory_push(loader->memory, rewrites->items, rewrites->count) = rewrite;
}

void parse_endpoint_rewrites(struct loader *loader, const struct document *document,
			     const struct key *key, const struct node *value)
{
	static const char *const fields[] = {"connect", "to", NULL};
	const struct node *entries = list_of(loader, document, key, value, "{connect, to} mappings");

	for (size_t i = 0; entries && i < entries->count; i++) {
		const struct node *entry = entries->items[i];

		if (is_rewrite(loader, document, key, entry, fields,
			       "{connect: ENDPOINT, to: ENDPOINT}"))
			add_endpoint_rewrite(loader, document, entry);
	}
}
