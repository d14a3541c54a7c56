/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_POLICY_H
#define PROCTOR_POLICY_POLICY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "core/access.h"
#include "core/error.h"
#include "core/host_name.h"
#include "core/verdict.h"

/*
 * YAML policy files -> compiled policy -> decisions. Pure: nothing here knows a
 * process or a descriptor of the tool; the only system calls read policy files
 * and follow the symbolic links of literal pattern prefixes at load.
 * A loaded policy is immutable: every function that takes a const policy may be
 * called from any number of threads at once, and does not allocate.
 */
struct policy;

/* What variables stand for. Strings are not owned and must outlive policy_load(). */
struct policy_context {
	const char *home;   /* ${HOME}, ~ */
	const char *cwd;    /* ${PWD}: where the tool starts */
	const char *user;   /* ${USER} */
	const char *tmpdir; /* ${TMPDIR} */
	uid_t uid;          /* ${UID} */
	char *const *environ; /* ${env:NAME} */
	const char *profile_dir; /* user profiles: NAME.yaml; NULL: none */
	/* The kernel's names of the system calls: number `index` of them, NULL behind the last.
	 * Not set: `syscalls` takes whatever is spelled like one. */
	const char *(*syscall_name)(size_t index);
};

/* One thing wrong with a policy, or doubtful in it. */
struct diagnostic {
	enum { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING } kind;
	char *file; /* "profile:NAME" for a built-in one */
	unsigned int line;   /* from 1; 0: the file as a whole */
	unsigned int column; /* from 1, in characters */
	unsigned int width;  /* characters concerned, from there on; 0: not known */
	char *message;
	char *excerpt;       /* that part of the line, fit for a terminal; NULL: none */
	unsigned int caret;  /* where in the excerpt, in columns of a terminal */
	unsigned int underline; /* columns from the caret on, at least 1 */
};

struct diagnostics {
	struct diagnostic *items;
	size_t count;
};

void diagnostics_free(struct diagnostics *diagnostics);

/*
 * Prints each as "FILE:LINE:COL: message" (contract; "warning: " before the message of
 * a warning), then the line it is about and a caret beneath.
 */
void diagnostics_print(const struct diagnostics *diagnostics, FILE *out);

/* The same for a terminal, in colours if wanted. */
void diagnostics_print_coloured(const struct diagnostics *diagnostics, FILE *out, bool colour);

/*
 * Loads and merges `count` policies, each a file or the name of a profile (a
 * name with a '/' or ending in ".yaml"/".yml" is a file; otherwise a user
 * profile of context->profile_dir, then a built-in one, then a file).
 * Every fault found in any of them is added to *diagnostics.
 * Returns 0 and the policy in *ret (policy_free()), or -EINVAL with at least
 * one diagnostic and *ret untouched.
 */
int policy_load(const char *const *names, size_t count, const struct policy_context *context,
		struct policy **ret, struct diagnostics *diagnostics);

void policy_free(struct policy *policy);

/*
 * What a policy asks for and no part of this version enforces yet. `check` and `why` go by such a
 * policy in full; a run must refuse it.
 */
struct policy_pending {
	const char *file; /* as in struct rule_source */
	unsigned int line;
	unsigned int column;
	const char *what; /* "limits.disk", "args in exec.allow", "rollback: always" */
};

size_t policy_pending(const struct policy *policy, const struct policy_pending **ret);

/*
 * Decides one access, by the first of these that applies:
 *  1. a path of files.hide: denied, ENOENT;
 *  2. a deny: EACCES;
 *  3. what is asked for is allowed by no rule: EACCES, with no rule (or the "!entry" that took the
 *     allow back);
 *  4. a rewrite: DECISION_REWRITE with the rewrite's rule; what is used instead is asked of
 *     policy_rewrite_path() or policy_rewrite_endpoint();
 *  5. allowed, with the first rule that allows.
 * All of that is about the name as given: a rewrite needs the same grant that the access would need
 * without it, and no rule is asked about what stands in its place. (network.rewrite, which names one
 * access and its stand-in, is that grant itself; a deny beats it all the same.)
 * Never DECISION_KILL: see policy_on_block(). OP_CALL: see policy_syscall().
 */
struct verdict policy_decide(const struct policy *policy, const struct access *access);

/* ------------------------------------------------------------------------------- files.hide */

/* The rule that hides the path (absolute, canonical), or NULL. */
const struct rule_source *policy_hides(const struct policy *policy, const char *path);

/* False: nothing is hidden anywhere, and no listing needs a look. */
bool policy_hides_anything(const struct policy *policy);

/* False: nothing that stands directly in the folder can be hidden. */
bool policy_hides_entries(const struct policy *policy, const char *folder);

/* ---------------------------------------------------------------------------------- rewrite */

/*
 * Where files.rewrite (of CLASS_EXEC: exec.rewrite first) leads from `path`, absolute and canonical,
 * whatever is allowed there: the deepest `path` of a rule at or above it is replaced by that rule's
 * `to`, and the rest of the name is appended. That is done once: the outcome is not rewritten again.
 * Symbolic links in `to` were followed when the policy was loaded; one that stands there by now, or
 * below it, is the tool's to make: it must not be followed but as a name of its own, decided as such.
 * Returns 1 with the name in `ret` and the rule in *ret_rule (may be NULL), 0 when nothing is
 * rewritten, or -ENAMETOOLONG, which is a denial. `ret` is untouched unless 1 is returned.
 */
int policy_rewrite_path(const struct policy *policy, enum access_class class, const char *path,
			char ret[PATH_MAX], const struct rule_source **ret_rule);

/*
 * The way back, for what the tool is shown (getcwd, /proc/self/fd): the name under which it reaches
 * by files.rewrite what stands at `path`, or 0 if there is none. The deepest `to` wins; a name that a
 * deeper rewrite takes elsewhere is none. Returns as policy_rewrite_path().
 */
int policy_given_path(const struct policy *policy, const char *path, char ret[PATH_MAX]);

/* True when an entry of exec.allow has `args`: then access.argv matters. */
bool policy_asks_args(const struct policy *policy);

/* False: no path is rewritten in this class (CLASS_FILE, CLASS_EXEC; CLASS_NETWORK: endpoints). */
bool policy_rewrites(const struct policy *policy, enum access_class class);

/* What is connected to instead. */
struct policy_target {
	struct endpoint endpoint; /* family AF_UNSPEC: the address is `host`'s */
	const char *host;         /* normalised; NULL: none. Lives as long as the policy */
};

/*
 * What stands in for the endpoint of an OP_CONNECT or OP_SEND: the first network.rewrite that matches
 * its host, or its address, or its unix name. Returns the rule with *ret set, or NULL. (A unix path of
 * a tree that files.rewrite rewrites is a matter of policy_rewrite_path(), CLASS_FILE.)
 */
const struct rule_source *policy_rewrite_endpoint(const struct policy *policy,
						  const struct access *access,
						  struct policy_target *ret);

/* ------------------------------------------------------------------------------- host names */

/* True when a rule of network.connect, deny or rewrite holds a host name. */
bool policy_has_name_rules(const struct policy *policy);

/*
 * May the name (normalised) be looked up: is there a protocol and a port to which a connection by
 * this name is allowed or rewritten, whatever its address? Denied: the rule that denies the name, or
 * NULL. A rule for an address never makes a name known.
 */
struct verdict policy_decide_lookup(const struct policy *policy, const char *host);

/* True when network.rewrite leads a connection by the name elsewhere: the name itself need not exist. */
bool policy_rewrites_name(const struct policy *policy, const char *host);

/* ---------------------------------------------------------------------------------- syscalls */

/*
 * What `syscalls` says of a call by the kernel's name: the entry of `deny`, else of `allow`, that
 * names it, and which of both in *ret; NULL: neither, and the built-in table decides.
 */
const struct rule_source *policy_syscall(const struct policy *policy, const char *name,
					 enum decision *ret);

/* False: `syscalls` is empty. */
bool policy_has_syscall_rules(const struct policy *policy);

/* ----------------------------------------------------------------------------- other settings */

enum policy_limit_kind {
	LIMIT_WALL,       /* nanoseconds */
	LIMIT_CPU,        /* nanoseconds of CPU time of the whole tree */
	LIMIT_MEMORY,     /* bytes */
	LIMIT_PROCESSES,
	LIMIT_OPEN_FILES, /* per process */
	LIMIT_FILE_SIZE,  /* bytes */
	LIMIT_DISK,       /* bytes */
	LIMIT_OUTPUT,     /* bytes */
	LIMIT_COUNT,
};

struct policy_limit {
	uint64_t value;
	struct rule_source rule;
};

/* A limit that the policy sets, the last of several; NULL: none. */
const struct policy_limit *policy_limit(const struct policy *policy, enum policy_limit_kind kind);

/* DECISION_DENY, or DECISION_KILL: the first refused call ends the tool. */
enum decision policy_on_block(const struct policy *policy);

enum policy_rollback { ROLLBACK_NEVER, ROLLBACK_ON_FAILURE, ROLLBACK_ALWAYS };
enum policy_rollback policy_rollback(const struct policy *policy);

/* network.proxy */
bool policy_offers_proxy(const struct policy *policy);

/* observe.library: what the preload library is to tell of. */
enum policy_library {
	LIBRARY_NOT,
	LIBRARY_EVENTS,
	LIBRARY_HTTP, /* and start lines of HTTP */
};
enum policy_library policy_observes_library(const struct policy *policy);

/* ------------------------------------------------------------------------------ and their like */

/*
 * True when no access of this kind can be refused by the policy: every path or
 * endpoint is allowed and nothing is denied. The filter then leaves the calls
 * of that kind in the kernel.
 */
bool policy_allows_all(const struct policy *policy, enum access_class class, enum access_op op);

/*
 * False: no rule allows or rewrites anything but TCP to addresses, so that a datagram could go nowhere.
 * A rule for a unix socket is one for datagrams, too; so is a host name, which is looked up by UDP.
 */
bool policy_allows_datagrams(const struct policy *policy);

/*
 * Calls each() with the file, or the folder, at or below which all lies that one rule allows the
 * operation on: the part of its pattern in front of the first wildcard. Nothing that the policy
 * allows lies elsewhere; denials are not counted. For CLASS_FILE and CLASS_EXEC; of the latter also
 * with what rewrites have executed in place of something else.
 */
void policy_each_grant(const struct policy *policy, enum access_class class, enum access_op op,
		       void (*each)(const char *path, void *arg), void *arg);

/*
 * Decides whether what stands at `from` may be renamed or linked to `to` as far
 * as this cannot give the tool rights on the contents that it lacks at `from`:
 * for every right (read, modify, attr, exec) that `to` has, `from` has it as
 * well. For a folder (`tree`) the same must hold for all below it: a rule that
 * treats something below `from` otherwise than below `to` (a deny inside the
 * folder, a grant that covers only part) is a refusal, which names that rule.
 * Of a folder moreover nothing may become removable by the move, and nothing may
 * come to stand below `to` where it could not be created.
 * An exec rule with `args` or `sha256` gives at `to` what it may give, and at `from` only to what it
 * gives it as well at `to`. A path of a rewrite is like a mount point: neither it nor a folder above
 * it moves, and where `to` is rewritten the same is asked of the name in its place, too.
 * The deletion at `from` and the creation at `to` are separate accesses.
 */
struct verdict policy_decide_move(const struct policy *policy, const char *from, const char *to,
				  bool tree);

/* A rule that speaks of an access. */
struct policy_match {
	const struct rule_source *rule;
	const struct rule_source *taken; /* the "!" entry that takes it back; NULL: it holds */
	enum { MATCH_ALLOWS, MATCH_DENIES, MATCH_HIDES, MATCH_REWRITES } kind;
	bool unmet; /* it allows only with other arguments, or another digest */
};

/*
 * Lists all rules that speak of the access, in the order of loading, the first `size` of them in
 * `ret`. Returns how many there are. Slow: for people.
 */
size_t policy_matches(const struct policy *policy, const struct access *access,
		      struct policy_match *ret, size_t size);

/*
 * Adds a warning to *diagnostics for each rule that is hardly meant: one that can never match or takes
 * nothing back, an allow that a deny swallows whole, one that covers a well-known secret, a grant to
 * write what may be run, a name that leads through a symbolic link. A line with a comment
 * "# intended: REASON" is left alone. Looks at the file system.
 */
void policy_lint(const struct policy *policy, const struct policy_context *context,
		 struct diagnostics *diagnostics);

/*
 * Writes the policy line that would allow the access, e.g.
 * "files: {read: [/etc/shadow]}", into buf, NUL-terminated, cut to `size`; an
 * empty string when no line could (a deny rule decides). Returns buf.
 */
char *policy_suggest(const struct policy *policy, const struct access *access, char *buf,
		     size_t size);

/* The same, whatever the policy says of it. */
char *policy_suggest_grant(const struct access *access, char *buf, size_t size);

/*
 * Writes the entry that takes the access from the rules of a list, behind which it is to be added, e.g.
 * "\"!/work/.env\"". Returns buf.
 */
char *policy_suggest_exception(const struct access *access, char *buf, size_t size);

/* A file that the policy was made of, in the order of loading. */
struct policy_source {
	const char *file;   /* as given, or "profile:NAME" */
	const char *sha256; /* hexadecimal digest of its bytes */
	const char *text;   /* those bytes */
	size_t len;
};

/* True for the file of a built-in profile. */
bool policy_is_builtin(const char *file);

size_t policy_sources(const struct policy *policy, const struct policy_source **ret);

/*
 * The environment that `env` gives the tool: those of `environ` that `keep`
 * and `drop` let through, and what `set` sets. Returns a NULL-terminated array
 * whose strings and itself are freed by policy_environment_free(), or NULL
 * (ENOMEM).
 */
char **policy_environment(const struct policy *policy, char *const *environ);
void policy_environment_free(char **environment);

/* False: `env` is empty. */
bool policy_has_environment_rules(const struct policy *policy);

/* True when `keep` and `drop` let "NAME=value" through, and `set` does not set NAME. */
bool policy_passes_variable(const struct policy *policy, const char *entry);

/* True when an entry of `keep` names it: not merely because there is no `keep`. */
bool policy_keeps_variable(const struct policy *policy, const char *entry);

/* What `set` sets, as "NAME=value"; *ret_count of them. Lives as long as the policy. */
const char *const *policy_set_variables(const struct policy *policy, size_t *ret_count);

/* "60", "60s", "5m", "2h", "1.5s", "200ms" -> nanoseconds. Returns 0 or -EINVAL. */
int policy_parse_duration(const char *text, uint64_t *ret_ns);

/* Built-in profiles: names in alphabetical order, NULL-terminated; static. */
const char *const *policy_profile_names(void);
/* YAML text of a built-in profile, or NULL. Static. */
const char *policy_profile_text(const char *name);

#endif
