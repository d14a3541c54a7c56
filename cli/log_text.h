/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_LOG_TEXT_H
#define PROCTOR_CLI_LOG_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Prints a record as one line: when, what, to what, why, and who. With `verbose`, lines that are
 * set in follow: working folder, arguments, rule, stack. All that the tool chose is printed by
 * terminal_print().
 */
void log_text_print(FILE *out, const json_t *record, bool colour, bool verbose);

#endif
