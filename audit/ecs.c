/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>

#include "audit/export.h"
#include "core/cleanup.h"

/* event.category and event.type of a record. An empty text matches any. */
static const struct mapping {
	const char *event;
	const char *class;
	const char *op;
	const char *category;
	const char *type;
} mappings[] = {
	{"start", "", "", "process", "start"},
	{"end", "", "", "process", "end"},
	{"exit", "", "", "process", "end"},
	{"limit", "", "", "process", "info"},
	{"reported", "", "", "process", "info"},
	{"", "file", "create", "file", "creation"},
	{"", "file", "delete", "file", "deletion"},
	{"", "file", "read", "file", "access"},
	{"", "file", "", "file", "change"},
	{"", "exec", "", "process", "start"},
	{"", "network", "connect", "network", "connection"},
	{"", "network", "", "network", "access"},
	{"", "", "", "process", "access"},
};

static json_t *event_of(const json_t *record)
{
	const struct mapping *mapping = mappings;
	const char *name = export_text(record, "event");
	const char *decision = export_text(record, "decision");
	const char *op = export_text(record, "op");
	const bool blocked = name && !strcmp(name, "blocked");
	const char *outcome = "unknown";
	json_t *types;

	while (!export_fits(mapping->event, name) || !export_fits(mapping->class, export_text(record, "class")) ||
	       !export_fits(mapping->op, op))
		mapping++;
	types = json_pack("[s]", mapping->type);
	/* A record is written before the call is carried out: of an allowed one the end is open. */
	if (blocked) {
		outcome = "failure";
		json_array_append_new(types, json_string("denied"));
	} else if (decision) {
		json_array_append_new(types, json_string("allowed"));
	}
	return json_pack("{s:s, s:s, s:s, s:[s], s:o, s:s, s:s, s:O*, s:s*, s:s*}", "kind",
			 blocked ? "alert" : "event", "module", "proctor", "dataset",
			 "proctor.audit", "category", mapping->category, "type", types, "action",
			 op ? op : (name ? name : "unknown"), "outcome", outcome, "sequence",
			 json_object_get(record, "seq"), "code", export_text(record, "errno"),
			 "reason", export_text(record, "detail"));
}

static json_t *process_of(const json_t *record)
{
	AUTO_FREE char *command_line = export_words(json_object_get(record, "argv"));
	json_t *process = json_pack(
		"{s:O*, s:s*, s:s*, s:O*, s:s*, s:s*, s:O*}", "pid", json_object_get(record, "pid"),
		"executable", export_text(record, "exe"), "name", export_text(record, "comm"),
		"args", json_object_get(record, "argv"), "command_line", command_line,
		"working_directory", export_text(record, "cwd"), "exit_code",
		json_object_get(record, "exit_code"));
	json_t *id = json_object_get(record, "exec_id");

	if (json_object_get(record, "tid"))
		json_object_set_new(process, "thread",
				    json_pack("{s:O}", "id", json_object_get(record, "tid")));
	if (id) {
		const char *session = export_text(record, "session");
		const json_t *parent = json_object_get(record, "parent_exec_id");

		json_object_set_new(process, "entity_id",
				    json_sprintf("%s:%lld", session ? session : "",
						 (long long)json_integer_value(id)));
		json_object_set_new(
			process, "parent",
			json_pack("{s:O*, s:o}", "pid", json_object_get(record, "ppid"),
				  "entity_id",
				  json_sprintf("%s:%lld", session ? session : "",
					       (long long)json_integer_value(parent))));
	}
	return process;
}

static void set_network(json_t *event, const json_t *record)
{
	const char *endpoint = export_text(record, "endpoint");
	const char *host = export_text(record, "host");
	struct export_address address;

	if (!export_text(record, "class") || strcmp(export_text(record, "class"), "network") != 0)
		return;
	if (endpoint && export_split_endpoint(endpoint, &address)) {
		json_object_set_new(event, "destination",
				    json_pack("{s:s, s:s, s:i, s:s*}", "address",
					      host ? host : address.ip, "ip", address.ip, "port",
					      address.port, "domain", host));
		json_object_set_new(event, "network",
				    json_pack("{s:s}", "transport", address.transport));
	} else if (endpoint || host) {
		json_object_set_new(event, "destination",
				    json_pack("{s:s, s:s*}", "address", endpoint ? endpoint : host,
					      "domain", host));
	}
}

static void set_file(json_t *event, const json_t *record)
{
	const char *path = export_text(record, "path");
	const char *slash;

	if (!path)
		return;
	slash = strrchr(path, '/');
	json_object_set_new(event, "file",
			    json_pack("{s:s, s:s, s:s%}", "path", path, "name",
				      export_base_name(path), "directory",
				      slash > path ? path : "/",
				      slash > path ? (size_t)(slash - path) : (size_t)1));
}

/* All of the record that ECS has no field for. */
static json_t *own_fields(const json_t *record)
{
	static const char *const fields[] = {
		"session", "event", "class", "syscall", "arg", "to",      "flags",  "args", "decision",
		"stack",   "prev",  "hash",  "counts",  "log", "command", "dropped", "usage", "source", "function", "script",
	};

	return export_pick(record, fields, sizeof(fields) / sizeof(fields[0]));
}

json_t *export_ecs(const json_t *record, const json_t *start)
{
	const json_t *uid = json_object_get(record, "uid");
	const json_t *rule = json_object_get(record, "rule");
	json_t *event = json_pack(
		"{s:s*, s:{s:s}, s:o, s:o, s:{s:s, s:s, s:s*}, s:o}", "@timestamp",
		export_text(record, "ts"), "ecs", "version", EXPORT_ECS_VERSION, "event",
		event_of(record), "process", process_of(record), "observer", "product", "proctor",
		"vendor", "proctor", "version", export_text(start, "version"), "proctor",
		own_fields(record));

	if (!event)
		return NULL;
	if (export_text(start, "host"))
		json_object_set_new(event, "host",
				    json_pack("{s:s, s:{s:s}}", "hostname",
					      export_text(start, "host"), "os", "type", "linux"));
	if (json_is_integer(uid))
		json_object_set_new(event, "user",
				    json_pack("{s:o}", "id",
					      json_sprintf("%lld", (long long)json_integer_value(uid))));
	if (json_is_object(rule))
		json_object_set_new(event, "rule",
				    json_pack("{s:s*, s:s*}", "reference",
					      export_text(rule, "source"), "name",
					      export_text(rule, "text")));
	set_network(event, record);
	set_file(event, record);
	return event;
}
