/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a policy costs: the processor time to load it (file, YAML, links and all), the memory that it
 * takes, and the time of one decision, at 10, 1,000 and 10,000 rules of all kinds. No process is run.
 * Prints one line a size, and then what paths made to hurt cost by their length.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "policy/policy.h"

/* What a call asks about was written just before: a path is copied before its decision is timed, and
 * of endpoints, which are large, there are few, so that the processor's caches hold them. */
enum { TARGETS = 4096, ENDPOINTS = 64, SAMPLES = 65536, LOADS = 7 };

static uint64_t read_clock(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return *left < *right ? -1 : *left > *right;
}

static uint64_t quantile(uint64_t *values, size_t count, double part)
{
	qsort(values, count, sizeof(*values), compare);
	return values[(size_t)((double)(count - 1) * part)];
}

static uint32_t pick(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* ------------------------------------------------------------------------- rules */

/* What people write, by how often: folders, files, names anywhere, endings anywhere, endings in a
 * folder, projects of a home folder, alternatives, beginnings. "#" is the rule's number. With each a
 * path that it covers, and one that no rule does. */
static const struct shape {
	const char *rule;
	const char *covered;
	const char *other;
} shapes[] = {
	{"/usr/share/package#/data", "/usr/share/package#/data/locale/de/messages.mo",
	 "/usr/share/packages#/data/messages.mo"},
	{"/opt/application#/bin/tool#", "/opt/application#/bin/tool#",
	 "/opt/application#/sbin/tool#"},
	{"/srv/site#/htdocs/static", "/srv/site#/htdocs/static/images/logo.png",
	 "/srv/site#/htdocs/dynamic/index.php"},
	{"/var/lib/service#/state", "/var/lib/service#/state/journal/000001.log",
	 "/var/lib/service#/journal/000001.log"},
	{"**/secret#.conf", "/home/u/work/deep/er/and/deeper/secret#.conf",
	 "/home/u/work/deep/er/and/deeper/public#.conf"},
	{"**/*.ending#", "/home/u/work/report.ending#", "/home/u/work/report.end#"},
	{"/opt/application#/lib/*.so", "/opt/application#/lib/libplugin.so",
	 "/usr/lib/x86_64-linux-gnu/libresolv#.so.2"},
	{"/home/u/*/project#/**", "/home/u/src/project#/include/header.h",
	 "/home/u/src/other#/node_modules/package/a.js"},
	{"/srv/{a,b}#/{read,write}", "/srv/b#/read", "/srv/c#/read"},
	{"/home/u/cache/prefix#-*", "/home/u/cache/prefix#-entry", "/home/u/cache/suffix-#"},
};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]), PATH_SIZE = 128 };

static const char *numbered(const char *text, unsigned int number, char ret[PATH_SIZE])
{
	size_t len = 0;

	for (; *text && len + 12 < PATH_SIZE; text++) {
		if (*text == '#')
			len += (size_t)snprintf(ret + len, PATH_SIZE - len, "%u", number);
		else
			ret[len++] = *text;
	}
	ret[len] = '\0';
	return ret;
}

static void write_rules(FILE *out, unsigned int count)
{
	static const char *const lists[] = {"read", "write", "deny"};

	fputs("version: 1\nfiles:\n", out);
	for (unsigned int list = 0; list < 3; list++) {
		fprintf(out, "  %s:\n", lists[list]);
		for (unsigned int i = list; i < count - count / 10; i += 3) {
			char rule[PATH_SIZE];

			fprintf(out, "    - \"%s\"\n",
				numbered(shapes[i / 3 % SHAPES].rule, i, rule));
		}
	}
	fputs("network:\n  connect:\n", out);
	for (unsigned int i = 0; i < count / 10; i++) {
		if (i % 2)
			fprintf(out, "    - \"host%u.example.com:443\"\n", i);
		else
			fprintf(out, "    - \"10.%u.%u.0/24:443,8000-8999\"\n", i / 256 % 256, i % 256);
	}
}

static struct policy *load(const char *path)
{
	const struct policy_context context = {
		.home = "/home/u", .cwd = "/work", .user = "u", .tmpdir = "/tmp",
	};
	struct diagnostics diagnostics = {NULL, 0};
	struct policy *policy = NULL;

	if (policy_load(&path, 1, &context, &policy, &diagnostics) < 0) {
		diagnostics_print(&diagnostics, stderr);
		exit(EXIT_FAILURE);
	}
	diagnostics_free(&diagnostics);
	return policy;
}

static size_t allocated(void)
{
	const struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* --------------------------------------------------------------------- decisions */

static uint64_t clock_cost(void)
{
	uint64_t costs[1001];

	for (size_t i = 0; i < 1001; i++) {
		const uint64_t start = now();

		costs[i] = now() - start;
	}
	return quantile(costs, 1001, 0.5);
}

/* Every decision is timed by itself; what the clock costs is taken off. */
static void measure(const struct policy *policy, const struct access *accesses, size_t count,
		    const char *what)
{
	static uint64_t times[SAMPLES];
	const uint64_t clock = clock_cost();
	unsigned int allowed = 0;

	for (size_t i = 0; i < SAMPLES; i++) {
		struct access access = accesses[pick() % count];
		char path[PATH_SIZE];
		struct verdict verdict;
		uint64_t start, took;

		if (access.path) {
			snprintf(path, sizeof(path), "%s", access.path);
			access.path = path;
		}
		start = now();
		verdict = policy_decide(policy, &access);
		took = now() - start;

		times[i] = took > clock ? took - clock : 0;
		allowed += verdict.decision == DECISION_ALLOW;
	}
	printf(" %s %llu ns (p99 %llu, %u%% allowed)", what,
	       (unsigned long long)quantile(times, SAMPLES, 0.5),
	       (unsigned long long)quantile(times, SAMPLES, 0.99),
	       100 * allowed / (SAMPLES));
}

static void measure_paths(const struct policy *policy, unsigned int rules)
{
	static char paths[TARGETS][PATH_SIZE];
	static struct access accesses[TARGETS];

	for (size_t i = 0; i < TARGETS; i++) {
		const unsigned int rule = pick() % (rules - rules / 10);
		const struct shape *shape = &shapes[rule / 3 % SHAPES];

		(void)numbered(pick() % 2 ? shape->covered : shape->other, rule, paths[i]);
		accesses[i] = (struct access){
			.class = CLASS_FILE,
			.op = pick() % 2 ? OP_READ : OP_MODIFY,
			.path = paths[i],
		};
	}
	measure(policy, accesses, TARGETS, "path");
}

static void measure_endpoints(const struct policy *policy, unsigned int rules)
{
	static struct endpoint endpoints[ENDPOINTS];
	static char hosts[ENDPOINTS][HOST_NAME_SIZE];
	static struct access accesses[ENDPOINTS];

	for (size_t i = 0; i < ENDPOINTS; i++) {
		const unsigned int number = pick() % (rules / 5 + 1); /* a half have a rule */
		char text[64];

		snprintf(text, sizeof(text), "10.%u.%u.7:8080", number / 256 % 256, number % 256);
		endpoint_parse(&endpoints[i], text);
		if (i % 2)
			endpoints[i].port = 443;
		snprintf(hosts[i], sizeof(hosts[i]), "host%u.example.com", number);
		accesses[i] = (struct access){
			.class = CLASS_NETWORK,
			.op = OP_CONNECT,
			.endpoint = &endpoints[i],
			.host = i % 2 ? hosts[i] : NULL,
		};
	}
	measure(policy, accesses, ENDPOINTS, "endpoint");
}

static void measure_rules(const char *path, unsigned int rules)
{
	uint64_t times[LOADS];
	struct policy *policy = NULL;
	size_t before = 0;
	FILE *out = fopen(path, "w");

	if (!out)
		exit(EXIT_FAILURE);
	write_rules(out, rules);
	if (fclose(out) != 0)
		exit(EXIT_FAILURE);
	for (size_t i = 0; i < LOADS; i++) {
		uint64_t start;

		policy_free(policy);
		before = allocated();
		start = read_clock(CLOCK_PROCESS_CPUTIME_ID);
		policy = load(path);
		times[i] = read_clock(CLOCK_PROCESS_CPUTIME_ID) - start;
	}
	printf("%6u rules: load %.2f ms, %zu KiB,", rules,
	       (double)quantile(times, LOADS, 0.5) / 1e6, (allocated() - before) / 1024);
	measure_paths(policy, rules);
	putchar(',');
	measure_endpoints(policy, rules);
	putchar('\n');
	policy_free(policy);
}

/* ------------------------------------------------------------------- what hurts */

static const struct {
	const char *pattern;
	const char *piece; /* of which the path is made */
} hard[] = {
	{"**/a/**/a/**/a/**/b", "/a"},
	{"/**/a*a*a*a*b/**/x", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	{"**/{a,b}/**/{a,b}/**/{a,b}/c", "/b/a"},
	{"**/*a*/**/*a*/**/*a*/**/*a*/**/z", "/aa"},
};

static void measure_hard(const char *path, const char *pattern, const char *piece)
{
	static const size_t lengths[] = {64, 512, 4000};
	struct policy *policy;
	FILE *out = fopen(path, "w");

	if (!out)
		exit(EXIT_FAILURE);
	fprintf(out, "version: 1\nfiles: {read: [\"%s\"]}\n", pattern);
	fclose(out);
	policy = load(path);
	printf("%s:", pattern);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char target[4096] = "";
		const struct access access = {.class = CLASS_FILE, .path = target};
		uint64_t times[101];

		while (strlen(target) + strlen(piece) <= lengths[i])
			strcat(target, piece);
		for (size_t n = 0; n < 101; n++) {
			const uint64_t start = now();

			(void)policy_decide(policy, &access);
			times[n] = now() - start;
		}
		printf(" %zu bytes %llu ns", strlen(target),
		       (unsigned long long)quantile(times, 101, 0.5));
	}
	putchar('\n');
	policy_free(policy);
}

int main(void)
{
	char path[] = "/tmp/proctor-bench-XXXXXX.yaml";
	const int fd = mkstemps(path, 5);

	if (fd < 0) {
		perror(path);
		return EXIT_FAILURE;
	}
	close(fd);
	measure_rules(path, 10);
	measure_rules(path, 1000);
	measure_rules(path, 10000);
	for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
		measure_hard(path, hard[i].pattern, hard[i].piece);
	unlink(path);
	return EXIT_SUCCESS;
}
