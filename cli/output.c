/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/terminal.h"

bool colour_wanted(FILE *out)
{
	const char *no_color = getenv("NO_COLOR"); /* https://no-color.org: any text but none */
	const char *term = getenv("TERM");

	if ((no_color && *no_color) || !term || !strcmp(term, "dumb"))
		return false;
	return isatty(fileno(out));
}

void print_coloured(FILE *out, enum colour colour, const char *text)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",         [COLOUR_RED] = "\033[31m", [COLOUR_GREEN] = "\033[32m",
		[COLOUR_YELLOW] = "\033[33m", [COLOUR_BOLD] = "\033[1m",
	};
	bool wanted = colour != COLOUR_NONE && colour_wanted(out);

	if (wanted)
		fputs(codes[colour], out);
	terminal_print(out, text, SIZE_MAX);
	if (wanted)
		fputs("\033[0m", out);
}

int usage_error(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "proctor %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; see 'proctor help %s'\n", command);
	return EXIT_PROCTOR_FAILED;
}

int finish_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "proctor: cannot write standard output: %s\n", strerror(errno));
	return EXIT_PROCTOR_FAILED;
}
