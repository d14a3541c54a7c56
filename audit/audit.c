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
#include "audit/record.h"
#include "audit/resume.h"
#include "audit/sink.h"
#include "core/cleanup.h"

struct audit {
	char *session;
	enum audit_level level;
	size_t torn; /* bytes of a torn line that an earlier session left */

	/*
	 * Number, time, chain and write are one critical section: a line's place
	 * in the file, its seq and its prev must agree.
	 */
	pthread_mutex_t lock;
	struct sink sink;
	struct emitter line;
	char prev[DIGEST_HEX_SIZE];
	uint64_t seq;
	time_t second; /* what `date` is the text of */
	char date[sizeof("2038-01-19T03:14:07")];
	struct record_counts counts;
	struct blocked_set blocked;

	atomic_int error; /* the first error, negative; set after `failure` */
	char failure[512];
};

int audit_open(const struct audit_config *config, struct audit **ret, struct error *err)
{
	AUTO_FREE char *target = NULL;
	struct audit *audit;
	int r;

	if (config->target)
		target = strdup(config->target);
	else if (asprintf(&target, "%s/audit.jsonl", config->folder) < 0)
		target = NULL;
	audit = calloc(1, sizeof(*audit));
	if (!target || !audit) {
		free(audit);
		return error_set(err, ENOMEM, "cannot open the log");
	}
	audit->sink = SINK_CLOSED;
	audit->level = config->level;
	audit->session = strdup(config->session);
	pthread_mutex_init(&audit->lock, NULL);
	r = audit->session ? sink_open(&audit->sink, target, err)
			   : error_set(err, ENOMEM, "cannot open the log");
	if (r == 0)
		r = resume_chain(&audit->sink, audit->prev, &audit->torn, err);
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
	sink_close(&audit->sink);
	blocked_free(&audit->blocked);
	emit_free(&audit->line);
	pthread_mutex_destroy(&audit->lock);
	free(audit->session);
	free(audit);
}

static void fail(struct audit *audit, int error)
{
	const char *reason = error == -ESTALE
				     ? "it was removed, replaced or changed by somebody else"
				     : strerror(-error);

	snprintf(audit->failure, sizeof(audit->failure), "cannot write %s: %s", audit->sink.target,
		 reason);
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

/* Returns 0 with the lock held and a line begun, or the first error and no lock. */
static int begin_line(struct audit *audit)
{
	int r;

	pthread_mutex_lock(&audit->lock);
	r = atomic_load(&audit->error);
	if (r < 0)
		pthread_mutex_unlock(&audit->lock);
	else
		put_heading(audit);
	return r;
}

/* Writes the line. `record`, if any, is then counted. Gives the lock back. */
static int finish_line(struct audit *audit, const struct audit_record *record)
{
	int r = chain_seal(&audit->line, audit->prev);

	if (r == 0)
		r = sink_write(&audit->sink, audit->line.data, audit->line.len);
	if (r < 0) {
		fail(audit, r);
	} else {
		audit->seq++;
		if (record)
			record_count(&audit->counts, record);
		if (record &&
		    (record->event == EVENT_BLOCKED || record->event == EVENT_WOULD_BLOCK))
			blocked_add(&audit->blocked, record);
	}
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
	char torn[96];
	int r = begin_line(audit);

	if (r < 0)
		return r;
	snprintf(torn, sizeof(torn), "cut off %zu bytes of a torn last line", audit->torn);
	record_write_start(&audit->line, start, audit->level, audit->torn ? torn : NULL);
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

const char *audit_target(const struct audit *audit)
{
	return audit->sink.target;
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
