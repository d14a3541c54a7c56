/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_CLI_H
#define PROCTOR_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "core/error.h"
#include "core/exit_codes.h"
#include "policy/policy.h"

/* The commands, and what they share. */

struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is "proctor NAME"; the exit code */
	const char *summary;
};

/* In the order of the help text; ends with a row without a name. */
extern const struct command commands[];

int cmd_check(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_profiles(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_top(int argc, char **argv);

/* ------------------------------------------------------------- cli/context.c */

/*
 * Fills *ret from the process's environment: HOME (or the home folder of the
 * user database), the working folder, USER (likewise), TMPDIR (default /tmp), and
 * the folder of user profiles. The strings are freed by policy_context_clear().
 * Returns 0, or a negative errno with *err set when there is no working folder.
 */
int policy_context_init(struct policy_context *ret, struct error *err);
void policy_context_clear(struct policy_context *context);

/*
 * Loads policies (with none: "agent"); faults are printed on standard error.
 * Returns NULL when there are any.
 */
struct policy *load_policies(const char *const *names, size_t count);

/* The same for one, with warnings of what is hardly meant. */
struct policy *load_policy_and_warn(const char *name);

/* --------------------------------------------------------------- cli/become.c */

/*
 * As root: the process becomes the user, with that user's groups, HOME, USER, LOGNAME and SHELL, and
 * without XDG_*, but for XDG_STATE_HOME. Who is that user already stays. 0, or a negative errno and *err.
 */
int become_user(const char *name, struct error *err);

/* -------------------------------------------------------------- cli/output.c */

/* True when `out` is a terminal, NO_COLOR is not set and TERM is not "dumb". */
bool colour_wanted(FILE *out);

enum colour { COLOUR_NONE, COLOUR_RED, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_BOLD };

/* terminal_print() of the whole text, in a colour if that is wanted. */
void print_coloured(FILE *out, enum colour colour, const char *text);

/* "proctor NAME: message; see 'proctor help NAME'" on standard error. Returns 125. */
int usage_error(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Flushes standard output. Returns `status`, or 125 when it could not be written. */
int finish_output(int status);

#endif
