/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_REPORT_REMEDY_H
#define PROCTOR_CLI_REPORT_REMEDY_H

#include <jansson.h>

/* What a record is about: a path, an endpoint, a name, a call. */
const char *report_target(const json_t *record);

/*
 * The policy line that would allow what a record says was blocked for want of a rule, in the form of
 * policy_suggest(). NULL when no line would, or it cannot be told from the record. free() it.
 */
char *report_remedy(const json_t *record);

#endif
