/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run_result.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "audit/result.h"
#include "cli/terminal.h"
#include "supervisor/capture.h"

static struct result_stream stream_of(const struct capture *capture, int which)
{
	struct result_stream stream = {.bytes = NULL};

	if (capture)
		stream.bytes =
			capture_bytes(capture, which, &stream.len, &stream.truncated);
	return stream;
}

static void fill(struct result *result, const struct run_config *config,
		 const struct run_outcome *outcome)
{
	*result = (struct result){
		.session = config->session_id,
		.command = (const char *const *)config->command,
		.exit_code = outcome->exit_code,
		.signal = outcome->timed_out ? 0 : outcome->signal,
		.timed_out = outcome->timed_out,
		.duration_ns = outcome->duration_ns,
		.out = stream_of(outcome->capture, CAPTURE_OUT),
		.err = stream_of(outcome->capture, CAPTURE_ERR),
		.usage = {
			.user_s = outcome->usage.user_s,
			.system_s = outcome->usage.system_s,
			.max_rss_bytes = outcome->usage.max_rss_bytes,
			.processes = outcome->programs,
			.bytes_written = outcome->usage.bytes_written,
		},
		.failure = outcome->failure,
	};
	if (outcome->limit)
		result->limit = outcome->limit;
	else if (outcome->audit && audit_is_full(outcome->audit))
		result->limit = "log";
	if (outcome->audit)
		result->blocked =
			audit_blocked_list(outcome->audit, &result->blocked_count,
					   &result->blocked_other);
}

void run_result_write(const struct run_config *config, const struct run_outcome *outcome,
		      const struct atomic_file *files, size_t count)
{
	struct emitter text = {0};
	struct result result;

	fill(&result, config, outcome);
	result_write(&text, &result);
	for (size_t i = 0; i < count; i++) {
		int r;

		if (files[i].dir_fd < 0 && files[i].fd < 0)
			continue;
		r = text.failed ? -ENOMEM : atomic_file_write(&files[i], text.data, text.len);
		if (r == 0)
			continue;
		fputs("proctor: cannot write the result ", stderr);
		terminal_print(stderr, files[i].path ? files[i].path : "", SIZE_MAX);
		fprintf(stderr, ": %s\n", strerror(-r));
	}
	emit_free(&text);
}
