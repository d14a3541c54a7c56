/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_LOG_FILTER_H
#define PROCTOR_CLI_LOG_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "policy/memory.h"
#include "policy/pattern.h"

/* Which records are wanted. All conditions must hold; a zeroed filter lets all through. */

/* A set of small numbers: process and exec ids. */
struct log_ids {
	unsigned char *bits;
	size_t size; /* bytes */
};

struct log_filter {
	struct memory memory;
	bool blocked;         /* blocked and would_block only */
	unsigned int classes; /* bits 1 << enum access_class; 0: all */
	struct pattern *patterns;
	size_t pattern_count;
	const char *host;  /* glob, case ignored; of the name or the address */
	const char *rule;  /* FILE:LINE, the end of one, or the text; "none": no rule */
	char since[40];    /* as `ts`, inclusive; "": from the first */
	char until[40];    /* as `ts`, inclusive; "": to the last */
	pid_t pid;         /* this process and what descends from it; 0: all */
	struct log_ids pids; /* of the subtree, as far as the log has told */
	struct log_ids execs;
	struct log_ids foreign; /* exec ids that were seen outside */
};

/* Each returns 0, or a negative errno with *err set: the argument is not right. Texts are kept by
 * reference. */
int log_filter_class(struct log_filter *filter, const char *name, struct error *err);
int log_filter_path(struct log_filter *filter, const char *glob, const char *cwd, const char *home,
		    struct error *err);
int log_filter_pid(struct log_filter *filter, const char *text, struct error *err);
/* "2026-11-25", "2026-11-25T09:00:00Z", or how long ago: "10m". `ret` is since or until. */
int log_filter_time(char ret[40], const char *text, bool until, struct error *err);

/* Is to see every record in order, so that it learns who descends from whom. */
bool log_filter_wants(struct log_filter *filter, const json_t *record);

void log_filter_free(struct log_filter *filter);

#endif
