/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_RESULT_H
#define PROCTOR_AUDIT_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "audit/emit.h"

/* What came of a run, as one JSON object: the Result of proctor-run(1). Nothing is owned. */
struct result {
	const char *session;
	const char *const *command; /* NULL-terminated */
	int exit_code;
	int signal;        /* that ended the tool's first process; 0: none */
	bool timed_out;
	const char *limit; /* the limit that ended the run: "wall"; NULL: none */
	uint64_t duration_ns;
	struct result_stream {
		const char *bytes; /* NULL: not captured */
		size_t len;
		bool truncated;
	} out, err;
	struct {
		double user_s;
		double system_s;
		uint64_t max_rss_bytes;
		uint64_t processes; /* program images that the tool's tree has run */
		uint64_t bytes_written;
	} usage;
	const struct audit_blocked *blocked;
	size_t blocked_count;
	uint64_t blocked_other; /* attempts that are not in it */
	bool rolled_back;
	const char *failure; /* why proctor itself failed; NULL: it did not */
};

/* Writes the object and a newline. Bytes that are not UTF-8 are as in the log. */
void result_write(struct emitter *out, const struct result *result);

#endif
