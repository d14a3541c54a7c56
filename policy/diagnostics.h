/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_DIAGNOSTICS_H
#define PROCTOR_POLICY_DIAGNOSTICS_H

#include "policy/policy.h"

/*
 * Adds one fault. What utf8_is_hidden() names and what is not UTF-8 is written as
 * \xHH, so that a policy cannot send escape sequences to a terminal.
 */
void diagnostics_add(struct diagnostics *diagnostics, const char *file, unsigned int line,
		     unsigned int column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Orders by place within each file; files stay in the order of their first fault. */
void diagnostics_sort(struct diagnostics *diagnostics);

#endif
