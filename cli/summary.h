/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_SUMMARY_H
#define PROCTOR_CLI_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "audit/audit.h"

enum { SUMMARY_LINES_MAX = 10 };

/*
 * Prints what was blocked (or would have been), at most SUMMARY_LINES_MAX lines:
 * what, how often, why, and the policy line that would allow it; the last line
 * counts the attempts that found no room. Prints nothing when nothing was
 * blocked. Names are printed by terminal_print(). `colour`: with SGR sequences.
 */
void summary_print(FILE *out, struct audit *audit, bool colour);

#endif
