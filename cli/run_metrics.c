/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run_metrics.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit/metrics.h"
#include "cli/terminal.h"
#include "core/cleanup.h"
#include "supervisor/limits.h"
#include "supervisor/stats.h"

static void put_gauge(FILE *out, const char *name, const char *help, double value)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %.17g\n", name, help, name, name, value);
}

static void put_counter(FILE *out, const char *name, const char *help, double value)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s counter\n%s %.17g\n", name, help, name, name, value);
}

static void put_session(FILE *out, const struct run_config *config,
			const struct run_outcome *outcome, bool ended)
{
	const double seconds = (double)outcome->duration_ns / 1e9;

	fputs("# HELP proctor_session_info The run that these figures are of.\n"
	      "# TYPE proctor_session_info gauge\nproctor_session_info{session=", out);
	metrics_label(out, config->session_id);
	fputs(",version=", out);
	metrics_label(out, config->version);
	fputs(",command=", out);
	metrics_label(out, config->command[0]);
	fputs("} 1\n", out);
	put_gauge(out, "proctor_session_running", "1 while the tool runs.", !ended);
	put_gauge(out, "proctor_session_start_time_seconds", "When it began, since 1970.",
		  (double)time(NULL) - seconds);
	put_gauge(out, "proctor_session_duration_seconds", "How long it runs, or ran.", seconds);
	if (!ended)
		return;
	put_gauge(out, "proctor_session_exit_code", "Exit code of proctor run.",
		  outcome->exit_code);
	put_gauge(out, "proctor_session_failed", "1 when proctor itself failed, as with a full disk.",
		  outcome->failure != NULL);
	put_gauge(out, "proctor_session_max_rss_bytes", "Memory of the largest process.",
		  (double)outcome->usage.max_rss_bytes);
	put_counter(out, "proctor_session_cpu_seconds_total", "Processor time of all processes.",
		    outcome->usage.user_s + outcome->usage.system_s);
}

static void put_limits(FILE *out, const struct run_outcome *outcome)
{
	static const enum policy_limit_kind kinds[] = {LIMIT_WALL, LIMIT_CPU, LIMIT_MEMORY, LIMIT_DISK};
	const bool full = !outcome->limit && outcome->audit && audit_is_full(outcome->audit);

	fputs("# HELP proctor_limits_reached_total Runs that a limit has ended.\n"
	      "# TYPE proctor_limits_reached_total counter\n", out);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *name = limit_name(kinds[i]);

		fprintf(out, "proctor_limits_reached_total{limit=\"%s\"} %d\n", name,
			outcome->limit && !strcmp(outcome->limit, name));
	}
	fprintf(out, "proctor_limits_reached_total{limit=\"log\"} %d\n", full);
}

static void put_all(FILE *out, const struct run_config *config, const struct run_outcome *outcome,
		    bool ended)
{
	put_session(out, config, outcome, ended);
	put_counter(out, "proctor_timeouts_total", "Runs that the limit of time has ended.",
		    outcome->timed_out);
	put_limits(out, outcome);
	if (outcome->audit) {
		put_counter(out, "proctor_records_dropped_total",
			    "Records of calls that were not refused, which a log did not take in time.",
			    (double)audit_dropped(outcome->audit));
		audit_write_metrics(outcome->audit, out);
		put_gauge(out, "proctor_log_failed", "1 when the log can no longer be written.",
			  audit_failure(outcome->audit) != NULL);
	}
	if (outcome->stats)
		stats_write_metrics(outcome->stats, out);
}

char *run_metrics_text(const struct run_config *config, const struct run_outcome *outcome, bool ended,
		       size_t *ret_len)
{
	AUTO_FREE char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (!out)
		return NULL;
	put_all(out, config, outcome, ended);
	return fclose(out) == 0 ? TAKE_PTR(text) : NULL;
}

void run_metrics_write(const struct run_config *config, const struct run_outcome *outcome,
		       const struct atomic_file *file, bool ended)
{
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	int r;

	if (file->dir_fd < 0 && file->fd < 0)
		return;
	text = run_metrics_text(config, outcome, ended, &len);
	r = text ? atomic_file_write(file, text, len) : -ENOMEM;
	if (r == 0 || !ended)
		return;
	fputs("proctor: cannot write the metrics ", stderr);
	terminal_print(stderr, file->path ? file->path : "", SIZE_MAX);
	fprintf(stderr, ": %s\n", strerror(-r));
}
