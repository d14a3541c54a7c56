/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/report_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "audit/export.h"
#include "core/access.h"
#include "core/cleanup.h"
#include "policy/memory.h"

/* A text, or a compound key, and what is known under it. */
struct entry {
	UT_hash_handle hh;
	size_t place;
	char key[];
};

struct report_index {
	struct entry *strings;
	struct entry *processes;
	struct entry *blocked;
	struct entry *targets;
};

static void *grown(void *items, size_t count, size_t size)
{
	/* At 0, 1, 2, 4, 8... items: room for as many again. */
	if (count == 0 || (count & (count - 1)) == 0) {
		items = realloc(items, (count ? count * 2 : 1) * size);
		if (!items)
			memory_exhausted();
	}
	memset((char *)items + count * size, 0, size);
	return items;
}
#define PUSH(items, count)                                                                         \
	((items) = grown((items), (count), sizeof(*(items))), &(items)[(count)++])

/* The entry of a key; *ret_new when there was none, and `place` is to be set. */
static struct entry *entry_of(struct entry **table, const char *key, bool *ret_new)
{
	const size_t len = strlen(key);
	struct entry *entry = NULL;

	HASH_FIND(hh, *table, key, len, entry);
	*ret_new = !entry;
	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry) + len + 1);
	if (!entry)
		memory_exhausted();
	memcpy(entry->key, key, len + 1);
	HASH_ADD_KEYPTR(hh, *table, entry->key, len, entry);
	return entry;
}

static unsigned int string_of(struct report *report, const char *text)
{
	struct entry *entry;
	bool is_new;

	if (report->string_count == 0)
		*PUSH(report->strings, report->string_count) = "";
	if (!text)
		return 0;
	entry = entry_of(&report->index->strings, text, &is_new);
	if (is_new) {
		entry->place = report->string_count;
		*PUSH(report->strings, report->string_count) = entry->key;
	}
	return (unsigned int)entry->place;
}

static long long number(const json_t *record, const char *field)
{
	return (long long)json_integer_value(json_object_get(record, field));
}

static bool is_blocked(const char *event)
{
	return !strcmp(event, "blocked") || !strcmp(event, "would_block");
}

static const char *target_of(const json_t *record)
{
	static const char *const fields[] = {"path", "endpoint", "host", "arg", "syscall", "detail"};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (export_text(record, fields[i]))
			return export_text(record, fields[i]);
	}
	return NULL;
}

/* From 1; 0: the record names none. */
static unsigned int add_process(struct report *report, const json_t *record, const char *event)
{
	struct report_process *process;
	struct entry *entry;
	char key[64];
	bool is_new;

	if (!json_object_get(record, "exec_id"))
		return 0;
	snprintf(key, sizeof(key), "%lld:%lld", number(record, "exec_id"), number(record, "pid"));
	entry = entry_of(&report->index->processes, key, &is_new);
	if (is_new) {
		const char *exe = export_text(record, "exe");

		entry->place = report->process_count;
		*PUSH(report->processes, report->process_count) = (struct report_process){
			.exec_id = (uint64_t)number(record, "exec_id"),
			.parent_exec_id = (uint64_t)number(record, "parent_exec_id"),
			.pid = number(record, "pid"),
			.ppid = number(record, "ppid"),
			.exe = strdup(exe ? exe : "?"),
			.command = export_words(json_object_get(record, "argv")),
			.first_ms = export_time_ms(record),
			.parent = SIZE_MAX,
		};
	}
	process = &report->processes[entry->place];
	process->last_ms = export_time_ms(record);
	process->records++;
	process->blocked += is_blocked(event);
	return (unsigned int)entry->place + 1;
}

static void add_blocked(struct report *report, json_t *record)
{
	const char *source = export_text(json_object_get(record, "rule"), "source");
	const char *target = target_of(record);
	struct report_blocked *blocked;
	AUTO_FREE char *key = NULL;
	struct entry *entry;
	bool is_new;

	report->blocked_total++;
	if (asprintf(&key, "%s\n%s\n%s\n%s\n%s", export_text(record, "event"),
		     export_text(record, "class"), export_text(record, "op"), target ? target : "",
		     source ? source : "") < 0)
		memory_exhausted();
	entry = entry_of(&report->index->blocked, key, &is_new);
	if (is_new) {
		entry->place = report->blocked_count;
		PUSH(report->blocked, report->blocked_count)->record = json_incref(record);
	}
	blocked = &report->blocked[entry->place];
	blocked->count++;
	blocked->last_ms = export_time_ms(record);
}

static void add_target(struct report *report, const json_t *record, const char *event)
{
	const char *class = export_text(record, "class");
	const char *name = export_text(record, "path");
	const char *op = export_text(record, "op");
	struct report_target *target;
	struct entry *entry;
	bool is_new;

	if (class && !strcmp(class, "network"))
		name = export_text(record, "endpoint") ? export_text(record, "endpoint")
						       : export_text(record, "host");
	if (!class || !name || !op)
		return;
	entry = entry_of(&report->index->targets, name, &is_new);
	if (is_new) {
		entry->place = report->target_count;
		target = PUSH(report->targets, report->target_count);
		target->name = entry->key;
		target->network = !strcmp(class, "network");
	}
	target = &report->targets[entry->place];
	if (is_blocked(event))
		target->blocked++;
	else if (!strcmp(event, "rewritten"))
		target->rewritten++;
	else
		target->allowed++;
	for (unsigned int i = 0; i < OP_COUNT; i++) {
		if (!strcmp(op, access_op_name((enum access_op)i)))
			target->ops |= 1U << i;
	}
}

static void add_event(struct report *report, const json_t *record, const char *event,
		      unsigned int process)
{
	struct report_process *owner = process ? &report->processes[process - 1] : NULL;
	const char *function = export_text(record, "function");
	AUTO_FREE char *args = function ? export_words(json_object_get(record, "args")) : NULL;

	if (report->event_count == REPORT_EVENTS_MAX) {
		report->left_out++;
		return;
	}
	*PUSH(report->events, report->event_count) = (struct report_event){
		.ms = export_time_ms(record),
		.event = string_of(report, event),
		.op = string_of(report, function ? function : export_text(record, "op")),
		.target = string_of(report, function ? args : target_of(record)),
		.rule = string_of(report,
				  export_text(json_object_get(record, "rule"), "source")),
		.process = process,
	};
	if (!owner)
		return;
	if (owner->last_event)
		report->events[owner->last_event - 1].next = report->event_count;
	else
		owner->first_event = report->event_count;
	owner->last_event = report->event_count;
}

void report_add(struct report *report, json_t *record)
{
	const char *event = export_text(record, "event");
	const long long ms = export_time_ms(record);
	unsigned int process;

	if (!event)
		return;
	if (!report->index && !(report->index = calloc(1, sizeof(*report->index))))
		memory_exhausted();
	if (!strcmp(event, "start")) {
		json_decref(report->start);
		report->start = json_incref(record);
	} else if (!strcmp(event, "end")) {
		json_decref(report->end);
		report->end = json_incref(record);
	}
	if (!report->first_ms)
		report->first_ms = ms;
	report->last_ms = ms;
	process = add_process(report, record, event);
	if (is_blocked(event))
		add_blocked(report, record);
	add_target(report, record, event);
	add_event(report, record, event, process);
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct report_target *)left)->name,
		      ((const struct report_target *)right)->name);
}

/* The image that it was forked from, else one of those that executed it. */
static size_t parent_of(const struct report *report, const struct report_process *process)
{
	struct entry *entry = NULL;
	char key[64];

	snprintf(key, sizeof(key), "%llu:%lld", (unsigned long long)process->exec_id, process->ppid);
	HASH_FIND_STR(report->index->processes, key, entry);
	if (!entry) {
		snprintf(key, sizeof(key), "%llu:%lld",
			 (unsigned long long)process->parent_exec_id, process->ppid);
		HASH_FIND_STR(report->index->processes, key, entry);
	}
	if (!entry) {
		/* A process that has executed another program in its own place. */
		snprintf(key, sizeof(key), "%llu:%lld",
			 (unsigned long long)process->parent_exec_id, process->pid);
		HASH_FIND_STR(report->index->processes, key, entry);
	}
	/* Earlier ones only, so that a forged log makes no circle. */
	return entry && &report->processes[entry->place] < process ? entry->place : SIZE_MAX;
}

void report_finish(struct report *report)
{
	for (size_t i = 0; i < report->process_count; i++)
		report->processes[i].parent = parent_of(report, &report->processes[i]);
	if (report->target_count)
		qsort(report->targets, report->target_count, sizeof(*report->targets), by_name);
}

static void free_table(struct entry **table)
{
	struct entry *entry;
	struct entry *next;

	HASH_ITER (hh, *table, entry, next) {
		HASH_DEL(*table, entry);
		free(entry);
	}
}

void report_free(struct report *report)
{
	for (size_t i = 0; i < report->process_count; i++) {
		free(report->processes[i].exe);
		free(report->processes[i].command);
	}
	for (size_t i = 0; i < report->blocked_count; i++)
		json_decref(report->blocked[i].record);
	if (report->index) {
		free_table(&report->index->strings);
		free_table(&report->index->processes);
		free_table(&report->index->blocked);
		free_table(&report->index->targets);
	}
	free(report->index);
	free(report->processes);
	free(report->blocked);
	free(report->targets);
	free(report->events);
	free(report->strings);
	json_decref(report->start);
	json_decref(report->end);
	*report = (struct report){.start = NULL};
}
