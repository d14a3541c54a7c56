/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_BLOCKED_H
#define PROCTOR_AUDIT_BLOCKED_H

#include "audit/audit.h"

/*
 * Blocked attempts, equal ones folded: same class, operation, target, rule, detail,
 * whether only observed, and whether the tool was killed for it. Not locked: the log's lock covers it.
 */
struct blocked_entry;

struct blocked_set {
	struct blocked_entry *index; /* hash table over `items` */
	struct audit_blocked *items; /* AUDIT_BLOCKED_MAX of them once there is one */
	size_t count;
	size_t of_class[CLASS_COUNT]; /* among them */
	uint64_t other; /* attempts that found no room */
	uint64_t total; /* attempts blocked, not merely observed */
};

/* Counts a blocked or would-block record in. Short of memory, it counts as `other`. */
void blocked_add(struct blocked_set *set, const struct audit_record *record);

void blocked_free(struct blocked_set *set);

#endif
