/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/output.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "audit/chain.h"
#include "audit/resume.h"
#include "audit/rotate.h"

int output_open(struct output *ret, const struct audit_config *config, const struct signer *signer,
		const char *target, int hurry, struct error *err)
{
	struct statfs system;
	int r;

	*ret = (struct output){
		.session = config->session,
		.signer = signer,
		.signatures = SIGNATURES_AT_ONCE,
		.level = config->level,
		.rotate_size = config->rotate_size,
		.rotate_count = config->rotate_count,
		.limit = config->limit,
		.sink = SINK_CLOSED,
	};
	pthread_mutex_init(&ret->lock, NULL);
	r = sink_open(&ret->sink, target, hurry, err);
	if (r < 0)
		return r;
	ret->in_memory = fstatfs(ret->sink.fd, &system) == 0 && system.f_type == TMPFS_MAGIC;
	return resume_chain(&ret->sink, ret->prev, &ret->torn, err);
}

void output_close(struct output *output)
{
	sink_close(&output->sink);
	emit_free(&output->line);
	pthread_mutex_destroy(&output->lock);
}

/* ts, seq and session. */
static void put_heading(struct output *output)
{
	struct emitter *line = &output->line;
	struct timespec now;
	char ts[sizeof(output->date) + sizeof(".123456789Z")];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != output->second || !output->date[0]) {
		output->second = now.tv_sec;
		gmtime_r(&now.tv_sec, &tm);
		strftime(output->date, sizeof(output->date), "%FT%T", &tm);
	}
	snprintf(ts, sizeof(ts), "%s.%09ldZ", output->date, now.tv_nsec);
	emit_reset(line);
	emit_open(line, '{');
	emit_key(line, "ts");
	emit_bytes(line, ts, strlen(ts), sizeof(ts));
	emit_key(line, "seq");
	emit_uint(line, output->seq + 1);
	emit_key(line, "session");
	emit_bytes(line, output->session, strlen(output->session), RECORD_WORDS_MAX);
}

/* What a refusal is evidence of must be there; the rest is only nice to have. */
static bool may_be_dropped(enum audit_event event)
{
	return event == EVENT_ALLOWED || event == EVENT_REWRITTEN || event == EVENT_EXEC ||
	       event == EVENT_EXIT || event == EVENT_REPORTED;
}

/* True when there has been time for another signature. */
static bool may_sign(struct output *output)
{
	struct timespec now;
	uint64_t earned;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	earned = (ns - output->signed_ns) / (1000000000U / SIGNATURES_S);
	if (earned) {
		output->signed_ns = ns;
		output->signatures = earned + output->signatures < SIGNATURES_AT_ONCE
					     ? (unsigned int)earned + output->signatures
					     : SIGNATURES_AT_ONCE;
	}
	if (output->signatures == 0)
		return false;
	output->signatures--;
	return true;
}

/* Seals the line with the chain and writes it. -EAGAIN: it was dropped. */
static int write_line(struct output *output, const struct sink_note *note, bool droppable)
{
	char prev[DIGEST_HEX_SIZE];
	int r = 0;

	memcpy(prev, output->prev, sizeof(prev));
	if (output->signer && (may_sign(output) || (!note->class && !droppable)))
		r = signer_sign(output->signer, &output->line, prev);
	if (r == 0)
		r = chain_seal(&output->line, prev);
	if (r == 0 && droppable)
		r = sink_offer(&output->sink, output->line.data, output->line.len, note,
			       atomic_load(&output->stalled) ? 0 : OUTPUT_PATIENCE_MS);
	else if (r == 0)
		r = sink_write(&output->sink, output->line.data, output->line.len, note);
	atomic_store(&output->stalled, r == -EAGAIN);
	if (r == -EAGAIN)
		return r;
	if (r < 0) {
		output->error = r;
		return r;
	}
	memcpy(output->prev, prev, sizeof(prev));
	output->written += output->line.len;
	output->seq++;
	return 0;
}

/* The lock is held, and the record may be written. */
static int put_record(struct output *output, const struct audit_record *record)
{
	const struct sink_note note = {
		.session = output->session,
		.event = audit_event_name(record->event),
		.class = record_is_call(record->event) ? access_class_name(record->class) : NULL,
		.object = record->path ? record->path : record->endpoint,
		.warning = record->event == EVENT_BLOCKED,
	};
	int r;

	put_heading(output);
	record_write(&output->line, record);
	r = write_line(output, &note, may_be_dropped(record->event));
	if (r == 0)
		record_count(&output->counts, record);
	return r;
}

/*
 * Puts a new file in the place of one that is full. What this removes at the end of the row is said
 * in a record beforehand, without which a verifier would take it for a theft.
 */
static int rotate_full(struct output *output)
{
	char removed[DIGEST_HEX_SIZE];
	char detail[sizeof(ROTATION_REMOVED) + DIGEST_HEX_SIZE];
	const struct audit_record record = {.event = EVENT_LIMIT, .detail = detail};
	int r;

	if (output->sink.kind != SINK_FILE || !output->rotate_size ||
	    (uint64_t)output->sink.end < output->rotate_size)
		return 0;
	r = rotation_loses(&output->sink, output->rotate_count, removed);
	if (r > 0) {
		snprintf(detail, sizeof(detail), "%s%s", ROTATION_REMOVED, removed);
		r = put_record(output, &record);
	}
	if (r == 0)
		r = rotate_sink(&output->sink, output->rotate_count);
	if (r < 0)
		output->error = r;
	return r;
}

/* Nothing that was blocked goes unlogged for it: the record that reaches the limit is there. */
static int note_limit(struct output *output)
{
	const struct audit_record record = {.event = EVENT_LIMIT, .detail = "limit log"};
	int r;

	if (!output->limit || output->sink.kind != SINK_FILE || output->written < output->limit)
		return 0;
	r = put_record(output, &record);
	if (r == 0)
		output->error = r = -EDQUOT;
	return r;
}

/* True with the lock held. False: the record is dropped, since the sink takes nothing. */
static bool enter(struct output *output, bool droppable)
{
	struct timespec until;

	if (!droppable)
		return pthread_mutex_lock(&output->lock) == 0;
	if (atomic_load(&output->stalled))
		return pthread_mutex_trylock(&output->lock) == 0;
	do {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += OUTPUT_PATIENCE_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		if (pthread_mutex_clocklock(&output->lock, CLOCK_MONOTONIC, &until) == 0)
			return true;
	} while (!atomic_load(&output->sink.waiting));
	atomic_store(&output->stalled, true);
	return false;
}

int output_record(struct output *output, const struct audit_record *record)
{
	const bool droppable = may_be_dropped(record->event);
	int r;

	if (!enter(output, droppable)) {
		atomic_fetch_add(&output->dropped, 1);
		return 0;
	}
	r = output->error;
	if (r == 0)
		r = rotate_full(output);
	if (r == 0)
		r = put_record(output, record);
	if (r == 0)
		r = note_limit(output);
	if (r == -EAGAIN && droppable) {
		atomic_fetch_add(&output->dropped, 1);
		r = 0;
	}
	pthread_mutex_unlock(&output->lock);
	return r;
}

int output_start(struct output *output, const struct audit_start *start)
{
	const struct sink_note note = {.session = output->session, .event = "start"};
	char detail[96];
	int r;

	snprintf(detail, sizeof(detail), "cut off %zu bytes of a torn last line", output->torn);
	pthread_mutex_lock(&output->lock);
	put_heading(output);
	record_write_start(&output->line, start, output->level,
			   output->signer ? signer_public(output->signer) : NULL,
			   output->torn ? detail : NULL);
	r = write_line(output, &note, false);
	pthread_mutex_unlock(&output->lock);
	return r;
}

int output_end(struct output *output, const struct audit_library *library, int exit_code,
	       uint64_t duration_ns)
{
	const struct sink_note note = {.session = output->session, .event = "end"};
	int r;

	pthread_mutex_lock(&output->lock);
	r = output->error;
	if (r == 0 || r == -EDQUOT) {
		put_heading(output);
		record_write_end(&output->line, &output->counts, atomic_load(&output->dropped),
				 library, exit_code, duration_ns);
		if (write_line(output, &note, false) < 0)
			r = output->error;
	}
	pthread_mutex_unlock(&output->lock);
	return r;
}
