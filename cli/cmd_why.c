/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "core/cleanup.h"
#include "policy/canonical.h"

enum { OPTION_FIRST_ACCESS = 256 };

/* What can be asked; the option of row i is OPTION_FIRST_ACCESS + i. */
static const struct question {
	enum access_class class;
	enum access_op op;
	enum canonical_last last;
} questions[] = {
	{CLASS_FILE, OP_READ, CANONICAL_FOLLOW},      {CLASS_FILE, OP_MODIFY, CANONICAL_FOLLOW},
	{CLASS_FILE, OP_CREATE, CANONICAL_FOLLOW},    {CLASS_FILE, OP_DELETE, CANONICAL_KEEP},
	{CLASS_EXEC, OP_EXEC, CANONICAL_FOLLOW},      {CLASS_NETWORK, OP_CONNECT, CANONICAL_FOLLOW},
	{CLASS_NETWORK, OP_BIND, CANONICAL_FOLLOW},
};

static const struct option options[] = {
	{"read", required_argument, NULL, OPTION_FIRST_ACCESS},
	{"write", required_argument, NULL, OPTION_FIRST_ACCESS + 1},
	{"create", required_argument, NULL, OPTION_FIRST_ACCESS + 2},
	{"delete", required_argument, NULL, OPTION_FIRST_ACCESS + 3},
	{"exec", required_argument, NULL, OPTION_FIRST_ACCESS + 4},
	{"connect", required_argument, NULL, OPTION_FIRST_ACCESS + 5},
	{"bind", required_argument, NULL, OPTION_FIRST_ACCESS + 6},
	{"policy", required_argument, NULL, 'p'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: proctor why [-p POLICY]... (--read|--write|--create|--delete|--exec PATH |\n"
	"                   --connect|--bind ENDPOINT)\n"
	"Prints 'allow', 'deny' or 'rewrite', what was asked, the rule that decides as\n"
	"FILE:LINE and its text, and when denied the policy line that would allow it.\n"
	"\n"
	"  -p, --policy POLICY     file or profile; may repeat; 'agent' when there is none\n"
	"      --read PATH         open for reading, list\n"
	"      --write PATH        change the contents, or make it when it does not exist\n"
	"      --create PATH       make it\n"
	"      --delete PATH       remove it or rename it away\n"
	"      --exec PATH         run it\n"
	"      --connect ENDPOINT  192.0.2.1:443, [::1]:80, udp:192.0.2.1:53, unix:/run/x,\n"
	"                          unix:@name\n"
	"      --bind ENDPOINT     listen there\n"
	"      --help              print this\n"
	"\n"
	"Exit status: 0 for allow and rewrite, 1 for deny, 125 for a wrong option or policy.\n";

struct asked {
	const char **policies;
	size_t policy_count;
	const struct question *question;
	const char *text;
};

/* What the kernel would reach by `path` from here. Returns 0 or a negative errno. */
static int reach(const char *path, enum canonical_last last, char ret[PATH_MAX])
{
	AUTO_FREE char *cwd = NULL;
	AUTO_FREE char *whole = NULL;

	if (!*path)
		return -ENOENT;
	if (*path == '/')
		return canonical_path(path, last, ret);
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return -errno;
	if (asprintf(&whole, "%s/%s", cwd, path) < 0) {
		whole = NULL;
		return -ENOMEM;
	}
	return canonical_path(whole, last, ret);
}

static int fill_endpoint(const struct asked *asked, struct endpoint *ret)
{
	char reached[PATH_MAX];
	int result;

	if (endpoint_parse(ret, asked->text) < 0)
		return usage_error("why", "bad endpoint '%s': expected 192.0.2.1:443, [::1]:80, "
					  "udp:192.0.2.1:53, unix:/PATH or unix:@NAME", asked->text);
	if (ret->transport != TRANSPORT_UNIX)
		return 0;
	result = reach(ret->path, CANONICAL_FOLLOW, reached);
	if (result < 0)
		return usage_error("why", "cannot follow '%s': %s", ret->path, strerror(-result));
	ret->path_len = strlen(reached);
	memcpy(ret->path, reached, ret->path_len + 1);
	return 0;
}

static void print_verdict(const struct policy *policy, const struct access *access,
			  const char *what)
{
	struct verdict verdict = policy_decide(policy, access);
	bool denied = verdict.decision == DECISION_DENY;
	char line[2 * PATH_MAX];

	print_coloured(stdout, denied ? COLOUR_RED : COLOUR_GREEN, decision_name(verdict.decision));
	printf(" %s ", access_op_name(access->op));
	terminal_print(stdout, what, SIZE_MAX);
	if (verdict.rule) {
		fputs("\n  rule: ", stdout);
		terminal_print(stdout, verdict.rule->file, SIZE_MAX);
		printf(":%u: ", verdict.rule->line);
		terminal_print(stdout, verdict.rule->text, SIZE_MAX);
	} else {
		fputs("\n  no rule allows it", stdout);
	}
	putchar('\n');
	if (!denied)
		return;
	policy_suggest(policy, access, line, sizeof(line));
	if (*line)
		printf("  this line would allow it: %s\n", line);
	else
		puts("  no line would allow it, as a deny beats every allow");
}

static int answer(const struct policy *policy, const struct asked *asked)
{
	struct access access = {.class = asked->question->class, .op = asked->question->op};
	char path[PATH_MAX];
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint endpoint;
	int result;

	if (access.class == CLASS_NETWORK) {
		result = fill_endpoint(asked, &endpoint);
		if (result)
			return result;
		access.endpoint = &endpoint;
		endpoint_format(&endpoint, text, sizeof(text));
	} else {
		result = reach(asked->text, asked->question->last, path);
		if (result < 0)
			return usage_error("why", "cannot follow '%s': %s", asked->text,
					   strerror(-result));
		if (access.op == OP_MODIFY && faccessat(AT_FDCWD, path, F_OK, 0) < 0 &&
		    errno == ENOENT)
			access.op = OP_CREATE;
		access.path = path;
	}
	print_verdict(policy, &access, access.endpoint ? text : path);
	return policy_decide(policy, &access).decision == DECISION_DENY ? EXIT_FOUND : 0;
}

/* Returns 0, or the exit code. For --help there is no question afterwards. */
static int read_options(int argc, char **argv, struct asked *asked)
{
	int option;

	while ((option = getopt_long(argc, argv, "p:", options, NULL)) != -1) {
		if (option == 'h') {
			asked->question = NULL;
			return 0;
		}
		if (option == '?')
			return EXIT_PROCTOR_FAILED;
		if (option == 'p') {
			asked->policies[asked->policy_count++] = optarg;
			continue;
		}
		if (asked->question)
			return usage_error("why", "expected one thing to ask, found two");
		asked->question = &questions[option - OPTION_FIRST_ACCESS];
		asked->text = optarg;
	}
	if (optind < argc)
		return usage_error("why", "unexpected argument '%s'", argv[optind]);
	if (!asked->question)
		return usage_error("why", "expected --read, --write, --create, --delete, --exec, "
					  "--connect or --bind");
	return 0;
}

int cmd_why(int argc, char **argv)
{
	AUTO_FREE const char **policies = calloc((size_t)argc + 1, sizeof(*policies));
	struct asked asked = {.policies = policies};
	struct policy *policy;
	int status;

	if (!policies)
		return EXIT_PROCTOR_FAILED;
	status = read_options(argc, argv, &asked);
	if (status)
		return status;
	if (!asked.question) {
		fputs(help_text, stdout);
		return finish_output(0);
	}
	policy = load_policies(asked.policies, asked.policy_count);
	if (!policy)
		return EXIT_PROCTOR_FAILED;
	status = answer(policy, &asked);
	policy_free(policy);
	return finish_output(status);
}
