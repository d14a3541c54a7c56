/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/terminal.h"

static const struct option options[] = {
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: proctor check [-q] POLICY...\n"
	"Reads each POLICY, a file or the name of a profile, and prints all that is wrong\n"
	"with it as FILE:LINE:COL: message on standard error, with the line beneath. Of what\n"
	"is right but hardly meant it warns; a rule whose line has a comment '# intended: WHY'\n"
	"is left alone.\n"
	"\n"
	"  -q, --quiet  do not say 'ok' of those that are right\n"
	"      --help   print this\n"
	"\n"
	"Exit status: 0 when all are right, with or without warnings, 1 when one is not, 125 for a wrong option.\n";

static bool check(const char *name, bool quiet)
{
	struct policy *policy = load_policy_and_warn(name);

	if (!policy)
		return false;
	policy_free(policy);
	if (!quiet) {
		terminal_print(stdout, name, SIZE_MAX);
		fputs(": ", stdout);
		print_coloured(stdout, COLOUR_GREEN, "ok");
		putchar('\n');
	}
	return true;
}

int cmd_check(int argc, char **argv)
{
	bool quiet = false;
	bool good = true;
	int option;

	while ((option = getopt_long(argc, argv, "+q", options, NULL)) != -1) {
		switch (option) {
		case 'q':
			quiet = true;
			break;
		case 'h':
			fputs(help_text, stdout);
			return finish_output(0);
		default:
			return EXIT_PROCTOR_FAILED;
		}
	}
	if (optind == argc)
		return usage_error("check", "expected a policy");
	for (int i = optind; i < argc; i++)
		good = check(argv[i], quiet) && good;
	return finish_output(good ? 0 : EXIT_FOUND);
}
