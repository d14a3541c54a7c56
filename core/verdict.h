/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_VERDICT_H
#define PROCTOR_CORE_VERDICT_H

#include <stdbool.h>

/* What the policy says of an access, and where it says so. */

enum decision {
	DECISION_ALLOW,
	DECISION_DENY,
	DECISION_REWRITE,
	DECISION_KILL,
	DECISION_COUNT,
};

/* A line of a policy file. Lives as long as the policy. */
struct rule_source {
	const char *file;   /* as given, or "profile:NAME" for a built-in one */
	unsigned int line;  /* from 1 */
	unsigned int column;
	const char *text;   /* the entry as written, e.g. "!**\/.env.example" */
};

struct verdict {
	enum decision decision;
	int error; /* errno to answer with: when denied, and for a rewrite that cannot be carried out;
		    * 0 when allowed */
	const struct rule_source *rule; /* what decided; NULL: no rule matched */
	bool needs_digest; /* denied, but a rule with a digest could allow it: ask again with
			    * access.sha256 */
	bool binds_site; /* allowed, if what is sent first asks for the very host */
};

/* "allow", "deny", "rewrite", "kill". Static. */
const char *decision_name(enum decision decision);

#endif
