/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/report_html.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/terminal.h"
#include "core/cleanup.h"
#include "policy/memory.h"

/* As a terminal would show it: printable UTF-8. free() it. */
static char *visible(const char *text)
{
	char *shown = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&shown, &size);

	if (!out)
		memory_exhausted();
	terminal_print(out, text, SIZE_MAX);
	if (fclose(out) != 0 || !shown)
		memory_exhausted();
	return shown;
}

void html_print(FILE *out, const char *text)
{
	AUTO_FREE char *shown = text ? visible(text) : NULL;

	for (const char *at = shown; at && *at; at++) {
		switch (*at) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			putc(*at, out);
		}
	}
}

void script_print(FILE *out, const char *text)
{
	AUTO_FREE char *shown = text ? visible(text) : NULL;

	putc('"', out);
	for (const char *at = shown; at && *at; at++) {
		/* No tag, no comment of HTML begins in here. */
		if (strchr("\"\\<>&", *at))
			fprintf(out, "\\u%04x", (unsigned int)*at);
		else
			putc(*at, out);
	}
	putc('"', out);
}
