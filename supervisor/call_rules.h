/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_CALL_RULES_H
#define PROCTOR_SUPERVISOR_CALL_RULES_H

#include <stdbool.h>

#include "policy/policy.h"
#include "supervisor/table.h"

/* `syscalls` of the policy, looked up once for each row of the table. */

enum call_rule_kind {
	CALL_BUILT_IN, /* the table decides */
	CALL_DENIED,
	CALL_ALLOWED,
};

struct call_rule {
	enum call_rule_kind kind;
	const struct rule_source *source;
};

/* One for each of syscall_rows(), in that order (free()). NULL: out of memory. */
struct call_rule *call_rules_new(const struct policy *policy);

/* That of a row; rules may be NULL (the policy has none). Lives as long as `rules`. */
const struct call_rule *call_rule_of(const struct call_rule *rules, const struct syscall_row *row);

/*
 * True when the rule opens a kernel door: the kernel runs the call unasked. Calls on files, programs,
 * the network and other processes have rules of their own, and no entry of `syscalls` leads around
 * those.
 */
bool call_rule_opens(const struct call_rule *rules, const struct syscall_row *row);

/* True when processes of the tool may trace each other: ptrace(2). */
bool call_rules_allow_tracing(const struct call_rule *rules);

#endif
