/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/result.h"

#include <stdio.h>
#include <string.h>

#include "audit/record.h"

static void put_text(struct emitter *out, const char *key, const char *text)
{
	emit_key(out, key);
	if (text)
		emit_bytes(out, text, strlen(text), SIZE_MAX);
	else
		emit_null(out);
}

static void put_number(struct emitter *out, const char *key, uint64_t number)
{
	emit_key(out, key);
	emit_uint(out, number);
}

static void put_bool(struct emitter *out, const char *key, bool value)
{
	emit_key(out, key);
	emit_bool(out, value);
}

static void put_seconds(struct emitter *out, const char *key, double seconds)
{
	emit_key(out, key);
	emit_seconds(out, (uint64_t)(seconds * 1e9 + 0.5));
}

static void put_stream(struct emitter *out, const char *key, const struct result_stream *stream)
{
	emit_key(out, key);
	if (stream->bytes)
		emit_bytes(out, stream->bytes, stream->len, SIZE_MAX);
	else
		emit_null(out);
}

static void put_usage(struct emitter *out, const struct result *result)
{
	emit_key(out, "usage");
	emit_open(out, '{');
	put_seconds(out, "user_s", result->usage.user_s);
	put_seconds(out, "system_s", result->usage.system_s);
	put_number(out, "max_rss_bytes", result->usage.max_rss_bytes);
	put_number(out, "processes", result->usage.processes);
	put_number(out, "bytes_written", result->usage.bytes_written);
	emit_close(out, '}');
}

/* The field of a record that the target would stand in. */
static const char *target_field(const struct audit_blocked *blocked)
{
	switch (blocked->class) {
	case CLASS_FILE:
	case CLASS_EXEC:
		return "path";
	case CLASS_NETWORK:
		return "endpoint";
	case CLASS_PROCESS:
	case CLASS_SYSTEM:
	case CLASS_COUNT:
		break;
	}
	return "syscall";
}

static void put_blocked(struct emitter *out, const struct audit_blocked *blocked)
{
	char source[RECORD_NAME_MAX];

	emit_open(out, '{');
	put_text(out, "class", access_class_name(blocked->class));
	put_text(out, "op", access_op_name(blocked->op));
	put_text(out, target_field(blocked), blocked->target);
	put_number(out, "count", blocked->count);
	emit_key(out, "rule");
	if (blocked->rule_file) {
		snprintf(source, sizeof(source), "%s:%u", blocked->rule_file, blocked->rule_line);
		emit_open(out, '{');
		put_text(out, "source", source);
		put_text(out, "text", blocked->rule_text ? blocked->rule_text : "");
		emit_close(out, '}');
	} else {
		emit_null(out);
	}
	if (blocked->observed)
		put_bool(out, "observed", true);
	emit_close(out, '}');
}

void result_write(struct emitter *out, const struct result *result)
{
	char signal_name[32] = "";

	if (result->signal && sigabbrev_np(result->signal))
		snprintf(signal_name, sizeof(signal_name), "SIG%s", sigabbrev_np(result->signal));
	else if (result->signal)
		snprintf(signal_name, sizeof(signal_name), "SIG%d", result->signal);
	emit_open(out, '{');
	put_text(out, "session", result->session);
	emit_key(out, "command");
	emit_list(out, result->command, SIZE_MAX);
	emit_key(out, "exit_code");
	emit_int(out, result->exit_code);
	put_text(out, "signal", result->signal ? signal_name : NULL);
	put_bool(out, "timed_out", result->timed_out);
	put_text(out, "limit", result->limit);
	emit_key(out, "duration_s");
	emit_seconds(out, result->duration_ns);
	put_stream(out, "stdout", &result->out);
	put_stream(out, "stderr", &result->err);
	put_bool(out, "stdout_truncated", result->out.truncated);
	put_bool(out, "stderr_truncated", result->err.truncated);
	put_usage(out, result);
	emit_key(out, "blocked");
	emit_open(out, '[');
	for (size_t i = 0; i < result->blocked_count; i++)
		put_blocked(out, &result->blocked[i]);
	emit_close(out, ']');
	emit_key(out, "blocked_other");
	emit_uint(out, result->blocked_other);
	put_bool(out, "rolled_back", result->rolled_back);
	if (result->failure)
		put_text(out, "failure", result->failure);
	emit_close(out, '}');
	emit_raw(out, "\n", 1);
}
