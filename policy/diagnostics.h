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

/* Sets how many characters the fault that was added last is about. */
void diagnostics_set_width(struct diagnostics *diagnostics, unsigned int width);

/*
 * Gives each diagnostic about `file` that has none yet its line out of `text`, the
 * file's `len` bytes.
 */
void diagnostics_quote(struct diagnostics *diagnostics, const char *file, const char *text,
		       size_t len);

/* Length of the line break at `text`, of `len` bytes, as YAML 1.1 has it; 0: there is none. */
size_t line_break(const char *text, size_t len);

/* What must not reach a terminal as it is becomes \xHH, byte by byte. To be freed. */
char *diagnostics_printable(const char *text);

/*
 * Orders by place within each file; files stay in the order of their first fault. What is said
 * twice of one place is said once.
 */
void diagnostics_sort(struct diagnostics *diagnostics);

#endif
