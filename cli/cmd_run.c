/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/log_key.h"
#include "cli/metrics_server.h"
#include "cli/preload_files.h"
#include "cli/run_metrics.h"
#include "cli/run_options.h"
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

/* What run_config.finished needs; the supervisor is forked off with it. */
static struct run_options chosen;
static struct atomic_file metrics = ATOMIC_FILE_CLOSED;
static struct metrics_server *server;
static struct atomic_file results[] = {ATOMIC_FILE_CLOSED, ATOMIC_FILE_CLOSED};

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

static bool asked(const struct run_config *config, const struct run_outcome *outcome)
{
	AUTO_FREE char *text = NULL;
	unsigned int number;
	size_t len = 0;
	bool gone;

	if (metrics_server_asked(server, &number, &gone)) {
		text = run_metrics_text(config, outcome, false, &len);
		metrics_server_answer(server, number, text, len);
	}
	return !gone;
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

	/* First: the tool may have filled what standard error leads to, and nobody reads it. */
	run_metrics_write(config, outcome, &metrics, true);
	run_result_write(config, outcome, results, sizeof(results) / sizeof(results[0]));
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
	struct preload_files preload;
};

static void plan_release(struct plan *plan)
{
	preload_files_free(&plan->preload);
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

/* The library that the options or the policy ask for. */
static int plan_preload(const struct run_options *run_options, struct plan *plan, struct error *err)
{
	enum policy_library wanted = policy_observes_library(plan->policy);

	if (run_options->library > wanted)
		wanted = run_options->library;
	return wanted == LIBRARY_NOT ? 0
				     : preload_files_find(wanted == LIBRARY_HTTP, &plan->preload, err);
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
		.stats = run_options->stats || run_options->metrics || run_options->metrics_listen,
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
	    plan_environment(&plan, &err) < 0 || plan_preload(run_options, &plan, &err) < 0 || open_outputs(run_options, &plan, &err) < 0) {
		say("failed:", err.message);
		return EXIT_PROCTOR_FAILED;
	}
	if (run_options->metrics_listen) {
		if (metrics_server_start(run_options->metrics_listen, &server, &err) < 0) {
			say("failed:", err.message);
			return EXIT_PROCTOR_FAILED;
		}
		config.asked = asked;
		config.question = metrics_server_question(server);
		if (run_options->verbose)
			say("metrics:", metrics_server_address(server));
	}
	config.policy = plan.policy;
	if (results[0].path)
		private_files[private_count++] = results[0].path;
	if (metrics.path)
		private_files[private_count++] = metrics.path;
	config.private_files = private_files;
	config.program = plan.program;
	if (plan.preload.files[0])
		config.library_files = (const char *const *)plan.preload.files;
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
	int code;

	if (!run_options_parse(argc, argv, &chosen, &code))
		return code;
	code = run(&chosen, argv + optind);
	run_options_clear(&chosen);
	return code;
}
