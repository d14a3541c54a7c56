/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "policy/nearest.h"

const struct command commands[] = {
	{"run", cmd_run, "run a command under a policy"},
	{"check", cmd_check, "say what is wrong with a policy"},
	{"why", cmd_why, "say whether a policy allows something, and which rule decides"},
	{"log", cmd_log, "print an audit log, or check that nobody changed it"},
	{"top", cmd_top, "watch sessions while they run"},
	{"report", cmd_report, "make a page about a run, to be looked at in a browser"},
	{"profiles", cmd_profiles, "list the built-in policies, or print one"},
	{"doctor", cmd_doctor, "say what this host offers and what is missing"},
	{NULL, NULL, NULL},
};

static void print_help(FILE *out)
{
	fputs("Usage: proctor COMMAND [ARG...]\n"
	      "Runs a tool under a policy that says which files, programs and addresses it may use.\n"
	      "\n"
	      "Commands:\n", out);
	for (const struct command *command = commands; command->name; command++)
			fprintf(out, "  %-10s %s\n", command->name, command->summary);
	fputs("  help       say more about a command: proctor help COMMAND\n"
	      "\n"
	      "Options:\n"
	      "  --help     print this\n"
	      "  --version  print the version\n", out);
}

static const struct command *find_command(const char *name)
{
	for (const struct command *command = commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

/* Its argv[0], which getopt_long() puts before its messages, is "proctor NAME". */
static int run_command(const struct command *command, int argc, char **argv)
{
	char name[32];

	snprintf(name, sizeof(name), "proctor %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

static int unknown_command(const char *name)
{
	struct nearest nearest = {.wanted = name};

	for (const struct command *command = commands; command->name; command++)
		nearest_offer(&nearest, command->name);
	nearest_offer(&nearest, "help");
	fputs("proctor: unknown command '", stderr);
	terminal_print(stderr, name, SIZE_MAX);
	if (nearest.best)
		fprintf(stderr, "'; did you mean '%s'?\n", nearest.best);
	else
		fputs("'; see 'proctor --help'\n", stderr);
	return EXIT_PROCTOR_FAILED;
}

static int help(int argc, char **argv)
{
	static char option[] = "--help";
	const struct command *command;

	if (argc < 2) {
		print_help(stdout);
		return finish_output(0);
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return run_command(command, 2, (char *[]){argv[1], option, NULL});
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_help(stderr);
		return EXIT_PROCTOR_FAILED;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("proctor " PACKAGE_VERSION);
		return finish_output(0);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help(argc - 1, argv + 1);
	command = find_command(argv[1]);
	return command ? run_command(command, argc - 1, argv + 1) : unknown_command(argv[1]);
}
