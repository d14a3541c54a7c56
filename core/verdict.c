/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/verdict.h"

const char *decision_name(enum decision decision)
{
	static const char *const names[DECISION_COUNT] = {
		[DECISION_ALLOW] = "allow",
		[DECISION_DENY] = "deny",
		[DECISION_REWRITE] = "rewrite",
		[DECISION_KILL] = "kill",
	};

	return names[decision];
}
