/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_REWRITE_H
#define PROCTOR_POLICY_REWRITE_H

#include "policy/policy.h"
#include "policy/ruleset.h"

/* The entries of files.rewrite, exec.rewrite and network.rewrite. Of two that fit equally well the
 * later is used: a policy changes what the profile that it extends rewrites. */

struct path_rewrite {
	struct rule rule; /* first: the index gives rules back. Its patterns are the names of `path` */
	struct pattern to;
};

struct path_rewrites {
	struct path_rewrite **items;
	size_t count;
	struct path_index *given; /* by `path` */
	struct path_index *back;  /* by `to` */
};

struct endpoint_rewrite {
	struct rule rule; /* patterns (a unix path) or endpoint */
	struct policy_target to;
};

struct endpoint_rewrites {
	struct endpoint_rewrite **items;
	size_t count;
};

/* Takes the rewrite, whose names are set. */
void path_rewrites_add(struct memory *memory, struct path_rewrites *rewrites,
		       struct path_rewrite *rewrite);

/* The rewrite of a path, the deepest; *ret_len bytes of the path are replaced. NULL: none. */
const struct path_rewrite *path_rewrites_find(const struct path_rewrites *rewrites,
					      const char *path, size_t *ret_len);

/* A rewrite whose `path` is at or below the path; NULL: none. */
const struct path_rewrite *path_rewrites_below(const struct path_rewrites *rewrites,
					       const char *path);

/* A rewrite whose `to` is strictly below the path; NULL: none. */
const struct path_rewrite *path_rewrites_to_below(const struct path_rewrites *rewrites,
						  const char *path);

/* The name that a rewrite gives to what stands at the path, if that is at or below `to`. Returns as
 * policy_rewrite_path(). */
int path_rewrite_given(const struct path_rewrite *rewrite, const char *path, char ret[PATH_MAX]);

/* The rewrite of an endpoint; NULL: none. */
const struct endpoint_rewrite *endpoint_rewrites_find(const struct endpoint_rewrites *rewrites,
						      const struct endpoint *endpoint,
						      const char *host);

#endif
