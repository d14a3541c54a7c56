/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_POLICY_H
#define PROCTOR_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "core/access.h"
#include "core/error.h"
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
};

/* One thing wrong with a policy. */
struct diagnostic {
	char *file; /* "profile:NAME" for a built-in one */
	unsigned int line;   /* from 1; 0: the file as a whole */
	unsigned int column; /* from 1 */
	char *message;
};

struct diagnostics {
	struct diagnostic *items;
	size_t count;
};

void diagnostics_free(struct diagnostics *diagnostics);

/* Prints each as "FILE:LINE:COL: message" (contract), one a line. */
void diagnostics_print(const struct diagnostics *diagnostics, FILE *out);

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
 * Decides one access. Never DECISION_KILL. Denied: error is EACCES.
 * No rule matched: denied with rule NULL.
 */
struct verdict policy_decide(const struct policy *policy, const struct access *access);

/*
 * True when no access of this kind can be refused by the policy: every path or
 * endpoint is allowed and nothing is denied. The filter then leaves the calls
 * of that kind in the kernel.
 */
bool policy_allows_all(const struct policy *policy, enum access_class class, enum access_op op);

/*
 * Decides whether what stands at `from` may be renamed or linked to `to` as far
 * as this cannot give the tool rights on the contents that it lacks at `from`:
 * for every right (read, modify, attr, exec) that `to` has, `from` has it as
 * well. For a folder (`tree`) the same must hold for all below it: a rule that
 * treats something below `from` otherwise than below `to` (a deny inside the
 * folder, a grant that covers only part) is a refusal, which names that rule.
 * Of a folder moreover nothing may become removable by the move, and nothing may
 * come to stand below `to` where it could not be created.
 * The deletion at `from` and the creation at `to` are separate accesses.
 */
struct verdict policy_decide_move(const struct policy *policy, const char *from, const char *to,
				  bool tree);

/*
 * Writes the policy line that would allow the access, e.g.
 * "files: {read: [/etc/shadow]}", into buf, NUL-terminated, cut to `size`; an
 * empty string when no line could (a deny rule decides). Returns buf.
 */
char *policy_suggest(const struct policy *policy, const struct access *access, char *buf,
		     size_t size);

/* A file that the policy was made of, in the order of loading. */
struct policy_source {
	const char *file;   /* as given, or "profile:NAME" */
	const char *sha256; /* hexadecimal digest of its bytes */
};

size_t policy_sources(const struct policy *policy, const struct policy_source **ret);

/*
 * The environment that `env` gives the tool: those of `environ` that `keep`
 * and `drop` let through, and what `set` sets. Returns a NULL-terminated array
 * whose strings and itself are freed by policy_environment_free(), or NULL
 * (ENOMEM).
 */
char **policy_environment(const struct policy *policy, char *const *environ);
void policy_environment_free(char **environment);

/* limits.wall in nanoseconds; 0: no limit. */
uint64_t policy_wall_limit(const struct policy *policy);

/* "60", "60s", "5m", "2h", "1.5s", "200ms" -> nanoseconds. Returns 0 or -EINVAL. */
int policy_parse_duration(const char *text, uint64_t *ret_ns);

/* Built-in profiles: names in alphabetical order, NULL-terminated; static. */
const char *const *policy_profile_names(void);
/* YAML text of a built-in profile, or NULL. Static. */
const char *policy_profile_text(const char *name);

#endif
