/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_RUN_H
#define PROCTOR_SUPERVISOR_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "core/error.h"
#include "core/exit_codes.h"
#include "policy/policy.h"
#include "supervisor/usage.h"

struct capture;
struct run_config;

/* How a run ended, or how it stands; for run_config.finished and run_config.progress. */
struct run_outcome {
	int exit_code;
	int signal; /* that ended the tool's first process; 0: none */
	bool timed_out;
	const char *limit; /* "wall", "memory"...: that ended the run; NULL: none */
	const struct rule_source *limit_rule; /* where the policy sets it; NULL: an option does */
	bool killed; /* a refused call ended the tool (on_block: kill) */
	uint64_t duration_ns;
	const char *failure; /* why proctor itself failed, or NULL */
	struct audit *audit; /* NULL when it could not be opened */
	const struct stats *stats;
	const struct capture *capture; /* NULL: nothing was captured */
	struct usage usage;
	uint64_t programs; /* that the tree has executed, as far as execs are mediated */
};

enum { PROGRESS_S = 5 };

/* What to run and how. Nothing is owned. */
struct run_config {
	const struct policy *policy;
	const char *program;       /* path to execute */
	char *const *command;      /* argv, NULL-terminated */
	char *const *environment;  /* of the tool */
	const char *version;
	const char *session_id;
	const char *state_folder;   /* where sessions are kept; the tool may not change it */
	const char *profile_folder; /* the user's profiles, which the tool may not change; or NULL */
	const char *session_folder; /* NULL when the log goes elsewhere */
	const char *const *audit_targets; /* these six as in struct audit_config */
	size_t audit_target_count;
	uint64_t rotate_size;
	unsigned int rotate_count;
	uint64_t log_limit;
	const char *key_file; /* in profile_folder; the tool cannot read it */
	enum audit_level level;
	const char *const *private_files; /* what else the tool may not change: canonical, NULL-terminated */
	bool observe;
	bool stats;
	/* The preload library, which each dynamic program is given; NULL-terminated; NULL: not wanted. */
	const char *const *library_files;
	bool stacks;         /* of the thread, in each record of a blocked attempt */
	bool capture;        /* standard output and error, up to output_limit bytes of each... */
	bool pass_output;    /* ...and passed on */
	size_t output_limit;
	uint64_t wall_limit_ns; /* 0: none */
	/* Called in the supervisor every PROGRESS_S seconds; NULL: not wanted. */
	void (*progress)(const struct run_config *config, const struct run_outcome *outcome);
	/*
	 * Called in the supervisor when `question` is readable; false: not to be called again. NULL: not
	 * wanted. Must not block.
	 */
	bool (*asked)(const struct run_config *config, const struct run_outcome *outcome);
	int question;
	/* Called in the supervisor when all is over, before it exits. */
	void (*finished)(const struct run_config *config, const struct run_outcome *outcome);
};

/*
 * Runs the tool, waits for it and its descendants, and returns the exit code of the whole. The
 * calling process becomes the guardian: it keeps the place of the tool in the eyes of whoever
 * started it (signals, job control), and outlives the supervisor, to end the tool's tree if the
 * supervisor should die.
 */
int run_tool(const struct run_config *config);

#endif
