/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libFuzzer: a policy's text is loaded, and what loads is asked. `make fuzz`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy.h"

static char path[] = "/dev/shm/proctor-fuzz-XXXXXX"; /* in memory: it is written again and again */
static FILE *nowhere;

static const char *const targets[] = {
	"/", "/a", "/a/b/c", "/usr/bin/x", "/work/p/.env", "/proc/self/maps", "/home/u/.ssh/id_rsa",
};

/* The verdict is what follows from the rules that match, looked up one by one. */
static void compare(const struct policy *policy, const struct access *access)
{
	enum { SIZE = 64 };
	struct policy_match matches[SIZE];
	const struct verdict verdict = policy_decide(policy, access);
	size_t count = policy_matches(policy, access, matches, SIZE);
	bool kinds[MATCH_REWRITES + 1] = {false};
	bool denied;

	if (count > SIZE)
		return;
	for (size_t i = 0; i < count; i++)
		if (!matches[i].taken && !matches[i].unmet)
			kinds[matches[i].kind] = true;
	denied = kinds[MATCH_HIDES] || kinds[MATCH_DENIES] ||
		 !(kinds[MATCH_ALLOWS] || kinds[MATCH_REWRITES]);
	/* A rewrite of a path needs a grant as well. */
	if (verdict.decision == DECISION_DENY
		    ? !denied && kinds[MATCH_ALLOWS]
		    : denied || (verdict.decision == DECISION_REWRITE) != kinds[MATCH_REWRITES])
		abort();
}

static void ask(const struct policy *policy, const char *target)
{
	char line[128];

	for (int op = OP_READ; op <= OP_EXEC; op++) {
		struct access access = {op == OP_EXEC ? CLASS_EXEC : CLASS_FILE, (enum access_op)op,
					target, NULL};
		struct verdict verdict = policy_decide(policy, &access);
		bool allowed = verdict.decision == DECISION_ALLOW;

		/* What can never be refused is not. */
		if (policy_allows_all(policy, access.class, access.op) && !allowed)
			abort();
		policy_suggest(policy, &access, line, sizeof(line));
		if (allowed && *line)
			abort();
		policy_suggest_exception(&access, line, sizeof(line));
		compare(policy, &access);
	}
}

static void ask_endpoint(const struct policy *policy, const char *text)
{
	struct endpoint endpoint;
	struct access access = {CLASS_NETWORK, OP_CONNECT, NULL, &endpoint};

	if (endpoint_parse(&endpoint, text) == 0)
		compare(policy, &access);
}

static void ask_all(const struct policy *policy)
{
	size_t count = sizeof(targets) / sizeof(targets[0]);

	for (size_t i = 0; i < count; i++) {
		ask(policy, targets[i]);
		for (size_t j = 0; j < count; j++)
			(void)policy_decide_move(policy, targets[i], targets[j], j % 2);
	}
	ask_endpoint(policy, "0.0.0.0:80");
	ask_endpoint(policy, "udp:[::1]:53");
	ask_endpoint(policy, "unix:/run/x");
	ask_endpoint(policy, "unix:@name");
}

static void remove_file(void)
{
	unlink(path);
	fclose(nowhere);
}

/* What tests/fuzz/replay.c starts from. */
extern const char *const fuzz_corpus[];
const char *const fuzz_corpus[] = {"policy/profiles", "tests/policy", NULL};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd = mkstemp(path);

	(void)argc;
	(void)argv;
	nowhere = fopen("/dev/null", "w");
	if (fd < 0 || !nowhere)
		abort();
	close(fd);
	atexit(remove_file);
	return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const struct policy_context context = {
		.home = "/home/u", .cwd = "/work/p", .user = "u", .tmpdir = "/tmp/t",
	};
	struct diagnostics diagnostics = {NULL, 0};
	const char *name = path;
	struct policy *policy;
	FILE *out = fopen(path, "w");

	if (!out || fwrite(data, 1, size, out) != size || fclose(out) != 0)
		abort();
	if (policy_load(&name, 1, &context, &policy, &diagnostics) == 0) {
		ask_all(policy);
		policy_lint(policy, &context, &diagnostics);
		policy_free(policy);
	} else if (diagnostics.count == 0) {
		abort();
	}
	diagnostics_print(&diagnostics, nowhere);
	diagnostics_free(&diagnostics);
	return 0;
}
