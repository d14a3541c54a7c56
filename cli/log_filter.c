/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/log_filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/export.h"
#include "core/access.h"
#include "policy/policy.h"

int log_filter_class(struct log_filter *filter, const char *name, struct error *err)
{
	for (unsigned int i = 0; i < CLASS_COUNT; i++) {
		if (!strcmp(name, access_class_name((enum access_class)i))) {
			filter->classes |= 1U << i;
			return 0;
		}
	}
	return error_set(err, 0,
			 "--class takes file, exec, network, process or system, not '%s'", name);
}

int log_filter_path(struct log_filter *filter, const char *glob, const char *cwd, const char *home,
		    struct error *err)
{
	const struct pattern_place place = {.folder = cwd, .home = home};
	const char *fault = pattern_compile(&filter->memory, glob, &place, &filter->patterns,
					    &filter->pattern_count);

	return fault ? error_set(err, 0, "--path '%s' %s", glob, fault) : 0;
}

/* Beyond the ids of any real log; a forged one shall not take the memory. */
enum { ID_MAX = 1 << 26 };

static int add_id(struct log_ids *ids, const json_t *id)
{
	const json_int_t value = json_integer_value(id);
	size_t size = (size_t)value / 8 + 1;

	if (value <= 0 || value > ID_MAX)
		return 0;
	if (size > ids->size) {
		unsigned char *bits = realloc(ids->bits, size * 2);

		if (!bits)
			return -ENOMEM;
		memset(bits + ids->size, 0, size * 2 - ids->size);
		ids->bits = bits;
		ids->size = size * 2;
	}
	ids->bits[value / 8] |= (unsigned char)(1 << value % 8);
	return 0;
}

static bool has_id(const struct log_ids *ids, const json_t *id)
{
	const json_int_t value = json_integer_value(id);

	return value > 0 && (size_t)value / 8 < ids->size && ids->bits[value / 8] & 1 << value % 8;
}

int log_filter_pid(struct log_filter *filter, const char *text, struct error *err)
{
	char *end;
	long pid = strtol(text, &end, 10);
	json_t *number;
	int error;

	if (end == text || *end || pid <= 0 || pid > ID_MAX)
		return error_set(err, 0, "--pid takes a process id, not '%s'", text);
	filter->pid = (pid_t)pid;
	number = json_integer(pid);
	error = add_id(&filter->pids, number);
	json_decref(number);
	return error < 0 ? error_set(err, ENOMEM, "--pid") : 0;
}

int log_filter_time(char ret[40], const char *text, bool until, struct error *err)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
	static const size_t cuts[] = {0, 3, 9}; /* what each leaves out at the end */
	struct tm tm;
	uint64_t ago;

	if (policy_parse_duration(text, &ago) == 0) {
		time_t then = time(NULL) - (time_t)(ago / 1000000000U);

		gmtime_r(&then, &tm);
		strftime(ret, 40, "%FT%T", &tm);
		return 0;
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const char *rest;
		size_t digits = 0;

		tm = (struct tm){0};
		rest = strptime(text, forms[i], &tm);
		if (rest && i == 0 && *rest == '.')
			digits = 1 + strspn(rest + 1, "0123456789");
		if (!rest || digits > 10 || strcmp(rest + digits, rest[digits] == 'Z' ? "Z" : "") != 0)
			continue;
		strftime(ret, 24, "%FT%T", &tm);
		ret[strlen("2026-11-25T09:30:00") - cuts[i]] = '\0';
		/* '~' stands behind all that a longer time could go on with. */
		sprintf(ret + strlen(ret), "%.*s%s", (int)digits, rest, until ? "~" : "");
		return 0;
	}
	return error_set(err, 0,
			 "'%s' is no time: expected 2026-11-25, 2026-11-25T09:30:00Z (UTC), or how "
			 "long ago: 90s, 10m, 2h",
			 text);
}

static bool right_time(const struct log_filter *filter, const json_t *record)
{
	const char *ts = export_text(record, "ts");

	if (!filter->since[0] && !filter->until[0])
		return true;
	return ts && strcmp(ts, filter->since) >= 0 &&
	       (!filter->until[0] || strcmp(ts, filter->until) <= 0);
}

static bool right_class(const struct log_filter *filter, const json_t *record)
{
	const char *name = export_text(record, "class");

	for (unsigned int i = 0; name && i < CLASS_COUNT; i++) {
		if (filter->classes & 1U << i &&
		    !strcmp(name, access_class_name((enum access_class)i)))
			return true;
	}
	return false;
}

static bool right_path(const struct log_filter *filter, const json_t *record)
{
	static const char *const fields[] = {"path", "arg", "to"};

	for (size_t field = 0; field < sizeof(fields) / sizeof(fields[0]); field++) {
		const char *path = export_text(record, fields[field]);

		/* A relative `arg` says nothing by itself. */
		if (!path || *path != '/')
			continue;
		for (size_t i = 0; i < filter->pattern_count; i++) {
			if (pattern_match(&filter->patterns[i], path))
				return true;
		}
	}
	return false;
}

static bool right_host(const struct log_filter *filter, const json_t *record)
{
	const char *host = export_text(record, "host");
	const char *endpoint = export_text(record, "endpoint");
	struct export_address address;

	/* In `start`, host is this machine. */
	if (!export_text(record, "class"))
		return false;
	if (host && fnmatch(filter->host, host, FNM_CASEFOLD) == 0)
		return true;
	if (!endpoint)
		return false;
	return fnmatch(filter->host, endpoint, FNM_CASEFOLD) == 0 ||
	       (export_split_endpoint(endpoint, &address) &&
		fnmatch(filter->host, address.ip, FNM_CASEFOLD) == 0);
}

static bool right_rule(const struct log_filter *filter, const json_t *record)
{
	const json_t *rule = json_object_get(record, "rule");
	const char *source = export_text(rule, "source");
	const char *text = export_text(rule, "text");
	size_t len = strlen(filter->rule);

	if (!strcmp(filter->rule, "none"))
		return json_is_null(rule);
	if (text && !strcmp(text, filter->rule))
		return true;
	if (!source || strlen(source) < len || strcmp(source + strlen(source) - len, filter->rule) != 0)
		return false;
	/* "policy.yaml:12", but not "2" for ":12". */
	return strlen(source) == len || source[strlen(source) - len - 1] == '/';
}

/*
 * Learns from the record, whether it is wanted or not. A fork has the exec id of its parent until it
 * executes something: one that was seen outside says nothing. One that is the subtree's own finds
 * descendants whose parent has gone.
 */
static bool in_subtree(struct log_filter *filter, const json_t *record)
{
	const json_t *pid = json_object_get(record, "pid");
	const json_t *exec_id = json_object_get(record, "exec_id");
	const bool inside = has_id(&filter->pids, pid) ||
			    has_id(&filter->pids, json_object_get(record, "ppid")) ||
			    has_id(&filter->execs, exec_id) ||
			    has_id(&filter->execs, json_object_get(record, "parent_exec_id"));

	if (!exec_id)
		return false;
	if (!inside) {
		add_id(&filter->foreign, exec_id);
		return false;
	}
	add_id(&filter->pids, pid);
	if (!has_id(&filter->foreign, exec_id))
		add_id(&filter->execs, exec_id);
	return true;
}

bool log_filter_wants(struct log_filter *filter, const json_t *record)
{
	const char *event = export_text(record, "event");

	if (filter->pid && !in_subtree(filter, record))
		return false;
	if (filter->blocked &&
	    (!event || (strcmp(event, "blocked") != 0 && strcmp(event, "would_block") != 0)))
		return false;
	if (filter->classes && !right_class(filter, record))
		return false;
	if (filter->pattern_count && !right_path(filter, record))
		return false;
	if (filter->host && !right_host(filter, record))
		return false;
	if (filter->rule && !right_rule(filter, record))
		return false;
	return right_time(filter, record);
}

void log_filter_free(struct log_filter *filter)
{
	memory_free(&filter->memory);
	free(filter->pids.bits);
	free(filter->execs.bits);
	free(filter->foreign.bits);
	*filter = (struct log_filter){.blocked = false};
}
