/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_REPORT_MODEL_H
#define PROCTOR_CLI_REPORT_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a report is made of, out of the records of a log. */

/* A program image in a process: what one exec has brought, or a fork of it. */
struct report_process {
	uint64_t exec_id;
	uint64_t parent_exec_id;
	long long pid;
	long long ppid;
	char *exe;
	char *command; /* argv, joined; NULL: not known */
	long long first_ms;
	long long last_ms;
	uint64_t blocked;
	uint64_t records;
	size_t parent; /* index, SIZE_MAX: none that is known */
	size_t first_event; /* of it; from 1, 0: none */
	size_t last_event;
};

/* Blocked attempts, equal ones folded: the same act on the same target by the same rule. */
struct report_blocked {
	json_t *record; /* the first of them */
	uint64_t count;
	long long last_ms;
};

/* A name or an endpoint, and what was done with it. */
struct report_target {
	char *name;
	bool network;
	uint64_t allowed;
	uint64_t rewritten;
	uint64_t blocked; /* would_block included */
	unsigned int ops; /* bits 1 << enum access_op */
};

/* A record, for the list of all. Numbers are places in `strings`; 0: nothing. */
struct report_event {
	long long ms;
	unsigned int event;
	unsigned int op;
	unsigned int target;
	unsigned int rule;
	unsigned int process; /* place in `processes`, from 1 */
	size_t next;          /* event of that process, from 1; 0: none */
};

struct report {
	json_t *start; /* NULL: the log has none */
	json_t *end;
	long long first_ms;
	long long last_ms;
	struct report_process *processes;
	size_t process_count;
	struct report_blocked *blocked;
	size_t blocked_count;
	uint64_t blocked_total;
	struct report_target *targets;
	size_t target_count;
	struct report_event *events;
	size_t event_count;
	const char **strings;
	size_t string_count;
	uint64_t left_out; /* events beyond REPORT_EVENTS_MAX */
	struct report_index *index; /* hash tables over the above */
};

enum { REPORT_EVENTS_MAX = 500000 };

/* Adds one record. Ends the process with status 125 when memory is out. */
void report_add(struct report *report, json_t *record);

/* When all are added: finds parents, and sorts the targets by name. */
void report_finish(struct report *report);

void report_free(struct report *report);

#endif
