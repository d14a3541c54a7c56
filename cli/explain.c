/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/explain.h"
#include "cli/terminal.h"

enum { MATCHES_MAX = 64 };

static void print_place(const struct rule_source *rule)
{
	terminal_print(stdout, rule->file, SIZE_MAX);
	printf(":%u", rule->line);
}

static void print_rule(const char *label, const struct rule_source *rule)
{
	printf("  %s: ", label);
	print_place(rule);
	fputs(": ", stdout);
	terminal_print(stdout, rule->text, SIZE_MAX);
}

static void print_match(const struct policy_match *match)
{
	static const char *const words[] = {
		[MATCH_ALLOWS] = "allows it",
		[MATCH_DENIES] = "denies it",
		[MATCH_HIDES] = "hides it",
		[MATCH_REWRITES] = "rewrites it",
	};

	print_rule("also", match->rule);
	printf(" (%s", words[match->kind]);
	if (match->unmet)
		fputs(" only with other arguments or another digest", stdout);
	if (match->taken) {
		fputs(", but for ", stdout);
		terminal_print(stdout, match->taken->text, SIZE_MAX);
		fputs(" at ", stdout);
		print_place(match->taken);
	}
	puts(")");
}

/* What is used in its place. */
static void print_target(const struct policy *policy, const struct access *access)
{
	const struct rule_source *rule;
	struct policy_target target;
	char text[ENDPOINT_TEXT_MAX];

	if (access->class != CLASS_NETWORK) {
		if (policy_rewrite_path(policy, access->class, access->path, text, &rule) == 1) {
			fputs("  used instead: ", stdout);
			terminal_print(stdout, text, SIZE_MAX);
			putchar('\n');
		}
		return;
	}
	if (!policy_rewrite_endpoint(policy, access, &target))
		return;
	fputs("  used instead: ", stdout);
	if (target.host) {
		printf("%s:%u\n", target.host, target.endpoint.port);
		return;
	}
	terminal_print(stdout, endpoint_format(&target.endpoint, text, sizeof(text)), SIZE_MAX);
	putchar('\n');
}

/* The rules that deny are named one by one: each has to be changed. */
static void print_way(const struct policy *policy, const struct access *access,
		      const struct policy_match *matches, size_t count)
{
	char line[2 * PATH_MAX];
	bool forbidden = false;
	bool allowed = false;

	for (size_t i = 0; i < count; i++) {
		const struct policy_match *match = &matches[i];

		if (match->kind == MATCH_ALLOWS || match->kind == MATCH_REWRITES) {
			allowed = allowed || (!match->taken && !match->unmet);
			continue;
		}
		if (match->taken)
			continue;
		forbidden = true;
		fputs("  behind ", stdout);
		print_place(match->rule);
		printf(" in its list, this entry would take it from the rule: %s\n",
		       policy_suggest_exception(access, line, sizeof(line)));
	}
	policy_suggest(policy, access, line, sizeof(line));
	if (*line)
		printf("  this line would allow it: %s\n", line);
	else if (!forbidden)
		puts("  no line would allow it");
	else if (!allowed)
		printf("  and this line would allow it: %s\n",
		       policy_suggest_grant(access, line, sizeof(line)));
}

int explain(const struct policy *policy, const struct access *access, const char *what)
{
	const struct verdict verdict = policy_decide(policy, access);
	const bool denied = verdict.decision == DECISION_DENY;
	struct policy_match matches[MATCHES_MAX];
	size_t count = policy_matches(policy, access, matches, MATCHES_MAX);
	size_t shown = count < MATCHES_MAX ? count : MATCHES_MAX;

	print_coloured(stdout, denied ? COLOUR_RED : COLOUR_GREEN, decision_name(verdict.decision));
	printf(" %s ", access_op_name(access->op));
	terminal_print(stdout, what, SIZE_MAX);
	putchar('\n');
	if (verdict.rule) {
		print_rule("rule", verdict.rule);
		putchar('\n');
	} else {
		puts("  no rule allows it");
	}
	for (size_t i = 0; i < shown; i++)
		if (!verdict.rule || matches[i].rule != verdict.rule)
			print_match(&matches[i]);
	if (count > shown)
		printf("  and %zu more\n", count - shown);
	if (verdict.decision == DECISION_REWRITE)
		print_target(policy, access);
	if (verdict.binds_site)
		printf("  what is sent first must ask for %s (TLS's server name, HTTP's Host)\n",
		       access->host);
	if (denied)
		print_way(policy, access, matches, shown);
	return denied ? EXIT_FOUND : 0;
}
