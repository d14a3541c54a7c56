/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/log_key.h"
#include "cli/run_metrics.h"
#include "cli/run_result.h"
#include "cli/session_folder.h"
#include "cli/summary.h"
#include "cli/terminal.h"
#include "core/cleanup.h"
#include "supervisor/run.h"
#include "supervisor/stats.h"

enum { OUTPUT_LIMIT = 64 * 1024 };

/* A tool can have hundreds of megabytes logged in a second, each attempt a record. */
static const uint64_t log_limit_default = 1ULL << 30;

enum {
	OPTION_LOG = 256,
	OPTION_OBSERVE,
	OPTION_TIMEOUT,
	OPTION_STATS,
	OPTION_ROTATE,
	OPTION_LOG_LIMIT,
	OPTION_RESULT,
	OPTION_STACK,
	OPTION_NO_STACK,
	OPTION_METRICS,
	OPTION_USER,
};

static const struct option options[] = {
	{"policy", required_argument, NULL, 'p'},
	{"audit", required_argument, NULL, 'o'},
	{"rotate", required_argument, NULL, OPTION_ROTATE},
	{"log", required_argument, NULL, OPTION_LOG},
	{"log-limit", required_argument, NULL, OPTION_LOG_LIMIT},
	{"observe", no_argument, NULL, OPTION_OBSERVE},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"result", required_argument, NULL, OPTION_RESULT},
	{"stack", no_argument, NULL, OPTION_STACK},
	{"no-stack", no_argument, NULL, OPTION_NO_STACK},
	{"metrics", required_argument, NULL, OPTION_METRICS},
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
	"      --timeout D      end the run after D: 90, 60s, 5m\n"
	"      --result FILE    write what came of the run as one JSON object; standard output and\n"
	"                       error of COMMAND are pipes then, and kept in it up to 64 KiB each\n"
	"      --no-stack       do not record the stack of the thread on each blocked attempt\n"
	"      --stats          print counts and latencies of mediated calls at the end\n"
	"      --metrics FILE   write figures in the text format of Prometheus, every 5 s and at the end\n"
	"      --user NAME      started as root: supervisor and tool run as this user\n"
	"  -q, --quiet          no summary of blocked attempts; with --result, output is only kept\n"
	"  -v, --verbose        say which policies, session and log\n"
	"      --help           print this\n"
	"\n"
	"Exit status: that of COMMAND; 128+N when signal N ended it; 124 after --timeout; 125 when\n"
	"proctor itself failed; 126 when COMMAND cannot be executed; 127 when it was not found.\n";

struct run_options {
	const char **policies;
	size_t policy_count;
	const char **audits;
	size_t audit_count;
	uint64_t rotate_size;
	unsigned int rotate_count;
	const char *user;
	uint64_t log_limit;
	bool log_limited; /* said on the command line */
	enum audit_level level;
	const char *result;
	const char *metrics;
	bool observe;
	bool no_stacks;
	bool stats;
	bool quiet;
	bool verbose;
	uint64_t timeout_ns;
};

/* What run_config.finished needs; the supervisor is forked off with it. */
static struct run_options chosen;
static struct atomic_file metrics = ATOMIC_FILE_CLOSED;
static struct atomic_file results[] = {ATOMIC_FILE_CLOSED, ATOMIC_FILE_CLOSED};

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
	case OPTION_OBSERVE:
		ret->observe = true;
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
	default:
		return EXIT_PROCTOR_FAILED;
	}
}

static bool is_program(const char *path)
{
	struct stat stat_buf;

	return stat(path, &stat_buf) == 0 && S_ISREG(stat_buf.st_mode) && access(path, X_OK) == 0;
}

/* As execvp(3) looks for it. Returns the path (free()), or NULL with errno ENOENT or EACCES. */
static char *find_program(const char *name)
{
	const char *search = getenv("PATH");
	bool found = false;

	if (strchr(name, '/'))
		return strdup(name);
	for (const char *at = search ? search : "/bin:/usr/bin"; at;) {
		const size_t len = strcspn(at, ":");
		AUTO_FREE char *path = NULL;

		if (asprintf(&path, "%.*s%s%s", (int)len, at, len ? "/" : "./", name) < 0) {
			path = NULL;
			return NULL;
		}
		if (is_program(path))
			return TAKE_PTR(path);
		found = found || access(path, F_OK) == 0;
		at = at[len] ? at + len + 1 : NULL;
	}
	errno = found ? EACCES : ENOENT;
	return NULL;
}

static int not_found(const char *name)
{
	const int code = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
	const char *why = strerror(errno);

	fputs("proctor: ", stderr);
	terminal_print(stderr, name, SIZE_MAX);
	fprintf(stderr, ": %s\n", code == EXIT_NOT_FOUND ? "command not found" : why);
	return code;
}

static void say(const char *what, const char *value)
{
	fprintf(stderr, "proctor: %s ", what);
	terminal_print(stderr, value, SIZE_MAX);
	fputc('\n', stderr);
}

static void progress(const struct run_config *config, const struct run_outcome *outcome)
{
	run_metrics_write(config, outcome, &metrics, false);
}

static void say_limit(const struct run_outcome *outcome)
{
	fputs("proctor: the limit ", stderr);
	terminal_print(stderr, outcome->limit_rule->text, SIZE_MAX);
	fputs(" (", stderr);
	terminal_print(stderr, outcome->limit_rule->file, SIZE_MAX);
	fprintf(stderr, ":%u) was reached; the tool was killed\n", outcome->limit_rule->line);
}

static void finished(const struct run_config *config, const struct run_outcome *outcome)
{
	const int flags = terminal_reclaim(STDERR_FILENO);

	if (outcome->failure) {
		say("failed:", outcome->failure);
		if (outcome->audit && audit_failure(outcome->audit))
			fputs("proctor: the log could not be written, so the tool was ended\n", stderr);
	}
	if (outcome->audit && audit_dropped(outcome->audit))
		fprintf(stderr,
			"proctor: %" PRIu64 " records of calls that were not refused are not in the log, "
			"which did not take them in time\n",
			audit_dropped(outcome->audit));
	if (outcome->timed_out && !chosen.quiet)
		fprintf(stderr, "proctor: the time limit of %g s was reached; the tool was ended\n",
			(double)config->wall_limit_ns / 1e9);
	else if (outcome->limit && !chosen.quiet)
		say_limit(outcome);
	if (outcome->killed && !chosen.quiet)
		fputs("proctor: the tool was killed for a blocked call (on_block: kill)\n", stderr);
	if (outcome->audit && !chosen.quiet)
		summary_print(stderr, outcome->audit, colour_wanted(stderr));
	if (outcome->audit && chosen.verbose) {
		for (size_t i = 0; audit_target(outcome->audit, i); i++)
			say("log:", audit_target(outcome->audit, i));
	}
	if (chosen.stats && outcome->stats)
		stats_print(outcome->stats, stderr);
	run_metrics_write(config, outcome, &metrics, true);
	run_result_write(config, outcome, results, sizeof(results) / sizeof(results[0]));
	if (flags >= 0)
		fcntl(STDERR_FILENO, F_SETFL, flags);
}

/* What a run needs, found out before it starts. Owned. */
struct plan {
	struct policy *policy;
	struct policy_context context;
	char id[SESSION_ID_SIZE];
	char *state_folder;
	char *key_file;       /* NULL: the log is not signed */
	char *session_folder; /* NULL: the log goes elsewhere */
	char *program;
	char **environment;   /* as policy_environment() gave it */
	char **tool_environment; /* the same, and the session's id */
	char *session_variable;
};

static void plan_release(struct plan *plan)
{
	free(plan->tool_environment);
	free(plan->session_variable);
	policy_environment_free(plan->environment);
	free(plan->program);
	free(plan->session_folder);
	free(plan->key_file);
	free(plan->state_folder);
	policy_context_clear(&plan->context);
	policy_free(plan->policy);
}
#define AUTO_PLAN __attribute__((cleanup(plan_release)))

/* What the policy leaves of our environment, and the session's id. */
static int plan_environment(struct plan *plan, struct error *err)
{
	static const char name[] = "PROCTOR_SESSION=";
	size_t count = 0;

	plan->environment = policy_environment(plan->policy, environ);
	if (asprintf(&plan->session_variable, "%s%s", name, plan->id) < 0)
		plan->session_variable = NULL;
	while (plan->environment && plan->environment[count])
		count++;
	plan->tool_environment = calloc(count + 2, sizeof(char *));
	if (!plan->environment || !plan->session_variable || !plan->tool_environment)
		return error_set(err, ENOMEM, "environment");
	count = 0;
	for (char **variable = plan->environment; *variable; variable++) {
		if (strncmp(*variable, name, strlen(name)) != 0)
			plan->tool_environment[count++] = *variable;
	}
	plan->tool_environment[count] = plan->session_variable;
	return 0;
}

static int plan_session(struct plan *plan, bool with_folder, struct error *err)
{
	int error = policy_context_init(&plan->context, err);

	if (error < 0 || session_id_new(plan->id, err) < 0)
		return -1;
	plan->key_file = log_key_path(plan->context.profile_dir);
	if (plan->key_file && access(plan->key_file, F_OK) < 0) {
		free(plan->key_file);
		plan->key_file = NULL;
	}
	plan->state_folder = session_state_folder(plan->context.home, err);
	if (!plan->state_folder)
		return -1;
	if (!with_folder)
		return 0;
	plan->session_folder = session_folder_new(plan->state_folder, plan->id, err);
	return plan->session_folder ? 0 : -1;
}

/* What nobody enforces is refused: nobody must think that it holds. True: nothing is. */
static bool can_enforce(const struct policy *policy)
{
	const struct policy_pending *pending;
	const size_t count = policy_pending(policy, &pending);

	for (size_t i = 0; i < count; i++) {
		terminal_print(stderr, pending[i].file, SIZE_MAX);
		fprintf(stderr, ":%u:%u: this version cannot enforce %s yet; take it out to run "
				"without it\n",
			pending[i].line, pending[i].column, pending[i].what);
	}
	return count == 0;
}

/* Found now, so that what the tool makes of the names above leads nowhere else. */
static int open_outputs(const struct run_options *run_options, const struct plan *plan,
			struct error *err)
{
	AUTO_FREE char *own = NULL;

	if (run_options->metrics && atomic_file_open(&metrics, run_options->metrics, err) < 0)
		return -1;
	if (run_options->result && atomic_file_open(&results[0], run_options->result, err) < 0)
		return -1;
	if (!plan->session_folder)
		return 0;
	if (asprintf(&own, "%s/result.json", plan->session_folder) < 0) {
		own = NULL;
		return error_set(err, ENOMEM, "result");
	}
	return atomic_file_open(&results[1], own, err);
}

static int run(const struct run_options *run_options, char **command)
{
	AUTO_PLAN struct plan plan = {0};
	struct run_config config = {
		.command = command,
		.version = PACKAGE_VERSION,
		.session_id = plan.id,
		.audit_targets = run_options->audits,
		.audit_target_count = run_options->audit_count,
		.rotate_size = run_options->rotate_size,
		.rotate_count = run_options->rotate_count,
		.log_limit = run_options->log_limited   ? run_options->log_limit
			     : run_options->rotate_size ? 0
							: log_limit_default,
		.level = run_options->level,
		.observe = run_options->observe,
		.stats = run_options->stats || run_options->metrics,
		.progress = run_options->metrics ? progress : NULL,
		.stacks = !run_options->no_stacks,
		.capture = run_options->result != NULL,
		.pass_output = !run_options->quiet,
		.output_limit = OUTPUT_LIMIT,
		.finished = finished,
	};
	const char *private_files[3] = {NULL};
	size_t private_count = 0;
	struct error err = {0};

	if (run_options->user && become_user(run_options->user, &err) < 0) {
		say("failed:", err.message);
		return EXIT_PROCTOR_FAILED;
	}
	plan.policy = load_policies(run_options->policies, run_options->policy_count);
	if (!plan.policy || !can_enforce(plan.policy))
		return EXIT_PROCTOR_FAILED;
	plan.program = find_program(command[0]);
	if (!plan.program)
		return not_found(command[0]);
	if (plan_session(&plan, run_options->audit_count == 0, &err) < 0 ||
	    plan_environment(&plan, &err) < 0 || open_outputs(run_options, &plan, &err) < 0) {
		say("failed:", err.message);
		return EXIT_PROCTOR_FAILED;
	}
	config.policy = plan.policy;
	if (results[0].path)
		private_files[private_count++] = results[0].path;
	if (metrics.path)
		private_files[private_count++] = metrics.path;
	config.private_files = private_files;
	config.program = plan.program;
	config.environment = plan.tool_environment;
	config.state_folder = plan.state_folder;
	config.key_file = plan.key_file;
	config.profile_folder = plan.context.profile_dir;
	config.session_folder = plan.session_folder;
	config.wall_limit_ns = run_options->timeout_ns;
	if (!config.wall_limit_ns && policy_limit(plan.policy, LIMIT_WALL))
		config.wall_limit_ns = policy_limit(plan.policy, LIMIT_WALL)->value;
	if (policy_limit(plan.policy, LIMIT_OUTPUT))
		config.output_limit = policy_limit(plan.policy, LIMIT_OUTPUT)->value;
	if (run_options->verbose)
		say("session", plan.id);
	return run_tool(&config);
}

int cmd_run(int argc, char **argv)
{
	AUTO_FREE const char **policies = calloc((size_t)argc, sizeof(*policies));
	AUTO_FREE const char **audits = calloc((size_t)argc, sizeof(*audits));
	int option;

	if (!policies || !audits)
		return usage_error("run", "out of memory");
	chosen.policies = policies;
	chosen.audits = audits;
	while ((option = getopt_long(argc, argv, "+p:o:qv", options, NULL)) != -1) {
		int code;

		if (option == 'h') {
			fputs(help_text, stdout);
			return finish_output(0);
		}
		code = take_option(option, &chosen);
		if (code)
			return code;
	}
	if (optind == argc)
		return usage_error("run", "expected a command");
	return run(&chosen, argv + optind);
}
