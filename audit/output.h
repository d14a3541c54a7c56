/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_OUTPUT_H
#define PROCTOR_AUDIT_OUTPUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "audit/audit.h"
#include "audit/emit.h"
#include "audit/record.h"
#include "audit/sign.h"
#include "audit/sink.h"
#include "core/digest.h"

/*
 * One target of a log: a log of its own, with its own numbers, chain and counts, so that one that is
 * slow, full or gone takes nothing from the others.
 */
struct output {
	/* Set when it is opened: */
	const char *session; /* not owned */
	const struct signer *signer; /* not owned; NULL: none */
	enum audit_level level;
	unsigned int rotate_count;
	uint64_t rotate_size;
	uint64_t limit;   /* bytes that the session may add to a file; 0: any number */
	struct sink sink;
	size_t torn;      /* bytes of a torn line that an earlier session left */

	/*
	 * Number, time, chain and write are one critical section: a line's place
	 * in the file, its seq and its prev must agree.
	 */
	pthread_mutex_t lock;
	struct emitter line;
	char prev[DIGEST_HEX_SIZE];
	uint64_t seq;
	atomic_ullong written; /* bytes */
	time_t second;    /* what `date` is the text of */
	char date[sizeof("2038-01-19T03:14:07")];
	struct record_counts counts;
	uint64_t signed_ns;       /* CLOCK_MONOTONIC when `signatures` was counted */
	unsigned int signatures;  /* that may be made at once */
	int error; /* the first, negative */

	atomic_uint_fast64_t dropped;
	atomic_bool stalled; /* it took nothing when it was last asked */
	bool in_memory;      /* the file is one of a tmpfs; never changes */
};

/* As audit_open(), for one target. The output does not move afterwards. */
int output_open(struct output *ret, const struct audit_config *config, const struct signer *signer,
		const char *target, int hurry, struct error *err);
void output_close(struct output *output);

/*
 * Writes one record, as audit_write(); one that may be dropped is, and counted, when the sink takes
 * nothing for OUTPUT_PATIENCE_MS, and from then on at once until it does again.
 * Of the records, `start`, `end` and `limit` are signed, and others as long as that is not more than
 * SIGNATURES_S a second: all where there are few.
 * -EDQUOT: this record is written, and with it the log has reached its limit: no other may follow,
 * but `end`.
 */
enum { OUTPUT_PATIENCE_MS = 100, SIGNATURES_S = 200, SIGNATURES_AT_ONCE = 32 };
int output_record(struct output *output, const struct audit_record *record);

int output_start(struct output *output, const struct audit_start *start);

/* Also behind a limit; nothing, and the error, where a write failed. */
int output_end(struct output *output, const struct audit_library *library, int exit_code,
	       uint64_t duration_ns);

#endif
