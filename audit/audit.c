/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "audit/blocked.h"
#include "audit/metrics.h"
#include "audit/output.h"
#include "core/cleanup.h"

_Static_assert((int)AUDIT_KEY_HEX_SIZE == (int)PUBLIC_KEY_HEX_SIZE, "one key");

struct audit {
	char *session;
	enum audit_level level;
	struct signer *signer; /* NULL: records are not signed */
	struct output *outputs;
	size_t output_count;
	int hurry; /* eventfd; see audit_hurry() */

	pthread_mutex_t lock; /* of what follows */
	struct record_counts counts;
	struct blocked_set blocked;
	struct audit_library library;
	bool has_library;

	atomic_int error; /* the first error, negative; set after `failure` */
	char failure[512];
};

static int open_output(struct audit *audit, const struct audit_config *config, const char *target,
		       struct error *err)
{
	struct audit_config own = *config;

	own.session = audit->session;
	audit->output_count++;
	return output_open(&audit->outputs[audit->output_count - 1], &own, audit->signer, target,
			   audit->hurry, err);
}

static int open_outputs(struct audit *audit, const struct audit_config *config, struct error *err)
{
	AUTO_FREE char *standard = NULL;
	int r = 0;

	audit->outputs = calloc(config->target_count + 1, sizeof(*audit->outputs));
	if (!audit->outputs || !audit->session || audit->hurry < 0)
		return error_set(err, ENOMEM, "cannot open the log");
	if (config->target_count == 0) {
		if (asprintf(&standard, "%s/audit.jsonl", config->folder) < 0) {
			standard = NULL;
			return error_set(err, ENOMEM, "cannot open the log");
		}
		return open_output(audit, config, standard, err);
	}
	for (size_t i = 0; i < config->target_count && r == 0; i++)
		r = open_output(audit, config, config->targets[i], err);
	return r;
}

int audit_open(const struct audit_config *config, struct audit **ret, struct error *err)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	int r;

	if (!audit)
		return error_set(err, ENOMEM, "cannot open the log");
	audit->level = config->level;
	audit->session = strdup(config->session);
	audit->hurry = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&audit->lock, NULL);
	r = config->key_file ? signer_open(config->key_file, &audit->signer, err) : 0;
	if (r == 0)
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
		output_close(&audit->outputs[i]);
	free(audit->outputs);
	close_fd(&audit->hurry);
	signer_close(audit->signer);
	blocked_free(&audit->blocked);
	pthread_mutex_destroy(&audit->lock);
	free(audit->session);
	free(audit);
}

static const char *reason_of(int error)
{
	switch (error) {
	case -ESTALE:
		return "it was removed, replaced or changed by somebody else";
	case -EDQUOT:
		return "it has reached its limit (--log-limit)";
	default:
		return strerror(-error);
	}
}

static void fail(struct audit *audit, const struct output *output, int error)
{
	pthread_mutex_lock(&audit->lock);
	if (!atomic_load(&audit->error)) {
		snprintf(audit->failure, sizeof(audit->failure), "cannot write %s: %s",
			 output->sink.target, reason_of(error));
		atomic_store(&audit->error, error);
	}
	pthread_mutex_unlock(&audit->lock);
}

static void count(struct audit *audit, const struct audit_record *record)
{
	pthread_mutex_lock(&audit->lock);
	record_count(&audit->counts, record);
	if (record->event == EVENT_BLOCKED || record->event == EVENT_WOULD_BLOCK)
		blocked_add(&audit->blocked, record);
	pthread_mutex_unlock(&audit->lock);
}

int audit_write(struct audit *audit, const struct audit_record *record)
{
	int r = atomic_load(&audit->error);

	if (r < 0 || !audit_level_wants(audit->level, record->event))
		return r;
	for (size_t i = 0; i < audit->output_count; i++) {
		int error = output_record(&audit->outputs[i], record);

		if (error == 0)
			continue;
		fail(audit, &audit->outputs[i], error);
		/* Where there is no more room, there is this record, and so it is in the others. */
		if (r == 0 || r == -EDQUOT)
			r = error;
		if (error != -EDQUOT)
			return r;
	}
	count(audit, record);
	return r;
}

int audit_write_start(struct audit *audit, const struct audit_start *start)
{
	for (size_t i = 0; i < audit->output_count; i++) {
		int r = output_start(&audit->outputs[i], start);

		if (r < 0) {
			fail(audit, &audit->outputs[i], r);
			return r;
		}
	}
	return 0;
}

void audit_set_library(struct audit *audit, const struct audit_library *library)
{
	audit->library = *library;
	audit->has_library = true;
}

int audit_write_end(struct audit *audit, int exit_code, uint64_t duration_ns)
{
	for (size_t i = 0; i < audit->output_count; i++) {
		int r = output_end(&audit->outputs[i], audit->has_library ? &audit->library : NULL,
				   exit_code, duration_ns);

		if (r < 0)
			fail(audit, &audit->outputs[i], r);
	}
	return atomic_load(&audit->error);
}

void audit_hurry(struct audit *audit)
{
	const uint64_t one = 1;

	for (size_t i = 0; i < audit->output_count; i++)
		sink_resume(&audit->outputs[i].sink);
	(void)!write(audit->hurry, &one, sizeof(one));
}

bool audit_is_full(const struct audit *audit)
{
	return atomic_load(&audit->error) == -EDQUOT;
}

uint64_t audit_dropped(const struct audit *audit)
{
	uint64_t dropped = 0;

	for (size_t i = 0; i < audit->output_count; i++) {
		const uint64_t own = atomic_load(&audit->outputs[i].dropped);

		dropped = own > dropped ? own : dropped;
	}
	return dropped;
}

const char *audit_failure(struct audit *audit)
{
	return atomic_load(&audit->error) ? audit->failure : NULL;
}

uint64_t audit_written(const struct audit *audit)
{
	uint64_t written = 0;

	for (size_t i = 0; i < audit->output_count; i++) {
		if (audit->outputs[i].sink.kind == SINK_FILE && !audit->outputs[i].in_memory)
			written += atomic_load(&audit->outputs[i].written);
	}
	return written;
}

int audit_make_key(const char *file, char ret_public[AUDIT_KEY_HEX_SIZE], struct error *err)
{
	return signer_make_key(file, ret_public, err);
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
