/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_REPORT_PAGE_H
#define PROCTOR_CLI_REPORT_PAGE_H

#include <stdio.h>

#include "cli/report_model.h"

/*
 * Prints the report as one page that needs nothing else. What the tool chose is printed as text, with
 * the bytes that terminal_print() would show as \xNN shown so.
 */
void report_print(FILE *out, const struct report *report);

#endif
