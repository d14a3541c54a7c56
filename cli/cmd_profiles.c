/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdint.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "policy/nearest.h"

static const struct option options[] = {
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: proctor profiles [NAME]\n"
	"Lists the built-in policies, or prints the one called NAME, ready to be copied to\n"
	"~/.config/proctor/NAME.yaml and changed there.\n"
	"\n"
	"      --help   print this\n"
	"\n"
	"Exit status: 0, or 125 when there is no such profile.\n";

/* The line that says what a profile is for: its first comment "# NAME: ...". */
static void print_summary(const char *name)
{
	const char *text = policy_profile_text(name);
	size_t len = strlen(name);

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		const char *end;

		if (strncmp(line, "# ", 2) != 0 || strncmp(line + 2, name, len) != 0 ||
		    strncmp(line + 2 + len, ": ", 2) != 0)
			continue;
		line += len + 4;
		end = strchr(line, '\n');
		printf("%-12s %.*s\n", name, (int)(end - line), line);
		return;
	}
	puts(name);
}

static int print_profile(const char *name)
{
	const char *text = policy_profile_text(name);
	struct nearest nearest = {.wanted = name};

	if (text) {
		fputs(text, stdout);
		return finish_output(0);
	}
	for (const char *const *known = policy_profile_names(); *known; known++)
		nearest_offer(&nearest, *known);
	fputs("proctor profiles: no built-in profile is called '", stderr);
	terminal_print(stderr, name, SIZE_MAX);
	if (nearest.best)
		fprintf(stderr, "'; did you mean '%s'?\n", nearest.best);
	else
		fputs("'; 'proctor profiles' lists them\n", stderr);
	return EXIT_PROCTOR_FAILED;
}

int cmd_profiles(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option != 'h')
			return EXIT_PROCTOR_FAILED;
		fputs(help_text, stdout);
		return finish_output(0);
	}
	if (argc - optind > 1)
		return usage_error("profiles", "expected one name");
	if (optind < argc)
		return print_profile(argv[optind]);
	for (const char *const *name = policy_profile_names(); *name; name++)
		print_summary(*name);
	return finish_output(0);
}
