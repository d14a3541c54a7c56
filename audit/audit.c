/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/blocked.h"
#include "audit/chain.h"
#include "audit/emit.h"
#include "audit/metrics.h"
#include "audit/record.h"
#include "audit/resume.h"
#include "audit/rotate.h"
#include "audit/sink.h"
#include "core/cleanup.h"

/* One target. Its chain is its own: what stood in it before may be another's. */
struct output {
	struct sink sink;
	char prev[DIGEST_HEX_SIZE];
	size_t torn; /* bytes of a torn line that an earlier session left */
};

struct audit {
	char *session;
	enum audit_level level;
	uint64_t rotate_size;
	unsigned int rotate_count;

	/*
	 * Number, time, chain and write are one critical section: a line's place
	 * in the file, its seq and its prev must agree.
	 */
	pthread_mutex_t lock;
	struct output *outputs;
	size_t output_count;
	struct emitter line;
	uint64_t seq;
	time_t second; /* what `date` is the text of */
	char date[sizeof("2038-01-19T03:14:07")];
	struct record_counts counts;
	struct blocked_set blocked;

	atomic_int error; /* the first error, negative; set after `failure` */
	char failure[512];
};

static int open_output(struct audit *audit, const char *target, struct error *err)
{
	struct output *output = &audit->outputs[audit->output_count];
	int r;

	output->sink = SINK_CLOSED;
	r = sink_open(&output->sink, target, err);
	if (r < 0)
		return r;
	audit->output_count++;
	return resume_chain(&output->sink, output->prev, &output->torn, err);
}

static int open_outputs(struct audit *audit, const struct audit_config *config, struct error *err)
{
	AUTO_FREE char *standard = NULL;
	int r = 0;

	audit->outputs = calloc(config->target_count + 1, sizeof(*audit->outputs));
	if (!audit->outputs || !audit->session)
		return error_set(err, ENOMEM, "cannot open the log");
	if (config->target_count == 0) {
		if (asprintf(&standard, "%s/audit.jsonl", config->folder) < 0) {
			standard = NULL;
			return error_set(err, ENOMEM, "cannot open the log");
		}
		return open_output(audit, standard, err);
	}
	for (size_t i = 0; i < config->target_count && r == 0; i++)
		r = open_output(audit, config->targets[i], err);
	return r;
}

int audit_open(const struct audit_config *config, struct audit **ret, struct error *err)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	int r;

	if (!audit)
		return error_set(err, ENOMEM, "cannot open the log");
	audit->level = config->level;
	audit->rotate_size = config->rotate_size;
	audit->rotate_count = config->rotate_count;
	audit->session = strdup(config->session);
	pthread_mutex_init(&audit->lock, NULL);
	r = open_outputs(audit, config, err);
	if (r < 0) {
		audit_close(audit);
		return r;
	}
	*ret = audit;
	return 0;
}

void audit_close(struct audit *audit)
{
	if (!audit)
		return;
	for (size_t i = 0; i < audit->output_count; i++)
		sink_close(&audit->outputs[i].sink);
	free(audit->outputs);
	blocked_free(&audit->blocked);
	emit_free(&audit->line);
	pthread_mutex_destroy(&audit->lock);
	free(audit->session);
	free(audit);
}

static void fail(struct audit *audit, const struct output *output, int error)
{
	const char *reason = error == -ESTALE
				     ? "it was removed, replaced or changed by somebody else"
				     : strerror(-error);

	snprintf(audit->failure, sizeof(audit->failure), "cannot write %s: %s",
		 output->sink.target, reason);
	atomic_store(&audit->error, error);
}

/* ts, seq and session. */
static void put_heading(struct audit *audit)
{
	struct emitter *line = &audit->line;
	struct timespec now;
	char ts[sizeof(audit->date) + sizeof(".123456789Z")];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != audit->second || !audit->date[0]) {
		audit->second = now.tv_sec;
		gmtime_r(&now.tv_sec, &tm);
		strftime(audit->date, sizeof(audit->date), "%FT%T", &tm);
	}
	snprintf(ts, sizeof(ts), "%s.%09ldZ", audit->date, now.tv_nsec);
	emit_reset(line);
	emit_open(line, '{');
	emit_key(line, "ts");
	emit_bytes(line, ts, strlen(ts), sizeof(ts));
	emit_key(line, "seq");
	emit_uint(line, audit->seq + 1);
	emit_key(line, "session");
	emit_bytes(line, audit->session, strlen(audit->session), RECORD_WORDS_MAX);
}

/* Seals the line with the output's chain and writes it; `line` is as before afterwards. */
static int write_line(struct output *output, struct emitter *line)
{
	const size_t body = line->len;
	int r = chain_seal(line, output->prev);

	if (r == 0)
		r = sink_write(&output->sink, line->data, line->len);
	line->len = body;
	return r;
}

/* Writes the line to all outputs. `record`, if any, is then counted. */
static int write_record(struct audit *audit, const struct audit_record *record)
{
	for (size_t i = 0; i < audit->output_count; i++) {
		int r = write_line(&audit->outputs[i], &audit->line);

		if (r < 0) {
			fail(audit, &audit->outputs[i], r);
			return r;
		}
	}
	audit->seq++;
	if (record)
		record_count(&audit->counts, record);
	if (record && (record->event == EVENT_BLOCKED || record->event == EVENT_WOULD_BLOCK))
		blocked_add(&audit->blocked, record);
	return 0;
}

/*
 * Puts a new file in the place of one that is full. What this removes at the end of the row is said
 * in a record beforehand, without which a verifier would take it for a theft.
 */
static int rotate(struct audit *audit, struct output *output)
{
	char removed[DIGEST_HEX_SIZE];
	char detail[sizeof(ROTATION_REMOVED) + DIGEST_HEX_SIZE];
	const struct audit_record record = {.event = EVENT_LIMIT, .detail = detail};
	int r = rotation_loses(&output->sink, audit->rotate_count, removed);

	if (r > 0) {
		snprintf(detail, sizeof(detail), "%s%s", ROTATION_REMOVED, removed);
		put_heading(audit);
		record_write(&audit->line, &record);
		r = write_record(audit, &record);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = rotate_sink(&output->sink, audit->rotate_count);
	if (r < 0)
		fail(audit, output, r);
	return r;
}

static int rotate_full(struct audit *audit)
{
	int r = 0;

	for (size_t i = 0; i < audit->output_count && r == 0 && audit->rotate_size; i++) {
		const struct sink *sink = &audit->outputs[i].sink;

		if (sink->regular && (uint64_t)sink->end >= audit->rotate_size)
			r = rotate(audit, &audit->outputs[i]);
	}
	return r;
}

/* Returns 0 with the lock held and a line begun, or the first error and no lock. */
static int begin_line(struct audit *audit)
{
	int r;

	pthread_mutex_lock(&audit->lock);
	r = atomic_load(&audit->error);
	if (r == 0)
		r = rotate_full(audit);
	if (r < 0)
		pthread_mutex_unlock(&audit->lock);
	else
		put_heading(audit);
	return r;
}

/* Writes the line, and gives the lock back. */
static int finish_line(struct audit *audit, const struct audit_record *record)
{
	int r = write_record(audit, record);

	pthread_mutex_unlock(&audit->lock);
	return r;
}

int audit_write(struct audit *audit, const struct audit_record *record)
{
	int r = atomic_load(&audit->error);

	if (r < 0 || !audit_level_wants(audit->level, record->event))
		return r;
	r = begin_line(audit);
	if (r < 0)
		return r;
	record_write(&audit->line, record);
	return finish_line(audit, record);
}

int audit_write_start(struct audit *audit, const struct audit_start *start)
{
	char detail[96];
	size_t torn = 0;
	int r = begin_line(audit);

	if (r < 0)
		return r;
	for (size_t i = 0; i < audit->output_count; i++)
		torn += audit->outputs[i].torn;
	snprintf(detail, sizeof(detail), "cut off %zu bytes of a torn last line", torn);
	record_write_start(&audit->line, start, audit->level, torn ? detail : NULL);
	return finish_line(audit, NULL);
}

int audit_write_end(struct audit *audit, int exit_code, uint64_t duration_ns)
{
	int r = begin_line(audit);

	if (r < 0)
		return r;
	record_write_end(&audit->line, &audit->counts, exit_code, duration_ns);
	return finish_line(audit, NULL);
}

const char *audit_failure(struct audit *audit)
{
	return atomic_load(&audit->error) ? audit->failure : NULL;
}

const char *audit_target(const struct audit *audit, size_t index)
{
	return index < audit->output_count ? audit->outputs[index].sink.target : NULL;
}

const struct audit_blocked *audit_blocked_list(struct audit *audit, size_t *ret_count,
					       uint64_t *ret_other)
{
	const struct audit_blocked *items;

	pthread_mutex_lock(&audit->lock);
	items = audit->blocked.items;
	*ret_count = audit->blocked.count;
	*ret_other = audit->blocked.other;
	pthread_mutex_unlock(&audit->lock);
	return items;
}

uint64_t audit_blocked_total(struct audit *audit)
{
	uint64_t total;

	pthread_mutex_lock(&audit->lock);
	total = audit->blocked.total;
	pthread_mutex_unlock(&audit->lock);
	return total;
}

void audit_write_metrics(struct audit *audit, FILE *out)
{
	pthread_mutex_lock(&audit->lock);
	metrics_write(out, &audit->counts, &audit->blocked);
	pthread_mutex_unlock(&audit->lock);
}
