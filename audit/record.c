/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/record.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

_Static_assert((int)RECORD_NAME_MAX >= (int)ENDPOINT_TEXT_MAX, "an endpoint is never cut");

bool record_is_call(enum audit_event event)
{
	switch (event) {
	case EVENT_BLOCKED:
	case EVENT_WOULD_BLOCK:
	case EVENT_ALLOWED:
	case EVENT_REWRITTEN:
	case EVENT_EXEC:
		return true;
	case EVENT_START:
	case EVENT_EXIT:
	case EVENT_REPORTED:
	case EVENT_LIMIT:
	case EVENT_END:
	case EVENT_COUNT:
		break;
	}
	return false;
}

static void put_bytes(struct emitter *out, const char *key, const char *bytes, size_t len,
		      size_t max)
{
	if (!bytes)
		return;
	emit_key(out, key);
	emit_bytes(out, bytes, len, max);
}

static void put_name(struct emitter *out, const char *key, const char *name)
{
	put_bytes(out, key, name, name ? strlen(name) : 0, RECORD_NAME_MAX);
}

static void put_words(struct emitter *out, const char *key, const char *words)
{
	put_bytes(out, key, words, words ? strlen(words) : 0, RECORD_WORDS_MAX);
}

static void put_list(struct emitter *out, const char *key, const char *const *list)
{
	if (!list)
		return;
	emit_key(out, key);
	emit_list(out, list, RECORD_LIST_MAX);
}

static void put_number(struct emitter *out, const char *key, uint64_t number)
{
	emit_key(out, key);
	emit_uint(out, number);
}

static void put_rule(struct emitter *out, const struct rule_source *rule)
{
	char source[RECORD_NAME_MAX];

	emit_key(out, "rule");
	if (!rule) {
		emit_null(out);
		return;
	}
	snprintf(source, sizeof(source), "%.*s:%u", PATH_MAX, rule->file, rule->line);
	emit_open(out, '{');
	put_name(out, "source", source);
	put_words(out, "text", rule->text ? rule->text : "");
	emit_close(out, '}');
}

static void put_errno(struct emitter *out, int error)
{
	const char *name = strerrorname_np(error);
	char number[16];

	if (!error)
		return;
	snprintf(number, sizeof(number), "%d", error);
	put_words(out, "errno", name ? name : number);
}

static void put_actor(struct emitter *out, const struct audit_actor *actor)
{
	put_number(out, "pid", (uint64_t)actor->pid);
	put_number(out, "tid", (uint64_t)actor->tid);
	put_number(out, "ppid", (uint64_t)actor->ppid);
	put_number(out, "exec_id", actor->exec_id);
	put_number(out, "parent_exec_id", actor->parent_exec_id);
	put_name(out, "exe", actor->exe);
	put_words(out, "comm", actor->comm);
	put_list(out, "argv", actor->argv);
	put_name(out, "cwd", actor->cwd);
	put_number(out, "uid", actor->uid);
}

static void put_stack(struct emitter *out, const struct audit_record *record)
{
	char ip[sizeof("0x") + 16];

	if (record->stack_count == 0)
		return;
	emit_key(out, "stack");
	emit_open(out, '[');
	for (size_t i = 0; i < record->stack_count; i++) {
		const struct audit_frame *frame = &record->stack[i];

		/* As text: not every reader of JSON has 64-bit numbers. */
		snprintf(ip, sizeof(ip), "0x%" PRIx64, frame->ip);
		emit_open(out, '{');
		put_words(out, "ip", ip);
		put_words(out, "object", frame->object);
		put_words(out, "build_id", frame->build_id);
		put_words(out, "symbol", frame->symbol);
		put_number(out, "offset", frame->offset);
		emit_close(out, '}');
	}
	emit_close(out, ']');
}

static void put_script(struct emitter *out, const struct audit_record *record)
{
	if (record->script_count == 0)
		return;
	emit_key(out, "script");
	emit_open(out, '[');
	for (size_t i = 0; i < record->script_count; i++) {
		const struct audit_script_frame *frame = &record->script[i];

		emit_open(out, '{');
		put_words(out, "language", frame->language);
		put_words(out, "function", frame->function);
		put_words(out, "file", frame->file);
		if (frame->line)
			put_number(out, "line", frame->line);
		emit_close(out, '}');
	}
	emit_close(out, ']');
}

static void put_exit(struct emitter *out, const struct audit_exit *end)
{
	char started[sizeof("2038-01-19T03:14:07.123456789Z")];
	struct tm tm;

	gmtime_r(&end->started.tv_sec, &tm);
	snprintf(started + strftime(started, sizeof(started), "%FT%T", &tm),
		 sizeof(".123456789Z"), ".%09ldZ", end->started.tv_nsec);
	put_words(out, "started", started);
	if (end->known && !end->signal)
		put_number(out, "exit_code", (uint64_t)end->exit_code);
	if (end->known && end->signal)
		put_number(out, "signal", (uint64_t)end->signal);
	if (!end->used)
		return;
	emit_key(out, "usage");
	emit_open(out, '{');
	emit_key(out, "user_s");
	emit_seconds(out, end->user_ns);
	emit_key(out, "system_s");
	emit_seconds(out, end->system_ns);
	if (end->max_rss_bytes)
		put_number(out, "max_rss_bytes", end->max_rss_bytes);
	emit_close(out, '}');
}

void record_write(struct emitter *out, const struct audit_record *record)
{
	const bool is_call = record_is_call(record->event) ||
			     (record->event == EVENT_LIMIT && record->syscall);
	size_t arg_len = record->arg_len;

	put_words(out, "event", audit_event_name(record->event));
	if (is_call) {
		put_words(out, "class", access_class_name(record->class));
		put_words(out, "op", access_op_name(record->op));
	}
	if (record->event == EVENT_REPORTED)
		put_words(out, "source", "preload");
	put_words(out, "function", record->function);
	put_words(out, "syscall", record->syscall);
	if (record->arg && arg_len == 0)
		arg_len = strlen(record->arg);
	put_bytes(out, "arg", record->arg, arg_len, RECORD_NAME_MAX);
	put_name(out, "path", record->path);
	put_name(out, "endpoint", record->endpoint);
	put_words(out, "host", record->host);
	put_list(out, "flags", record->flags);
	put_list(out, "args", record->args);
	if (is_call) {
		put_words(out, "decision", decision_name(record->verdict.decision));
		put_rule(out, record->verdict.rule);
		put_errno(out, record->verdict.error);
	} else if (record->verdict.rule) {
		put_rule(out, record->verdict.rule);
	}
	put_name(out, "to", record->to);
	if (record->actor)
		put_actor(out, record->actor);
	put_words(out, "exe_sha256", record->exe_sha256);
	put_stack(out, record);
	put_script(out, record);
	put_words(out, "detail", record->detail);
	if (record->exit)
		put_exit(out, record->exit);
}

void record_write_start(struct emitter *out, const struct audit_start *start,
			enum audit_level level, const char *public_key, const char *detail)
{
	struct utsname host = {0};
	char kernel[sizeof(host.sysname) + sizeof(host.release) + sizeof(host.machine)];

	put_words(out, "event", audit_event_name(EVENT_START));
	uname(&host);
	put_words(out, "host", host.nodename);
	put_number(out, "pid", (uint64_t)getpid());
	put_number(out, "uid", getuid());
	put_words(out, "detail", detail);
	put_words(out, "version", start->version);
	emit_key(out, "policies");
	emit_open(out, '[');
	for (size_t i = 0; i < start->policy_count; i++) {
		emit_open(out, '{');
		put_name(out, "file", start->policies[i].file);
		put_words(out, "sha256", start->policies[i].sha256);
		emit_close(out, '}');
	}
	emit_close(out, ']');
	put_list(out, "command", start->command);
	snprintf(kernel, sizeof(kernel), "%s %s %s", host.sysname, host.release, host.machine);
	put_words(out, "kernel", kernel);
	put_words(out, "engine", start->engine);
	put_words(out, "log", audit_level_name(level));
	emit_key(out, "observe");
	emit_bool(out, start->observe);
	put_words(out, "library", start->library);
	put_words(out, "public_key", public_key);
}

void record_count(struct record_counts *counts, const struct audit_record *record)
{
	counts->event[record->event]++;
	if (record_is_call(record->event)) {
		counts->decision[record->verdict.decision]++;
		counts->class[record->class]++;
	}
}

static void put_library(struct emitter *out, const struct audit_library *library)
{
	if (!library)
		return;
	emit_key(out, "preload");
	emit_open(out, '{');
	put_number(out, "received", library->received);
	put_number(out, "malformed", library->malformed);
	put_number(out, "dropped", library->dropped);
	emit_close(out, '}');
}

void record_write_end(struct emitter *out, const struct record_counts *counts, uint64_t dropped,
		      const struct audit_library *library, int exit_code, uint64_t duration_ns)
{
	put_words(out, "event", audit_event_name(EVENT_END));
	if (dropped)
		put_words(out, "detail", "records of calls that were not refused were dropped: the "
					 "log did not take them in time");
	emit_key(out, "exit_code");
	emit_int(out, exit_code);
	emit_key(out, "duration_s");
	emit_seconds(out, duration_ns);
	emit_key(out, "counts");
	emit_open(out, '{');
	emit_key(out, "event");
	emit_open(out, '{');
	/* Neither start nor end: there is one of each. */
	for (int i = EVENT_START + 1; i < EVENT_END; i++)
		put_number(out, audit_event_name((enum audit_event)i), counts->event[i]);
	emit_close(out, '}');
	emit_key(out, "decision");
	emit_open(out, '{');
	for (int i = 0; i < DECISION_COUNT; i++)
		put_number(out, decision_name((enum decision)i), counts->decision[i]);
	emit_close(out, '}');
	emit_key(out, "class");
	emit_open(out, '{');
	for (int i = 0; i < CLASS_COUNT; i++)
		put_number(out, access_class_name((enum access_class)i), counts->class[i]);
	emit_close(out, '}');
	emit_close(out, '}');
	put_number(out, "dropped", dropped);
	put_library(out, library);
}
