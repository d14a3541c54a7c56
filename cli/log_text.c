/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/log_text.h"

#include <string.h>

#include "audit/export.h"
#include "cli/terminal.h"
#include "core/cleanup.h"

/* Longer ones fill the screen; the log has them whole. */
enum { NAME_MAX_SHOWN = 1024, WORDS_MAX_SHOWN = 300 };

static void put(FILE *out, const char *before, const char *text, size_t max)
{
	if (!text)
		return;
	fputs(before, out);
	terminal_print(out, text, max);
}

static long long number(const json_t *record, const char *field)
{
	return (long long)json_integer_value(json_object_get(record, field));
}

static const char *colour_of(const char *event)
{
	if (!strcmp(event, "blocked"))
		return "\033[1;31m";
	if (!strcmp(event, "would_block") || !strcmp(event, "limit"))
		return "\033[1;33m";
	if (!strcmp(event, "rewritten"))
		return "\033[35m";
	return NULL;
}

/* To milliseconds, which is what one reads. */
static void put_time(FILE *out, const json_t *record)
{
	const char *ts = export_text(record, "ts");
	size_t len = ts ? strlen(ts) : 0;

	if (len == sizeof("2026-11-23T08:15:00.123456789Z") - 1)
		fprintf(out, "%.23sZ ", ts);
	else
		put(out, "", ts ? ts : "?", 64);
	if (len != sizeof("2026-11-23T08:15:00.123456789Z") - 1)
		fputc(' ', out);
}

static void put_event(FILE *out, const char *event, bool colour)
{
	const char *on = colour ? colour_of(event) : NULL;

	if (on)
		fputs(on, out);
	terminal_print(out, event, 32);
	if (on)
		fputs("\033[0m", out);
}

static const char *target_of(const json_t *record)
{
	static const char *const fields[] = {"path", "endpoint", "host", "arg", "syscall"};

	/* A kernel door is known by its name. */
	if (export_text(record, "class") && !strcmp(export_text(record, "class"), "system"))
		return export_text(record, "syscall");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (export_text(record, fields[i]))
			return export_text(record, fields[i]);
	}
	return NULL;
}

static void put_reason(FILE *out, const json_t *record)
{
	const json_t *rule = json_object_get(record, "rule");
	const char *error = export_text(record, "errno");

	put(out, ": ", error, 32);
	if (json_is_object(rule)) {
		put(out, error ? ", rule " : ": rule ", export_text(rule, "source"), NAME_MAX_SHOWN);
	} else if (json_is_null(rule) && error && !export_text(record, "detail")) {
		fputs(", no rule allows it", out);
	}
	put(out, error ? ", " : ": ", export_text(record, "detail"), WORDS_MAX_SHOWN);
}

static void put_call(FILE *out, const json_t *record)
{
	const char *class = export_text(record, "class");
	const char *host = export_text(record, "host");

	put(out, " ", export_text(record, "op"), 32);
	put(out, " ", target_of(record), NAME_MAX_SHOWN);
	if (class && host && export_text(record, "endpoint")) {
		put(out, " (", host, WORDS_MAX_SHOWN);
		fputc(')', out);
	}
	put(out, " -> ", export_text(record, "to"), NAME_MAX_SHOWN);
	put_reason(out, record);
}

/* What a function of a library was given. */
static void put_function(FILE *out, const json_t *record)
{
	AUTO_FREE char *args = export_words(json_object_get(record, "args"));

	put(out, " ", export_text(record, "function"), 32);
	put(out, " ", args, NAME_MAX_SHOWN);
}

static void put_actor(FILE *out, const json_t *record)
{
	if (!json_object_get(record, "exec_id"))
		return;
	put(out, " [", export_text(record, "comm") ? export_text(record, "comm") : "?", 64);
	fprintf(out, ", pid %lld, exec %lld]", number(record, "pid"), number(record, "exec_id"));
}

/* What start, exit and end say besides. */
static void put_run(FILE *out, const json_t *record)
{
	AUTO_FREE char *command = export_words(json_object_get(record, "command"));
	const json_t *seconds = json_object_get(record, "duration_s");

	put(out, " session ", command ? export_text(record, "session") : NULL, 64);
	put(out, ": ", command, NAME_MAX_SHOWN);
	if (json_object_get(record, "exit_code"))
		fprintf(out, ": exit code %lld", number(record, "exit_code"));
	if (json_object_get(record, "signal"))
		fprintf(out, ": signal %lld", number(record, "signal"));
	if (json_is_number(seconds))
		fprintf(out, " after %.3f s", json_number_value(seconds));
}

static void put_frame(FILE *out, const json_t *frame)
{
	put(out, "    at ", export_text(frame, "symbol") ? export_text(frame, "symbol") : "?",
	    WORDS_MAX_SHOWN);
	if (export_text(frame, "symbol"))
		fprintf(out, "+0x%llx", (unsigned long long)number(frame, "offset"));
	put(out, " in ", export_text(frame, "object"), NAME_MAX_SHOWN);
	put(out, " ", export_text(frame, "ip"), 32);
	fputc('\n', out);
}

static void put_script_frame(FILE *out, const json_t *frame)
{
	put(out, "    in ", export_text(frame, "function"), WORDS_MAX_SHOWN);
	put(out, " ", export_text(frame, "file"), NAME_MAX_SHOWN);
	if (json_object_get(frame, "line"))
		fprintf(out, ":%lld", number(frame, "line"));
	put(out, " (", export_text(frame, "language"), 32);
	fputs(")\n", out);
}

static void put_more(FILE *out, const json_t *record)
{
	AUTO_FREE char *argv = export_words(json_object_get(record, "argv"));
	AUTO_FREE char *args = export_words(json_object_get(record, "args"));
	AUTO_FREE char *flags = export_words(json_object_get(record, "flags"));
	const struct {
		const char *label;
		const char *text;
	} lines[] = {
		{"syscall", export_text(record, "syscall")},
		{"as written", export_text(record, "arg")},
		{"flags", flags},
		{"arguments", args},
		{"rule text", export_text(json_object_get(record, "rule"), "text")},
		{"program", export_text(record, "exe")},
		{"command line", argv},
		{"folder", export_text(record, "cwd")},
	};
	const json_t *stack = json_object_get(record, "stack");
	const json_t *script = json_object_get(record, "script");

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!lines[i].text)
			continue;
		fprintf(out, "    %s: ", lines[i].label);
		terminal_print(out, lines[i].text, NAME_MAX_SHOWN);
		fputc('\n', out);
	}
	for (size_t i = 0; i < json_array_size(stack); i++)
		put_frame(out, json_array_get(stack, i));
	for (size_t i = 0; i < json_array_size(script); i++)
		put_script_frame(out, json_array_get(script, i));
}

void log_text_print(FILE *out, const json_t *record, bool colour, bool verbose)
{
	const char *event = export_text(record, "event");

	put_time(out, record);
	put_event(out, event ? event : "?", colour);
	if (export_text(record, "class"))
		put_call(out, record);
	else if (export_text(record, "function"))
		put_function(out, record);
	else
		put(out, ": ", export_text(record, "detail"), WORDS_MAX_SHOWN);
	put_run(out, record);
	put_actor(out, record);
	fputc('\n', out);
	if (verbose)
		put_more(out, record);
}
