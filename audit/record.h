/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_RECORD_H
#define PROCTOR_AUDIT_RECORD_H

#include "audit/audit.h"
#include "audit/emit.h"

/*
 * The fields of a record from `event` on, in the order of audit/schema.json;
 * what comes before (ts, seq, session) and after (prev, hash) is the log's.
 *
 * How long a record can get: a name or path is cut after RECORD_NAME_MAX bytes
 * and words after RECORD_WORDS_MAX, each list of arguments after about
 * RECORD_LIST_MAX bytes of text; see emit_bytes() and emit_list() for the marks
 * that a cut leaves. With every byte written as an escape of six, a record
 * stays below RECORD_MAX. `start` lists every policy file, whatever their number.
 */
enum {
	RECORD_NAME_MAX = 4224, /* PATH_MAX, and an endpoint's prefix */
	RECORD_WORDS_MAX = 1024,
	RECORD_LIST_MAX = 32 * 1024,
	RECORD_MAX = 256 * 1024,
};

/* True for the events that are about a call: they carry class, op, decision and rule. */
bool record_is_call(enum audit_event event);

void record_write(struct emitter *out, const struct audit_record *record);
void record_write_start(struct emitter *out, const struct audit_start *start,
			enum audit_level level, const char *public_key, const char *detail);

/* Of the records written so far. */
struct record_counts {
	uint64_t event[EVENT_COUNT];
	uint64_t decision[DECISION_COUNT];
	uint64_t class[CLASS_COUNT];
};

void record_count(struct record_counts *counts, const struct audit_record *record);
/* `library`: NULL, as it was not used. */
void record_write_end(struct emitter *out, const struct record_counts *counts, uint64_t dropped,
		      const struct audit_library *library, int exit_code, uint64_t duration_ns);

#endif
