/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/runner.h"

/* What the tables of tests/decide cannot say. */

static enum decision decide(const struct policy *policy, enum access_op op, const char *path)
{
	struct access access = {op == OP_EXEC ? CLASS_EXEC : CLASS_FILE, op, path, NULL};

	return policy_decide(policy, &access).decision;
}

START_TEST(durations)
{
	static const struct {
		const char *text;
		int result;
		uint64_t ns;
	} rows[] = {
		{"60", 0, 60000000000u},   {"60s", 0, 60000000000u},  {"5m", 0, 300000000000u},
		{"2h", 0, 7200000000000u}, {"1.5s", 0, 1500000000u},  {"200ms", 0, 200000000u},
		{"0", 0, 0},               {"0.25m", 0, 15000000000u}, {"1.000000001", 0, 1000000001u},
		{"18446744073s", 0, 18446744073000000000u},
		{"18446744074s", -EINVAL, 0}, {"99999999999999999999", -EINVAL, 0},
		{"", -EINVAL, 0},          {"s", -EINVAL, 0},         {"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},        {" 1", -EINVAL, 0},        {"1 s", -EINVAL, 0},
		{"1.", -EINVAL, 0},        {".5", -EINVAL, 0},        {"1d", -EINVAL, 0},
		{"1sm", -EINVAL, 0},       {"1e3", -EINVAL, 0},       {"0x10", -EINVAL, 0},
		{"1.0000000001", -EINVAL, 0}, {"inf", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ns = 0;

		ck_assert_msg(policy_parse_duration(rows[i].text, &ns) == rows[i].result, "'%s'",
			      rows[i].text);
		ck_assert_msg(ns == rows[i].ns, "'%s': %llu", rows[i].text, (unsigned long long)ns);
	}
}
END_TEST

START_TEST(merging)
{
	const char *const names[] = {"a.yaml", "b.yaml"};
	struct diagnostics diagnostics = {NULL, 0};
	const struct policy_source *sources;
	struct policy *policy;

	ck_assert_int_eq(mkdir("sub", 0700), 0);
	write_file("sub/base.yaml", "version: 1\nvars: {v: /base}\nlimits: {wall: 1}\n"
				    "files: {read: [\"${v}\", rel], deny: [/d]}\n"
				    "env: {set: {A: base, B: base}}\n", 0);
	write_file("a.yaml", "version: 1\nextends: [sub/base.yaml]\nlimits: {wall: 2}\n"
			     "vars: {v: /over}\nfiles: {write: [/d, /w]}\nenv: {set: {A: a}}\n", 0);
	write_file("b.yaml", "version: 1\nextends: [sub/base.yaml]\nlimits: {wall: 3}\n"
			     "files: {read: [\"!/over\"]}\n", 0);
	ck_assert_int_eq(policy_load(names, 2, &context, &policy, &diagnostics), 0);
	ck_assert_uint_eq(policy_limit(policy, LIMIT_WALL)->value, 3000000000u);
	ck_assert_str_eq(policy_limit(policy, LIMIT_WALL)->rule.file, "b.yaml");
	ck_assert_int_eq(decide(policy, OP_READ, "/over/x"), DECISION_ALLOW);
	ck_assert_int_eq(decide(policy, OP_READ, "/base/x"), DECISION_DENY);
	ck_assert_int_eq(decide(policy, OP_MODIFY, "/w/x"), DECISION_ALLOW);
	ck_assert_int_eq(decide(policy, OP_MODIFY, "/d/x"), DECISION_DENY);
	ck_assert_uint_eq(policy_sources(policy, &sources), 3);
	ck_assert_str_eq(sources[0].file, "sub/base.yaml");
	ck_assert_str_eq(sources[1].file, "a.yaml");
	ck_assert_str_eq(sources[2].file, "b.yaml");
	ck_assert_uint_eq(strlen(sources[0].sha256), 64);
	policy_free(policy);
}
END_TEST

START_TEST(settings)
{
	struct policy *policy = load_good("version: 1\n"
					  "limits: {wall: 60s, cpu: 1.5s, memory: 512M, processes: 50, "
					  "open_files: 256, file_size: 1G, disk: 7, output: 10k}\n"
					  "on_block: kill\nrollback: on-failure\n"
					  "observe: {library: true}\n");
	static const uint64_t values[LIMIT_COUNT] = {
		[LIMIT_WALL] = 60000000000u, [LIMIT_CPU] = 1500000000u,
		[LIMIT_MEMORY] = 512u << 20, [LIMIT_PROCESSES] = 50,
		[LIMIT_OPEN_FILES] = 256,    [LIMIT_FILE_SIZE] = 1u << 30,
		[LIMIT_DISK] = 7,	     [LIMIT_OUTPUT] = 10240,
	};

	for (int i = 0; i < LIMIT_COUNT; i++)
		ck_assert_uint_eq(policy_limit(policy, (enum policy_limit_kind)i)->value, values[i]);
	ck_assert_uint_eq(policy_limit(policy, LIMIT_CPU)->rule.line, 2);
	ck_assert_str_eq(policy_limit(policy, LIMIT_MEMORY)->rule.text, "memory: 512M");
	ck_assert_int_eq(policy_on_block(policy), DECISION_KILL);
	ck_assert_int_eq(policy_rollback(policy), ROLLBACK_ON_FAILURE);
	ck_assert_int_eq(policy_observes_library(policy), LIBRARY_EVENTS);
	policy_free(policy);

	policy = load_good("version: 1\n");
	for (int i = 0; i < LIMIT_COUNT; i++)
		ck_assert_ptr_null(policy_limit(policy, (enum policy_limit_kind)i));
	ck_assert_int_eq(policy_on_block(policy), DECISION_DENY);
	ck_assert_int_eq(policy_rollback(policy), ROLLBACK_NEVER);
	ck_assert_int_eq(policy_observes_library(policy), LIBRARY_NOT);
	policy_free(policy);
}
END_TEST

/* What has no effect asks for nothing; all else that no part enforces is told where it stands. */
START_TEST(what_is_pending)
{
	const struct policy_pending *pending;
	struct policy *policy =
		load_good("version: 1\non_block: deny\nrollback: never\n"
			  "observe: {library: false}\nlimits: {wall: 1}\nfiles: {read: [/]}\n");

	ck_assert_uint_eq(policy_pending(policy, &pending), 0);
	policy_free(policy);
	policy = load_good("version: 1\nrollback: always\nobserve: {library: http}\n");
	ck_assert_int_eq(policy_observes_library(policy), LIBRARY_HTTP);
	ck_assert_uint_eq(policy_pending(policy, &pending), 1);
	ck_assert_str_eq(pending[0].file, "policy.yaml");
	ck_assert_uint_eq(pending[0].line, 2);
	ck_assert_uint_eq(pending[0].column, 11);
	ck_assert_str_eq(pending[0].what, "rollback: always");
	policy_free(policy);
}
END_TEST

START_TEST(digest_of_source)
{
	struct policy *policy = load_good("version: 1\n");
	const struct policy_source *sources;

	ck_assert_uint_eq(policy_sources(policy, &sources), 1);
	ck_assert_str_eq(sources[0].sha256,
			 "09bfcc6a14b83e2192b8673677725c84883ee9cd0c70e45c9ec09daa8f2b2847");
	policy_free(policy);
}
END_TEST

START_TEST(user_profiles)
{
	const char *name = "mine";
	const char *builtin = "agent";
	struct diagnostics diagnostics = {NULL, 0};
	const struct policy_source *sources;
	struct policy *policy;

	context.profile_dir = folder;
	write_file("mine.yaml", "version: 1\nextends: [agent]\n", 0);
	write_file("agent.yaml", "version: 1\nfiles: {read: [rel]}\n", 0);
	ck_assert_int_eq(policy_load(&name, 1, &context, &policy, &diagnostics), 0);
	ck_assert_uint_eq(policy_sources(policy, &sources), 2);
	ck_assert_ptr_nonnull(strstr(sources[0].file, "/agent.yaml"));
	policy_free(policy);
	context.profile_dir = "/nonexistent";
	ck_assert_int_eq(policy_load(&builtin, 1, &context, &policy, &diagnostics), 0);
	ck_assert_uint_eq(policy_sources(policy, &sources), 3);
	ck_assert_str_eq(sources[0].file, "profile:base");
	ck_assert_str_eq(sources[1].file, "profile:secrets");
	ck_assert_str_eq(sources[2].file, "profile:agent");
	policy_free(policy);
	context.profile_dir = NULL;
}
END_TEST

START_TEST(file_without_a_suffix)
{
	const char *name = "plain";
	struct diagnostics diagnostics = {NULL, 0};
	struct policy *policy;

	write_file("plain", "version: 1\n", 0);
	ck_assert_int_eq(policy_load(&name, 1, &context, &policy, &diagnostics), 0);
	policy_free(policy);
}
END_TEST

/* ------------------------------------------------------------------- suggestions */

START_TEST(suggestions)
{
	static const struct {
		enum access_class class;
		enum access_op op;
		const char *target;
		const char *line;
	} rows[] = {
		{CLASS_FILE, OP_READ, "/etc/shadow", "files: {read: [/etc/shadow]}"},
		{CLASS_FILE, OP_CREATE, "/a b", "files: {create: [\"/a b\"]}"},
		{CLASS_FILE, OP_MODIFY, "/a\"b", "files: {modify: [\"/a\\\"b\"]}"},
		{CLASS_FILE, OP_DELETE, "/a*", "files: {delete: [\"/a\\\\*\"]}"},
		{CLASS_FILE, OP_ATTR, "/a\n\x1b\xff", "files: {attr: [\"/a\\\\x0a\\\\x1b\\\\xff\"]}"},
		{CLASS_FILE, OP_READ, "/a\\${x}", "files: {read: [\"/a\\\\\\\\\\\\$\\\\{x\\\\}\"]}"},
		{CLASS_FILE, OP_READ, "/denied/x", ""},
		{CLASS_FILE, OP_READ, "/allowed/x", ""},
		{CLASS_FILE, OP_READ, "/allowed/not", "files: {read: [/allowed/not]}"},
		{CLASS_EXEC, OP_EXEC, "/bin/x", "exec: {allow: [/bin/x]}"},
		{CLASS_NETWORK, OP_CONNECT, "1.2.3.4:5", "network: {connect: [\"1.2.3.4:5\"]}"},
		{CLASS_NETWORK, OP_SEND, "udp:[::1]:5", "network: {connect: [\"udp:[::1]:5\"]}"},
		{CLASS_NETWORK, OP_BIND, "unix:/a*", "network: {bind: [\"unix:/a\\\\*\"]}"},
		{CLASS_NETWORK, OP_LISTEN, "unix:@x", "network: {bind: [\"unix:@x\"]}"},
		{CLASS_NETWORK, OP_SOCKET, NULL, ""},
		{CLASS_PROCESS, OP_SIGNAL, NULL, ""},
		{CLASS_SYSTEM, OP_CALL, NULL, ""},
	};
	static const char start[] = "version: 1\nfiles: {read: [/allowed, \"!/allowed/not\"], "
				    "deny: [/denied]}\n";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy *policy = load_good(start);
		struct access access = {rows[i].class, rows[i].op, rows[i].target, NULL};
		struct endpoint endpoint;
		char line[256];
		char text[512];

		if (rows[i].class == CLASS_NETWORK && rows[i].target) {
			ck_assert_int_eq(endpoint_parse(&endpoint, rows[i].target), 0);
			access.endpoint = &endpoint;
		}
		ck_assert_str_eq(policy_suggest(policy, &access, line, sizeof(line)), rows[i].line);
		policy_free(policy);
		if (!*line)
			continue;
		/* The line does what it says, and for nothing else that is denied. */
		snprintf(text, sizeof(text), "version: 1\n%s\n", line);
		policy = load_good(text);
		ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_ALLOW);
		ck_assert_int_eq(decide(policy, OP_READ, "/other"), DECISION_DENY);
		policy_free(policy);
	}
}
END_TEST

START_TEST(suggestion_is_cut)
{
	struct policy *policy = load_good("version: 1\n");
	struct access access = {CLASS_FILE, OP_READ, "/etc/shadow", NULL};
	char line[8];

	memset(line, 'x', sizeof(line));
	ck_assert_str_eq(policy_suggest(policy, &access, line, 6), "files");
	ck_assert_int_eq(line[6], 'x');
	policy_suggest(policy, &access, line, 1);
	ck_assert_str_eq(line, "");
	policy_free(policy);
}
END_TEST

/* --------------------------------------------------------------- odd endpoints */

START_TEST(endpoints_without_text)
{
	struct policy *policy = load_good("version: 1\nnetwork: {connect: [\"*:*\", \"udp:*:*\", "
					  "\"unix:/\", \"unix:@a*\"], bind: [\"unix:@\"]}\n");
	struct endpoint endpoint = {.transport = TRANSPORT_OTHER, .family = 17};
	struct access access = {CLASS_NETWORK, OP_CONNECT, NULL, &endpoint};

	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_DENY);
	endpoint = (struct endpoint){.transport = TRANSPORT_UNIX_ABSTRACT, .path = "a\0b",
				     .path_len = 3};
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_ALLOW);
	endpoint = (struct endpoint){.transport = TRANSPORT_UNIX_ABSTRACT, .path = "\0a",
				     .path_len = 2};
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_DENY);
	endpoint = (struct endpoint){.transport = TRANSPORT_UNIX, .path = "relative", .path_len = 8};
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_DENY);
	access.endpoint = NULL;
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_DENY);
	/* The name that the kernel chooses (unix(7), autobind). */
	endpoint = (struct endpoint){.transport = TRANSPORT_UNIX_ABSTRACT};
	access = (struct access){CLASS_NETWORK, OP_BIND, NULL, &endpoint};
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_ALLOW);
	/* A class and an operation that do not belong together. */
	access = (struct access){CLASS_FILE, OP_EXEC, "/", NULL};
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_DENY);
	policy_free(policy);
}
END_TEST

/* ------------------------------------------------------------------ environment */

static void expect_environment(const char *text, const char *expected)
{
	const char *const variables[] = {"PATH=/bin", "HOME=/h", "LC_ALL=C", "AWS_KEY=k", "X_TOKEN=t", "EMPTY=",
			     "CI=0", "broken", "=odd", NULL};
	struct policy *policy = load_good(text);
	char **made = policy_environment(policy, (char *const *)variables);
	char joined[512] = "";

	ck_assert_ptr_nonnull(made);
	for (char **entry = made; *entry; entry++) {
		strcat(joined, *entry);
		strcat(joined, " ");
	}
	ck_assert_str_eq(joined, expected);
	policy_environment_free(made);
	policy_free(policy);
}

/* A path that the tool makes as unpleasant as it can: what repeats in it costs nothing more. At a
 * cost that grows with the square of the length this would take a minute. */
START_TEST(paths_that_repeat)
{
	static const char *const pieces[] = {"/a", "/a/b", "/aa"};
	struct policy *policy = load_good("version: 1\nfiles:\n  read:\n"
					  "    - \"**/a/**/a/**/a/**/z\"\n"
					  "    - \"**/{a,b}/**/{a,b}/**/{a,b}/z\"\n"
					  "    - \"**/*a/**/*a/**/a*/**/z\"\n"
					  "    - \"/a/**/a/**\"\n");

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		char path[PATH_MAX] = "/x";

		while (strlen(path) + strlen(pieces[i]) + 3 < sizeof(path))
			strcat(path, pieces[i]);
		for (int n = 0; n < 100; n++)
			ck_assert_int_eq(decide(policy, OP_READ, path), DECISION_DENY);
		strcat(path, "/z");
		ck_assert_int_eq(decide(policy, OP_READ, path), DECISION_ALLOW);
	}
	policy_free(policy);
}
END_TEST

/* Whoever asks about a path that no kernel takes gets no. */
START_TEST(paths_too_long)
{
	struct policy *policy = load_good("version: 1\nfiles: {read: [/]}\n");
	char path[PATH_MAX + 8];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[PATH_MAX - 1] = '\0';
	ck_assert_int_eq(decide(policy, OP_READ, path), DECISION_ALLOW);
	path[PATH_MAX - 1] = 'a';
	path[PATH_MAX] = '\0';
	ck_assert_int_eq(decide(policy, OP_READ, path), DECISION_DENY);
	policy_free(policy);
}
END_TEST

static size_t allocated(void)
{
	const struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

START_TEST(decisions_allocate_nothing)
{
	struct policy *policy = load_good("version: 1\n"
					  "files: {read: [/a, \"**/*.c\", \"!/a/b\"], deny: [\"/a/*\"], "
					  "hide: [/h], rewrite: [{path: /r, to: /a}]}\n"
					  "exec: {allow: [{path: /e, args: [\"**\", x]}]}\n"
					  "network: {connect: [\"*.example:1-9\", \"10.0.0.0/8:*\"]}\n");
	static const char *const argv[] = {"e", "a", "x", NULL};
	static struct endpoint endpoint;
	char host[HOST_NAME_SIZE];
	char to[PATH_MAX];
	size_t before;

	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, "a.example:5"), 0);
	before = allocated();
	for (int i = 0; i < 1000; i++) {
		const struct access exec = {.class = CLASS_EXEC, .op = OP_EXEC, .path = "/e",
					    .argv = argv};
		const struct access connect = {.class = CLASS_NETWORK, .op = OP_CONNECT,
					       .endpoint = &endpoint, .host = host};

		(void)decide(policy, OP_READ, "/a/b/c.c");
		ck_assert_int_eq(policy_decide(policy, &exec).decision, DECISION_ALLOW);
		ck_assert_int_eq(policy_decide(policy, &connect).decision, DECISION_ALLOW);
		ck_assert_ptr_nonnull(policy_hides(policy, "/h/x"));
		ck_assert_int_eq(policy_rewrite_path(policy, CLASS_FILE, "/r/x", to, NULL), 1);
		(void)policy_decide_move(policy, "/a/x", "/a/y", true);
		(void)policy_decide_lookup(policy, host);
	}
	ck_assert_uint_eq(allocated(), before);
	policy_free(policy);
}
END_TEST

static bool binds_site(const struct policy *policy, const char *text)
{
	struct endpoint endpoint;
	char host[HOST_NAME_SIZE];
	const struct access access = {.class = CLASS_NETWORK, .op = OP_CONNECT,
				      .endpoint = &endpoint, .host = host};

	ck_assert_int_eq(endpoint_parse_named(&endpoint, host, text), 0);
	return policy_decide(policy, &access).binds_site;
}

START_TEST(sites)
{
	struct policy *policy = load_good("version: 1\nnetwork:\n"
				     "  connect: [\"a.example:*\", \"tcp:b.example:443\", "
				     "\"tls:*.c.example:1-9\", \"udp:a.example:443\", "
				     "\"d.example:443\", \"1.2.3.4:443\"]\n"
				     "  deny: [\"d.example:443\"]\n"
				     "  rewrite: [{connect: \"e.example:443\", to: \"1.2.3.4:1\"}]\n");

	ck_assert(binds_site(policy, "a.example:443"));
	ck_assert(!binds_site(policy, "a.example:80"));
	ck_assert(!binds_site(policy, "udp:a.example:443"));
	ck_assert(!binds_site(policy, "b.example:443"));
	ck_assert(binds_site(policy, "x.c.example:5"));
	ck_assert(!binds_site(policy, "d.example:443"));
	ck_assert(!binds_site(policy, "e.example:443"));
	ck_assert(!binds_site(policy, "1.2.3.4:443"));
	policy_free(policy);
}
END_TEST

START_TEST(environment)
{
	expect_environment("version: 1\n",
			   "PATH=/bin HOME=/h LC_ALL=C AWS_KEY=k X_TOKEN=t EMPTY= CI=0 ");
	expect_environment("version: 1\nenv: {keep: [PATH, \"LC_*\"]}\n", "PATH=/bin LC_ALL=C ");
	expect_environment("version: 1\nenv: {keep: []}\n", "");
	expect_environment("version: 1\nenv: {drop: [\"*_TOKEN\", \"AWS_*\", CI]}\n",
			   "PATH=/bin HOME=/h LC_ALL=C EMPTY= ");
	expect_environment("version: 1\nenv: {keep: [\"*\"], drop: [\"*\", \"!{PATH,HOME}\"]}\n",
			   "PATH=/bin HOME=/h ");
	expect_environment("version: 1\nenv: {keep: [PATH], drop: [PATH, CI], "
			   "set: {CI: \"1\", W: \"${PWD}/x\", D: \"$5 \\\\${a}\"}}\n",
			   "CI=1 W=/work/p/x D=$5 ${a} ");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide");
	TCase *tests = tcase_create("decide");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, durations);
	tcase_add_test(tests, merging);
	tcase_add_test(tests, digest_of_source);
	tcase_add_test(tests, settings);
	tcase_add_test(tests, what_is_pending);
	tcase_add_test(tests, paths_that_repeat);
	tcase_add_test(tests, paths_too_long);
	tcase_add_test(tests, decisions_allocate_nothing);
	tcase_add_test(tests, user_profiles);
	tcase_add_test(tests, file_without_a_suffix);
	tcase_add_test(tests, suggestions);
	tcase_add_test(tests, suggestion_is_cut);
	tcase_add_test(tests, endpoints_without_text);
	tcase_add_test(tests, sites);
	tcase_add_test(tests, environment);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
