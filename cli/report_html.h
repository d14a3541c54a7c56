/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_REPORT_HTML_H
#define PROCTOR_CLI_REPORT_HTML_H

#include <stdio.h>

/* Text that the tool may have chosen, harmless in HTML: between tags, and in a quoted attribute. NULL
 * is nothing. */
void html_print(FILE *out, const char *text);

/* The same as a JSON string within a <script> element. */
void script_print(FILE *out, const char *text);

#endif
