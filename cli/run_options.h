/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_RUN_OPTIONS_H
#define PROCTOR_CLI_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "policy/policy.h"

/* The options of `proctor run`. Strings are argv's. */
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
	const char *metrics_listen;
	bool observe;
	enum policy_library library;
	bool no_stacks;
	bool stats;
	bool quiet;
	bool verbose;
	uint64_t timeout_ns;
};

/*
 * Reads them; optind is then that of the command. False: there is nothing to run, and *ret_code is the
 * exit code.
 */
bool run_options_parse(int argc, char **argv, struct run_options *ret, int *ret_code);
void run_options_clear(struct run_options *run_options);

#endif
