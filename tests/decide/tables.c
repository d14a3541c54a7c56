/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs the tables of tests/decide: FILE.tests hold policies and, for each, what it
 * says of accesses. No kernel is asked. See tests/decide/README.
 */
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "policy/policy.h"

enum { LINE_SIZE = 8192, FIELDS_MAX = 5, ARGS_MAX = 64 };

struct table {
	const char *file;
	FILE *in;
	unsigned int line;
	char folder[PATH_MAX]; /* where the policy stands: @DIR@ */
	struct policy *policy;
	unsigned int passed;
	unsigned int failed;
};

static const char *const variables[] = {"EXTRA=/extra", "EMPTY=", "GLOB=/g/*", NULL};

static void fail(struct table *table, const char *what, const char *expected, const char *found)
{
	printf("%s:%u: %s: expected %s, found %s\n", table->file, table->line, what, expected,
	       found);
	table->failed++;
}

/* ------------------------------------------------------------------- policies */

/* Reads the policy up to a line "---" into @DIR@/policy.yaml, and loads it. */
static void read_policy(struct table *table)
{
	const struct policy_context context = {
		.home = "/home/u",
		.cwd = "/work/p",
		.user = "u",
		.tmpdir = "/tmp/t",
		.uid = 1000,
		.environ = (char *const *)variables,
	};
	struct diagnostics diagnostics = {NULL, 0};
	char path[PATH_MAX + 16];
	const char *name = path;
	char line[LINE_SIZE];
	FILE *out;

	policy_free(table->policy);
	table->policy = NULL;
	snprintf(path, sizeof(path), "%s/policy.yaml", table->folder);
	out = fopen(path, "w");
	while (out && fgets(line, sizeof(line), table->in) && strcmp(line, "---\n") != 0) {
		table->line++;
		fputs(line, out);
	}
	table->line++;
	if (!out || fclose(out) != 0 ||
	    policy_load(&name, 1, &context, &table->policy, &diagnostics) < 0) {
		fail(table, "the policy", "a good one", "faults");
		diagnostics_print(&diagnostics, stdout);
	}
	diagnostics_free(&diagnostics);
}

/* ------------------------------------------------------------------------ rows */

static bool is_hex(char c)
{
	return c && strchr("0123456789abcdef", c);
}

static unsigned int hex(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* @DIR@ and \xHH. */
static void expand(const struct table *table, const char *text, char *ret, size_t size)
{
	size_t len = 0;

	while (*text && len + 1 < size) {
		if (!strncmp(text, "@DIR@", 5)) {
			len += (size_t)snprintf(ret + len, size - len, "%s", table->folder);
			text += 5;
		} else if (!strncmp(text, "\\x", 2) && is_hex(text[2]) && is_hex(text[3])) {
			ret[len++] = (char)(hex(text[2]) << 4 | hex(text[3]));
			text += 4;
		} else {
			ret[len++] = *text++;
		}
	}
	ret[len] = '\0';
}

static bool find_op(const char *name, enum access_op *ret_op, enum access_class *ret_class)
{
	for (int op = 0; op < OP_COUNT; op++) {
		if (strcmp(access_op_name((enum access_op)op), name) != 0)
			continue;
		*ret_op = (enum access_op)op;
		*ret_class = op < OP_EXEC      ? CLASS_FILE
			     : op <= OP_MAP    ? CLASS_EXEC
			     : op < OP_SIGNAL  ? CLASS_NETWORK
			     : op < OP_CALL    ? CLASS_PROCESS
					       : CLASS_SYSTEM;
		return true;
	}
	return false;
}

static const char *verdict_word(const struct verdict *verdict)
{
	if (verdict->needs_digest)
		return "digest";
	return verdict->error == ENOENT ? "hidden" : decision_name(verdict->decision);
}

/* "allow 4", "deny -", "deny profile:base:12" (the line counts for a profile only if given). */
static void compare(struct table *table, const char *row, const struct verdict *verdict,
		    const char *expected, const char *rule)
{
	char found[PATH_MAX + 64];
	char wanted[PATH_MAX + 64];

	snprintf(wanted, sizeof(wanted), "%s %s", expected, rule);
	if (!verdict->rule)
		snprintf(found, sizeof(found), "%s -", verdict_word(verdict));
	else if (!strncmp(verdict->rule->file, "profile:", 8))
		snprintf(found, sizeof(found), "%s %s", verdict_word(verdict),
			 verdict->rule->file);
	else
		snprintf(found, sizeof(found), "%s %u", verdict_word(verdict),
			 verdict->rule->line);
	if (strcmp(found, wanted) != 0)
		fail(table, row, wanted, found);
	else if (verdict->error != (verdict->decision == DECISION_ALLOW ? 0
				    : !strcmp(expected, "hidden")       ? ENOENT
									: EACCES))
		fail(table, row, "EACCES, or ENOENT where hidden, unless allowed", "another errno");
	else
		table->passed++;
}

static void compare_words(struct table *table, const char *row, const char *wanted,
			  const char *found)
{
	if (strcmp(found, wanted) != 0)
		fail(table, row, wanted, found);
	else
		table->passed++;
}

static void run_move(struct table *table, const char *row, char **field)
{
	char from[LINE_SIZE], to[LINE_SIZE];
	struct verdict verdict;

	expand(table, field[1], from, sizeof(from));
	expand(table, field[2], to, sizeof(to));
	verdict = policy_decide_move(table->policy, from, to, !strcmp(field[0], "movetree"));
	compare(table, row, &verdict, field[3], field[4]);
}

/* "PATH[|ARGV0[|ARG...]][#SHA256]": what is run, with what, and the digest of the file. */
static void split_exec(char *target, struct access *access, const char **argv)
{
	char *save = NULL;
	char *hash = strchr(target, '#');
	size_t count = 0;

	if (hash) {
		*hash = '\0';
		access->sha256 = hash + 1;
	}
	if (!strchr(target, '|'))
		return;
	access->argv = argv;
	(void)strtok_r(target, "|", &save);
	for (char *at = strtok_r(NULL, "|", &save); at && count < ARGS_MAX;
	     at = strtok_r(NULL, "|", &save))
		argv[count++] = at;
	argv[count] = NULL;
}

/* ENDPOINT, or NAME:PORT, or NAME=ENDPOINT: the name asked for and the address that it has. */
static bool split_endpoint(char *target, struct access *access, struct endpoint *endpoint,
			   char host[HOST_NAME_SIZE])
{
	char *equals = strchr(target, '=');

	access->path = NULL;
	access->endpoint = endpoint;
	if (endpoint_parse_named(endpoint, host, equals ? equals + 1 : target) < 0)
		return false;
	if (equals && host_name_normalise(target, (size_t)(equals - target), host) < 0)
		return false;
	access->host = *host ? host : NULL;
	return true;
}

static void run_access(struct table *table, const char *row, char **field)
{
	const char *argv[ARGS_MAX + 1];
	char target[LINE_SIZE];
	char host[HOST_NAME_SIZE];
	struct access access = {.path = target, .call = target};
	struct endpoint endpoint;
	struct verdict verdict;

	if (!find_op(field[0], &access.op, &access.class)) {
		fail(table, row, "an operation", field[0]);
		return;
	}
	expand(table, field[1], target, sizeof(target));
	if (access.op == OP_EXEC)
		split_exec(target, &access, argv);
	if (access.class == CLASS_NETWORK && access.op != OP_SOCKET &&
	    !split_endpoint(target, &access, &endpoint, host)) {
		fail(table, row, "an endpoint", target);
		return;
	}
	verdict = policy_decide(table->policy, &access);
	compare(table, row, &verdict, field[2], field[3]);
}

static void run_lookup(struct table *table, const char *row, char **field)
{
	const struct verdict verdict = policy_decide_lookup(table->policy, field[1]);

	compare(table, row, &verdict, field[2], field[3]);
}

/* What stands in for a path or an endpoint, or "-". */
static void run_instead(struct table *table, const char *row, char **field)
{
	char target[LINE_SIZE], wanted[LINE_SIZE];
	char found[ENDPOINT_TEXT_MAX + HOST_NAME_SIZE] = "-";
	char host[HOST_NAME_SIZE];
	struct access access = {.class = CLASS_NETWORK, .op = OP_CONNECT};
	struct endpoint endpoint;
	struct policy_target to;
	int result = 0;

	expand(table, field[1], target, sizeof(target));
	expand(table, field[2], wanted, sizeof(wanted));
	if (!strcmp(field[0], "file"))
		result = policy_rewrite_path(table->policy, CLASS_FILE, target, found, NULL);
	else if (!strcmp(field[0], "program"))
		result = policy_rewrite_path(table->policy, CLASS_EXEC, target, found, NULL);
	else if (!strcmp(field[0], "given"))
		result = policy_given_path(table->policy, target, found);
	else if (split_endpoint(target, &access, &endpoint, host) &&
		 policy_rewrite_endpoint(table->policy, &access, &to)) {
		if (to.host)
			snprintf(found, sizeof(found), "%s:%u", to.host, to.endpoint.port);
		else
			endpoint_format(&to.endpoint, found, sizeof(found));
	}
	compare_words(table, row, wanted, result < 0 ? "too-long" : found);
}

static void run_hides(struct table *table, const char *row, char **field)
{
	char target[LINE_SIZE];
	bool found;

	expand(table, field[1], target, sizeof(target));
	found = !strcmp(field[0], "hides") ? policy_hides(table->policy, target) != NULL
					   : policy_hides_entries(table->policy, target);
	compare_words(table, row, field[2], found ? "yes" : "no");
}

static void run_all(struct table *table, const char *row, char **field)
{
	enum access_class class;
	enum access_op op;
	const char *found;

	if (!find_op(field[1], &op, &class)) {
		fail(table, row, "an operation", field[1]);
		return;
	}
	found = policy_allows_all(table->policy, class, op) ? "yes" : "no";
	compare_words(table, row, field[2], found);
}

/* Rows that are not an operation by itself. */
static const struct {
	const char *word;
	size_t fields;
	void (*run)(struct table *table, const char *row, char **field);
} kinds[] = {
	{"move", 5, run_move},	      {"movetree", 5, run_move},     {"all", 3, run_all},
	{"lookup", 4, run_lookup},    {"file", 3, run_instead},      {"program", 3, run_instead},
	{"endpoint", 3, run_instead}, {"given", 3, run_instead},     {"hides", 3, run_hides},
	{"entries", 3, run_hides},
};

static void run_kind(struct table *table, const char *row, char **field, size_t count)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(field[0], kinds[i].word) && count == kinds[i].fields) {
			kinds[i].run(table, row, field);
			return;
		}
	}
	if (count == 4)
		run_access(table, row, field);
	else
		fail(table, row, "OPERATION TARGET VERDICT RULE", "another number of words");
}

static void run_row(struct table *table, char *line)
{
	char row[LINE_SIZE];
	char *field[FIELDS_MAX] = {NULL};
	size_t count = 0;
	char *save = NULL;

	line[strcspn(line, "\n")] = '\0';
	snprintf(row, sizeof(row), "%s", line);
	for (char *at = strtok_r(line, " ", &save); at && count < FIELDS_MAX;
	     at = strtok_r(NULL, " ", &save))
		field[count++] = at;
	if (count == 0 || field[0][0] == '#')
		return;
	if (!strcmp(field[0], "policy"))
		read_policy(table);
	else if (!table->policy)
		fail(table, row, "a policy above", "none");
	else
		run_kind(table, row, field, count);
}

static void run_table(struct table *table)
{
	char line[LINE_SIZE];

	table->in = fopen(table->file, "r");
	if (!table->in) {
		fail(table, "the file", "a readable one", strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), table->in)) {
		table->line++;
		run_row(table, line);
	}
	fclose(table->in);
	policy_free(table->policy);
	table->policy = NULL;
	table->line = 0;
}

/* What the tables say of symbolic links: @DIR@/link -> real, @DIR@/gone -> not/there. */
static bool make_folder(struct table *table)
{
	char made[] = "/tmp/proctor-tables-XXXXXX";
	char path[PATH_MAX + 16];

	if (!mkdtemp(made) || !realpath(made, table->folder))
		return false;
	snprintf(path, sizeof(path), "%s/real", table->folder);
	if (mkdir(path, 0700) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/link", table->folder);
	if (symlink("real", path) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/gone", table->folder);
	return symlink("not/there", path) == 0;
}

static void remove_folder(const struct table *table)
{
	static const char *const names[] = {"policy.yaml", "link", "gone", "real"};
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", table->folder, names[i]);
		remove(path);
	}
	rmdir(table->folder);
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	struct table table = {.file = "tables"};
	char pattern[PATH_MAX];
	glob_t files;

	snprintf(pattern, sizeof(pattern), "%s/tests/decide/*.tests", srcdir ? srcdir : ".");
	if (!make_folder(&table) ||
	    glob(argc > 1 ? argv[1] : pattern, 0, NULL, &files) != 0) {
		perror(pattern);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < files.gl_pathc; i++) {
		table.file = files.gl_pathv[i];
		run_table(&table);
	}
	globfree(&files);
	remove_folder(&table);
	printf("%u passed, %u failed\n", table.passed, table.failed);
	return table.failed || !table.passed ? EXIT_FAILURE : EXIT_SUCCESS;
}
