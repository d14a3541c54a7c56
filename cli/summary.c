/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/summary.h"

#include <inttypes.h>
#include <string.h>

#include "cli/terminal.h"

#define RED    "\033[1;31m"
#define YELLOW "\033[1;33m"
#define PLAIN  "\033[0m"

/* Longer names fill the screen; the log has them whole. */
enum { NAME_MAX_SHOWN = 300, LINE_MAX_SHOWN = 600 };

static void print_reason(FILE *out, const struct audit_blocked *blocked)
{
	if (!blocked->rule_file) {
		terminal_print(out, blocked->detail ? blocked->detail : "no rule allows it",
			       NAME_MAX_SHOWN);
		return;
	}
	if (blocked->detail) {
		terminal_print(out, blocked->detail, NAME_MAX_SHOWN);
		fputs("; ", out);
	}
	fputs("rule ", out);
	if (blocked->rule_text && *blocked->rule_text) {
		fputc('"', out);
		terminal_print(out, blocked->rule_text, NAME_MAX_SHOWN);
		fputs("\" at ", out);
	}
	terminal_print(out, blocked->rule_file, NAME_MAX_SHOWN);
	fprintf(out, ":%u", blocked->rule_line);
}

static void print_remedy(FILE *out, const struct audit_blocked *blocked)
{
	if (blocked->remedy) {
		fputs("; to allow it: ", out);
		terminal_print(out, blocked->remedy, LINE_MAX_SHOWN);
	} else if (blocked->rule_file) {
		fputs("; only a change of that rule would allow it", out);
	} else {
		fputs("; no policy line would allow it", out);
	}
}

static void print_blocked(FILE *out, const struct audit_blocked *blocked, bool colour)
{
	const char *verb = blocked->observed ? "would block" : "blocked";
	const char *on = blocked->observed ? YELLOW : RED;

	fprintf(out, "proctor: %s%s%s %s ", colour ? on : "", verb, colour ? PLAIN : "",
		access_op_name(blocked->op));
	terminal_print(out, blocked->target, NAME_MAX_SHOWN);
	if (blocked->count > 1)
		fprintf(out, " (%" PRIu64 " times)", blocked->count);
	fputs(": ", out);
	print_reason(out, blocked);
	print_remedy(out, blocked);
	fputc('\n', out);
}

void summary_print(FILE *out, struct audit *audit, bool colour)
{
	uint64_t more;
	size_t count;
	const struct audit_blocked *list = audit_blocked_list(audit, &count, &more);
	size_t shown = count;

	if (count > SUMMARY_LINES_MAX || (more > 0 && count == SUMMARY_LINES_MAX))
		shown = SUMMARY_LINES_MAX - 1;
	for (size_t i = 0; i < shown; i++)
		print_blocked(out, &list[i], colour);
	for (size_t i = shown; i < count; i++)
		more += list[i].count;
	if (more == 0)
		return;
	fprintf(out, "proctor: \xe2\x80\xa6 and %" PRIu64 " more", more);
	for (size_t i = 0; audit_target(audit, i); i++) {
		if (!strcmp(audit_target(audit, i), "-"))
			continue;
		fputs(": see ", out);
		terminal_print(out, audit_target(audit, i), NAME_MAX_SHOWN);
		break;
	}
	fputc('\n', out);
}
