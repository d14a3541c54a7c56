/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_RULESET_H
#define PROCTOR_POLICY_RULESET_H

#include <stdint.h>

#include "core/access.h"
#include "core/verdict.h"
#include "policy/endpoint_pattern.h"
#include "policy/memory.h"
#include "policy/pattern.h"

/*
 * The rules of all lists of all files, and the index by which those that concern
 * a path are found. Immutable once loaded.
 */

/* What a rule allows or denies. */
enum right {
	RIGHT_READ = 1 << 0,
	RIGHT_CREATE = 1 << 1,
	RIGHT_MODIFY = 1 << 2,
	RIGHT_DELETE = 1 << 3,
	RIGHT_ATTR = 1 << 4,
	RIGHT_EXEC = 1 << 5,
	RIGHT_CONNECT = 1 << 6,
	RIGHT_BIND = 1 << 7,
	RIGHT_SEE = 1 << 8, /* that it is there at all: files.hide denies it */

	RIGHTS_WRITE = RIGHT_READ | RIGHT_CREATE | RIGHT_MODIFY | RIGHT_DELETE | RIGHT_ATTR,
	RIGHTS_NETWORK = RIGHT_CONNECT | RIGHT_BIND,
	/* What files.deny denies: a file's name reaches exec and unix sockets, too. */
	RIGHTS_PATH = RIGHTS_WRITE | RIGHT_EXEC | RIGHTS_NETWORK,
};

/* One list of one file: within it "!pattern" takes back what stands before. */
struct rule_list {
	unsigned int allow; /* rights that its entries allow */
	unsigned int deny;  /* rights that its entries deny */
	const struct rule **exceptions; /* its "!" entries, in order */
	size_t exception_count;
	struct path_index *exception_paths; /* those that are patterns; NULL: none */
	struct endpoint_index *exception_endpoints; /* those that are endpoints; NULL: none */
};

struct rule {
	struct rule_source source;
	uint32_t order; /* of loading: the first that matches is the one named */
	bool exception; /* "!" */
	struct rule_list *list;
	/* Either patterns (a path) or an endpoint. */
	const struct pattern *patterns;
	size_t pattern_count;
	const struct endpoint_pattern *endpoint;
	const struct program *program; /* exec.allow: further conditions; NULL: none */
};

struct ruleset {
	struct memory *memory;
	const struct rule **rules;
	size_t count;
	const struct rule **hides;     /* those that hide */
	size_t hide_count;
	const struct rule **programs;  /* those with a `program` */
	size_t program_count;
	struct path_index *index;
	struct endpoint_index *endpoints;
};

/* Takes the rule, whose patterns or endpoint and list are set, and numbers it. */
void ruleset_add(struct ruleset *ruleset, struct rule *rule);

/* What is asked, and what the rules said. */
struct query {
	enum right right;
	const struct access *access; /* for conditions of exec.allow */
	const struct rule *hidden;   /* first rule that hides */
	const struct rule *denied;   /* first rule that denies */
	const struct rule *allowed;  /* first rule that allows */
	const struct rule *taken;    /* exception that took an allow back */
	bool unproven;               /* a rule would allow if the digest were known, and right */
	/* The last exception of one list that matches: many rules share a list. */
	const struct rule_list *list;
	const struct rule *exception;
};

/* Adds to *query what the rules say of a path (absolute, canonical). */
void ruleset_ask_path(const struct ruleset *ruleset, const char *path, struct query *query);

/* The same for an address or an abstract name, and the name of the host (NULL: not known). */
void ruleset_ask_endpoint(const struct ruleset *ruleset, const struct endpoint *endpoint,
			  const char *host, struct query *query);

/* True when a pattern of the rule matches the path, whatever takes it back. */
bool rule_matches_path(const struct rule *rule, const char *path);

/* The "!" entry that takes the path from a rule that names it; NULL: none. */
const struct rule *rule_taken_back(const struct rule *rule, const char *path);

/* False: the rule asks for what query->access is not, or does not say. */
bool rule_meets_conditions(const struct rule *rule, struct query *query);

/* The index, in policy/path_index.c: finds the rules whose patterns match a path. */
struct path_index *path_index_new(struct memory *memory);
void path_index_add(struct path_index *index, const struct rule *rule,
		    const struct pattern *pattern);

/*
 * Calls found() for each rule (once or more) with a pattern that matches.
 * wanted() is asked first, and spares the match when it says no.
 */
struct path_visitor {
	bool (*wanted)(const struct rule *rule, const void *query);
	void (*found)(const struct rule *rule, const struct pattern *pattern, const char *path,
		      void *query);
	void *query;
};
void path_index_visit(const struct path_index *index, const char *path,
		      const struct path_visitor *visitor);

/* The same for endpoints, in policy/endpoint_index.c. */
struct endpoint_index *endpoint_index_new(struct memory *memory);
void endpoint_index_add(struct endpoint_index *index, const struct rule *rule);

struct endpoint_visitor {
	bool (*wanted)(const struct rule *rule, const void *query);
	void (*found)(const struct rule *rule, const struct endpoint *endpoint, const char *host,
		      void *query);
	void *query;
};
void endpoint_index_visit(const struct endpoint_index *index, const struct endpoint *endpoint,
			  const char *host, const struct endpoint_visitor *visitor);

#endif
