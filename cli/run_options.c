/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run_options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/metrics_server.h"
#include "policy/policy.h"

enum {
	OPTION_LOG = 256,
	OPTION_OBSERVE,
	OPTION_OBSERVE_LIB,
	OPTION_TIMEOUT,
	OPTION_STATS,
	OPTION_ROTATE,
	OPTION_LOG_LIMIT,
	OPTION_RESULT,
	OPTION_STACK,
	OPTION_NO_STACK,
	OPTION_METRICS,
	OPTION_METRICS_LISTEN,
	OPTION_USER,
};

enum { HELPED = -1 };

static const struct option options[] = {
	{"policy", required_argument, NULL, 'p'},
	{"audit", required_argument, NULL, 'o'},
	{"rotate", required_argument, NULL, OPTION_ROTATE},
	{"log", required_argument, NULL, OPTION_LOG},
	{"log-limit", required_argument, NULL, OPTION_LOG_LIMIT},
	{"observe", no_argument, NULL, OPTION_OBSERVE},
	{"observe-lib", optional_argument, NULL, OPTION_OBSERVE_LIB},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"result", required_argument, NULL, OPTION_RESULT},
	{"stack", no_argument, NULL, OPTION_STACK},
	{"no-stack", no_argument, NULL, OPTION_NO_STACK},
	{"metrics", required_argument, NULL, OPTION_METRICS},
	{"metrics-listen", required_argument, NULL, OPTION_METRICS_LISTEN},
	{"stats", no_argument, NULL, OPTION_STATS},
	{"user", required_argument, NULL, OPTION_USER},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: proctor run [-p POLICY]... [OPTION]... [--] COMMAND [ARG...]\n"
	"Runs COMMAND; what the policy does not allow is refused and logged.\n"
	"\n"
	"  -p, --policy POLICY  a policy file or a profile; may repeat; default: agent\n"
	"  -o, --audit FILE     where the log goes: a file, - for standard error, unix:PATH for a\n"
	"                       stream socket, syslog: or journal: for the system's own; may\n"
	"                       repeat; default: audit.jsonl in the session's folder\n"
	"      --rotate S[,N]   begin a new log file when one has reached S (10M), and keep the\n"
	"                       last N (8) as FILE.1, FILE.2...\n"
	"      --log-limit S    end the run when it has added S to a log file: 10M, 0 for no limit;\n"
	"                       default: 1G, without --rotate\n"
	"      --log LEVEL      blocked (default), rewritten, or all mediated calls\n"
	"      --observe        refuse nothing that the policy is asked about; log what would\n"
	"                       have been blocked\n"
	"      --observe-lib    also log what COMMAND asks of libraries (getenv of secrets,\n"
	"                       getaddrinfo, dlopen, system, popen), by a library within it;\n"
	"                       --observe-lib=http: and start lines of HTTP within TLS\n"
	"      --timeout D      end the run after D: 90, 60s, 5m\n"
	"      --result FILE    write what came of the run as one JSON object; standard output and\n"
	"                       error of COMMAND are pipes then, and kept in it up to 64 KiB each\n"
	"      --no-stack       do not record the stack of the thread on each blocked attempt\n"
	"      --stats          print counts and latencies of mediated calls at the end\n"
	"      --metrics FILE   write figures in the text format of Prometheus, every 5 s and at the end\n"
	"      --metrics-listen A\n"
	"                       serve the same at http://A/metrics while COMMAND runs; A is an address and\n"
	"                       port (127.0.0.1:9477) or only a port, which is this host's alone\n"
	"      --user NAME      started as root: supervisor and tool run as this user\n"
	"  -q, --quiet          no summary of blocked attempts; with --result, output is only kept\n"
	"  -v, --verbose        say which policies, session and log\n"
	"      --help           print this\n"
	"\n"
	"Exit status: that of COMMAND; 128+N when signal N ended it; 124 after --timeout; 125 when\n"
	"proctor itself failed; 126 when COMMAND cannot be executed; 127 when it was not found.\n";

static int parse_level(const char *text, enum audit_level *ret)
{
	static const char *const names[] = {"blocked", "rewritten", "all"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*ret = (enum audit_level)i;
			return 0;
		}
	}
	return usage_error("run", "--log takes blocked, rewritten or all, not '%s'", text);
}

/* A number with a unit. Returns what follows it; NULL: it is none. */
static const char *parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "kMG";
	const char *unit;
	char *end;

	errno = 0;
	if (!isdigit((unsigned char)*text))
		return NULL;
	*ret = strtoull(text, &end, 10);
	if (errno || *ret > 1ULL << 50)
		return NULL;
	unit = *end ? strchr(units, *end) : NULL;
	if (!unit)
		return end;
	if (*ret > 1ULL << (50 - 10 * (unit - units + 1)))
		return NULL;
	*ret <<= 10 * (unit - units + 1);
	return end + 1;
}

/* SIZE[,COUNT] */
static int parse_rotate(const char *text, struct run_options *ret)
{
	const char *rest = parse_size(text, &ret->rotate_size);
	char *end = NULL;
	long count = 8;

	if (rest && *rest == ',') {
		count = strtol(rest + 1, &end, 10);
		rest = end == rest + 1 ? NULL : end;
	}
	if (!rest || *rest || ret->rotate_size == 0 || count < 1 || count > 1000)
		return usage_error("run", "--rotate takes a size and how many files to keep "
					  "(10M, 1G,20), not '%s'",
				   text);
	ret->rotate_count = (unsigned int)count;
	return 0;
}

static int parse_log_limit(const char *text, struct run_options *ret)
{
	const char *rest = parse_size(text, &ret->log_limit);

	if (!rest || *rest)
		return usage_error("run", "--log-limit takes a size (10M, 1G; 0 for no limit), not '%s'",
				   text);
	ret->log_limited = true;
	return 0;
}

/* One option. 0 to go on, else the exit code. */
static int take_option(int option, struct run_options *ret)
{
	switch (option) {
	case 'p':
		ret->policies[ret->policy_count++] = optarg;
		return 0;
	case 'o':
		ret->audits[ret->audit_count++] = optarg;
		return 0;
	case OPTION_ROTATE:
		return parse_rotate(optarg, ret);
	case OPTION_LOG_LIMIT:
		return parse_log_limit(optarg, ret);
	case OPTION_LOG:
		return parse_level(optarg, &ret->level);
	case OPTION_RESULT:
		ret->result = optarg;
		return 0;
	case OPTION_STACK:
	case OPTION_NO_STACK:
		ret->no_stacks = option == OPTION_NO_STACK;
		return 0;
	case OPTION_METRICS:
		ret->metrics = optarg;
		return 0;
	case OPTION_METRICS_LISTEN:
		if (!metrics_server_built())
			return usage_error("run", "--metrics-listen: this proctor was built without "
						  "libmicrohttpd");
		ret->metrics_listen = optarg;
		return 0;
	case OPTION_OBSERVE:
		ret->observe = true;
		return 0;
	case OPTION_OBSERVE_LIB:
		if (optarg && strcmp(optarg, "http") != 0)
			return usage_error("run", "--observe-lib takes nothing or http, not '%s'", optarg);
		ret->library = optarg ? LIBRARY_HTTP : LIBRARY_EVENTS;
		return 0;
	case OPTION_TIMEOUT:
		if (policy_parse_duration(optarg, &ret->timeout_ns) < 0 || ret->timeout_ns == 0)
			return usage_error("run", "--timeout takes a duration (90, 60s, 5m), not '%s'",
					   optarg);
		return 0;
	case OPTION_STATS:
		ret->stats = true;
		return 0;
	case OPTION_USER:
		ret->user = optarg;
		return 0;
	case 'q':
		ret->quiet = true;
		return 0;
	case 'v':
		ret->verbose = true;
		return 0;
	case 'h':
		fputs(help_text, stdout);
		return HELPED;
	default:
		return EXIT_PROCTOR_FAILED;
	}
}

/* As run_options_parse(), but 0: go on. */
static int parse(int argc, char **argv, struct run_options *ret)
{
	int option;
	int code = 0;

	ret->policies = calloc((size_t)argc, sizeof(*ret->policies));
	ret->audits = calloc((size_t)argc, sizeof(*ret->audits));
	if (!ret->policies || !ret->audits)
		return usage_error("run", "out of memory");
	while (code == 0 && (option = getopt_long(argc, argv, "+p:o:qv", options, NULL)) != -1)
		code = take_option(option, ret);
	return code == 0 && optind == argc ? usage_error("run", "expected a command") : code;
}

bool run_options_parse(int argc, char **argv, struct run_options *ret, int *ret_code)
{
	*ret_code = parse(argc, argv, ret);
	if (*ret_code == HELPED)
		*ret_code = finish_output(0);
	else if (*ret_code == 0)
		return true;
	run_options_clear(ret);
	return false;
}

void run_options_clear(struct run_options *run_options)
{
	free(run_options->policies);
	free(run_options->audits);
	*run_options = (struct run_options){0};
}
