/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/call_rules.h"

#include <stdlib.h>
#include <sys/syscall.h>

#include "supervisor/handlers.h"

struct call_rule *call_rules_new(const struct policy *policy)
{
	const struct syscall_row *rows;
	struct call_rule *rules;
	size_t count;

	rows = syscall_rows(&count);
	rules = calloc(count, sizeof(*rules));
	for (size_t i = 0; rules && i < count; i++) {
		enum decision decision = DECISION_DENY;

		rules[i].source = policy_syscall(policy, rows[i].name, &decision);
		if (rules[i].source)
			rules[i].kind = decision == DECISION_ALLOW ? CALL_ALLOWED : CALL_DENIED;
	}
	return rules;
}

const struct call_rule *call_rule_of(const struct call_rule *rules, const struct syscall_row *row)
{
	static const struct call_rule none = {.kind = CALL_BUILT_IN};
	size_t count;

	return rules ? &rules[row - syscall_rows(&count)] : &none;
}

bool call_rule_opens(const struct call_rule *rules, const struct syscall_row *row)
{
	static const syscall_handler doors[] = {
		handle_door, handle_fork, handle_clone3, handle_landlock, handle_identity,
	};

	if (call_rule_of(rules, row)->kind != CALL_ALLOWED || row->class != CLASS_SYSTEM)
		return false;
	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		if (row->handler == doors[i])
			return true;
	}
	return false;
}

bool call_rules_allow_tracing(const struct call_rule *rules)
{
	return call_rule_of(rules, syscall_row(SYS_ptrace))->kind == CALL_ALLOWED;
}
