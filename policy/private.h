/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_PRIVATE_H
#define PROCTOR_POLICY_PRIVATE_H

#include "policy/document.h"
#include "policy/memory.h"
#include "policy/policy.h"
#include "policy/rewrite.h"
#include "policy/ruleset.h"

/* What stands behind policy.h, and what passes between the files of the loader. */

/* ------------------------------------------------------------ a loaded policy */

/* One entry of env.keep or env.drop. */
struct name_rule {
	const struct glob *globs;
	size_t glob_count;
	bool exception;
};

/* One such list of one file: its last entry that matches decides. */
struct name_list {
	struct name_rule *rules;
	size_t count;
};

struct environment_rules {
	struct name_list *keep;
	size_t keep_count; /* 0: no `keep` anywhere, all are kept */
	struct name_list *drop;
	size_t drop_count;
	const char **set; /* "NAME=value" */
	size_t set_count;
};

/* One entry of syscalls.deny or syscalls.allow. */
struct call_rule {
	struct rule_source source;
	struct glob glob;
	bool exception;
};

/* One such list of one file: its last entry that matches decides. */
struct call_list {
	struct call_rule *rules;
	size_t count;
};

struct call_lists {
	struct call_list *lists;
	size_t count;
};

struct policy {
	struct memory memory;
	struct ruleset ruleset;
	struct path_rewrites file_rewrites;
	struct path_rewrites exec_rewrites;
	struct endpoint_rewrites endpoint_rewrites;
	bool has_name_rules;
	struct call_lists denied_calls;
	struct call_lists allowed_calls;
	struct environment_rules environment;
	struct policy_limit limits[LIMIT_COUNT];
	bool limited[LIMIT_COUNT];
	size_t on_block; /* which word of its key */
	size_t rollback;
	size_t observe_library;
	size_t proxy;
	struct policy_source *sources;
	size_t source_count;
	struct policy_pending *pending;
	size_t pending_count;
};

/* The rules' answer to one access; false: of a kind that no rule can name. */
bool policy_ask(const struct policy *policy, const struct access *access, struct query *ret);

/* connect(2) to 0.0.0.0 or :: reaches this host's loopback, which *ret then is. */
bool policy_reaches_loopback(const struct endpoint *endpoint, struct endpoint *ret);

/* The right that an operation needs, or 0 when no rule can give it. */
unsigned int policy_right_of(enum access_class class, enum access_op op);

/* ------------------------------------------------------------------- loading */

enum expand_mode {
	EXPAND_PLAIN,   /* the text itself */
	EXPAND_PATTERN, /* a pattern: what comes from outside the policy is quoted */
	EXPAND_MODES,
};

/* One entry of `vars`. */
struct variable {
	const char *name;
	const struct node *value;
	const struct document *document;
	struct {
		enum { VALUE_UNKNOWN, VALUE_BEING_MADE, VALUE_BAD, VALUE_GOOD } state;
		const char *text;
	} expanded[EXPAND_MODES];
};

struct loader {
	struct memory *memory;
	struct policy *policy;
	const struct policy_context *context;
	struct diagnostics *diagnostics;
	struct document **documents; /* in the order of merging */
	size_t document_count;
	const char **identities; /* of all that was opened: none is merged twice */
	size_t identity_count;
	struct variable *variables; /* of all documents; later wins */
	size_t variable_count;
	struct canonical_cache *cache; /* of links that patterns run through */
	unsigned int variable_depth;
	const struct opened *opened; /* the chain of documents being loaded */
};

/* Adds a fault at a node. */
void loader_fault(struct loader *loader, const struct document *document, const struct node *node,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds "expected EXPECTED, found ..." at a node. */
void loader_expected(struct loader *loader, const struct document *document,
		     const struct node *node, const char *expected);

/* True for a scalar; else says that `expected` was. */
bool loader_scalar(struct loader *loader, const struct document *document,
		   const struct node *node, const char *expected);

/* Loads what an entry of `extends` names, before the document that holds it. */
void loader_extend(struct loader *loader, const struct document *document,
		   const struct node *entry);

/*
 * Replaces ${NAME} and ${env:NAME} in the scalar `node` of `document`, from its
 * byte `skip` on. NULL: a fault was added.
 */
const char *loader_expand(struct loader *loader, const struct document *document,
			  const struct node *node, size_t skip, enum expand_mode mode);

/* `vars` of one document; checked as a whole by loader_check_variables(). */
void loader_add_variable(struct loader *loader, const struct document *document,
			 const struct node *key, const struct node *value);
void loader_check_variables(struct loader *loader);

/* ---------------------------------------------------------- the table of keys */

/*
 * One key of a policy. The parser, its messages and the tests go by the table;
 * a new key is a row and, if it is of a new kind, a function.
 */
struct key {
	const char *section; /* NULL: at the top */
	const char *name;
	void (*parse)(struct loader *loader, const struct document *document,
		      const struct key *key, const struct node *value);
	const char *const *words; /* the words it may be; the first is the default */
	size_t setting;           /* offset in struct policy of the number of the word chosen */
	unsigned int allow;       /* rights that entries of the list allow */
	unsigned int deny;        /* rights that they deny */
	unsigned int limit;       /* limits: which one */
	bool pending;             /* no part of this version enforces it: a run refuses it, but for
				   * the first of `words` */
	bool early;               /* needed before other documents are known */
};

/* What is pending within the value of a key: see schema_pending(). */
enum feature { FEATURE_ARGS, FEATURE_SHA256, FEATURE_HOST_NAMES, FEATURE_COUNT };

extern const struct key policy_keys[];
extern const size_t policy_key_count;

/* "files.read", "version". */
const char *key_title(struct memory *memory, const struct key *key);

/* Goes through a document: its early keys and what is unknown, or the others. */
enum schema_pass { PASS_EARLY, PASS_LATE };
void schema_apply(struct loader *loader, const struct document *document, enum schema_pass pass);

/* Notes that the policy uses the feature, if that is pending. */
void schema_use(struct loader *loader, const struct document *document, const struct node *node,
		enum feature feature);

/* Notes that a run must refuse the policy for what stands at the node. */
void schema_pending(struct loader *loader, const struct document *document,
		    const struct node *node, const char *what);

/* Parsers of values, in policy/values.c and policy/lists.c. */
void parse_version(struct loader *, const struct document *, const struct key *,
		   const struct node *);
void parse_extends(struct loader *, const struct document *, const struct key *,
		   const struct node *);
void parse_vars(struct loader *, const struct document *, const struct key *,
		const struct node *);
void parse_paths(struct loader *, const struct document *, const struct key *,
		 const struct node *);
void parse_programs(struct loader *, const struct document *, const struct key *,
		    const struct node *);
void parse_path_rewrites(struct loader *, const struct document *, const struct key *,
			 const struct node *);
void parse_endpoints(struct loader *, const struct document *, const struct key *,
		     const struct node *);
void parse_endpoint_rewrites(struct loader *, const struct document *, const struct key *,
			     const struct node *);
void parse_denied_calls(struct loader *, const struct document *, const struct key *,
			const struct node *);
void parse_allowed_calls(struct loader *, const struct document *, const struct key *,
			 const struct node *);
void parse_keep(struct loader *, const struct document *, const struct key *,
		const struct node *);
void parse_drop(struct loader *, const struct document *, const struct key *,
		const struct node *);
void parse_set(struct loader *, const struct document *, const struct key *,
	       const struct node *);
void parse_duration(struct loader *, const struct document *, const struct key *,
		    const struct node *);
void parse_size(struct loader *, const struct document *, const struct key *,
		const struct node *);
void parse_count(struct loader *, const struct document *, const struct key *,
		 const struct node *);
void parse_choice(struct loader *, const struct document *, const struct key *,
		  const struct node *);

/* Helpers of those parsers. */

/* The items of a list of `what`; NULL and a fault when it is none. */
const struct node *list_of(struct loader *loader, const struct document *document,
			   const struct key *key, const struct node *value, const char *what);

/* Sets where the rule stands. */
void source_of(struct rule *rule, const struct document *document, const struct node *entry);

/* Compiles the pattern in a scalar from byte `skip` on. False: faults were added. */
bool compile_path(struct loader *loader, const struct document *document,
		  const struct node *entry, size_t skip, struct rule *rule);

/* The same for an endpoint; `both`: see endpoint_pattern_compile(). */
bool compile_endpoint(struct loader *loader, const struct document *document,
		      const struct node *entry, size_t skip, bool both,
		      struct endpoint_pattern *ret);

/* Notes that a rule goes by a host's name, if the pattern is one. */
void note_name_rule(struct loader *loader, const struct document *document,
		    const struct node *entry, const struct endpoint_pattern *pattern);

/* Checks the keys of a mapping: those in `names` (NULL-terminated); the first
 * `required` must be there. */
bool check_fields(struct loader *loader, const struct document *document, const struct key *key,
		  const struct node *mapping, const char *const *names, size_t required);

#endif
