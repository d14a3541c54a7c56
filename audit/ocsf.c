/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>

#include "audit/export.h"
#include "core/cleanup.h"

enum {
	CLASS_UID_FILE = 1001,
	CLASS_UID_KERNEL = 1003,
	CLASS_UID_PROCESS = 1007,
	CLASS_UID_NETWORK = 4001,
	CLASS_UID_DNS = 4003,
	ACTIVITY_OTHER = 99,
};

/* Which event of OCSF a record is. An empty text matches any. */
static const struct mapping {
	const char *event;
	const char *class;
	const char *op;
	int class_uid;
	int activity_id;
	const char *activity_name;
} mappings[] = {
	{"start", "", "", CLASS_UID_PROCESS, 1, "Launch"},
	{"end", "", "", CLASS_UID_PROCESS, 2, "Terminate"},
	{"exit", "", "", CLASS_UID_PROCESS, 2, "Terminate"},
	{"limit", "", "", CLASS_UID_PROCESS, ACTIVITY_OTHER, "Limit"},
	{"reported", "", "", CLASS_UID_PROCESS, ACTIVITY_OTHER, "Report"},
	{"", "file", "create", CLASS_UID_FILE, 1, "Create"},
	{"", "file", "read", CLASS_UID_FILE, 2, "Read"},
	{"", "file", "modify", CLASS_UID_FILE, 3, "Update"},
	{"", "file", "delete", CLASS_UID_FILE, 4, "Delete"},
	{"", "file", "attr", CLASS_UID_FILE, 6, "Set Attributes"},
	{"", "file", "", CLASS_UID_FILE, ACTIVITY_OTHER, NULL},
	{"", "exec", "", CLASS_UID_PROCESS, 1, "Launch"},
	{"", "process", "trace", CLASS_UID_PROCESS, 3, "Open"},
	{"", "process", "", CLASS_UID_PROCESS, ACTIVITY_OTHER, NULL},
	{"", "network", "bind", CLASS_UID_NETWORK, 7, "Listen"},
	{"", "network", "listen", CLASS_UID_NETWORK, 7, "Listen"},
	{"", "network", "connect", CLASS_UID_NETWORK, 1, "Open"},
	{"", "network", "send", CLASS_UID_NETWORK, 6, "Traffic"},
	{"", "network", "", CLASS_UID_NETWORK, ACTIVITY_OTHER, NULL},
	{"", "system", "", CLASS_UID_KERNEL, 4, "Invoke"},
	{"", "", "", CLASS_UID_PROCESS, ACTIVITY_OTHER, NULL},
};

static const char *class_name(int uid)
{
	switch (uid) {
	case CLASS_UID_FILE:
		return "File System Activity";
	case CLASS_UID_KERNEL:
		return "Kernel Activity";
	case CLASS_UID_NETWORK:
		return "Network Activity";
	case CLASS_UID_DNS:
		return "DNS Activity";
	default:
		return "Process Activity";
	}
}

static struct mapping mapping_of(const json_t *record)
{
	const struct mapping *mapping = mappings;
	const char *endpoint = export_text(record, "endpoint");
	struct export_address address;
	struct mapping found;

	while (!export_fits(mapping->event, export_text(record, "event")) ||
	       !export_fits(mapping->class, export_text(record, "class")) ||
	       !export_fits(mapping->op, export_text(record, "op")))
		mapping++;
	found = *mapping;
	/* A question about a name: to a resolver, or one that was answered here. */
	if (found.class_uid == CLASS_UID_NETWORK && export_text(record, "host") &&
	    (!endpoint ||
	     (export_split_endpoint(endpoint, &address) && address.port == 53))) {
		found.class_uid = CLASS_UID_DNS;
		found.activity_id = 1;
		found.activity_name = "Query";
	}
	if (!found.activity_name)
		found.activity_name = export_text(record, "op");
	return found;
}

static json_t *file_of(const char *path)
{
	return json_pack("{s:s, s:s, s:i}", "name", export_base_name(path), "path", path, "type_id",
			 0);
}

/* The process that asked. */
static json_t *process_of(const json_t *record, const json_t *start)
{
	AUTO_FREE char *command_line = export_words(json_object_get(record, "argv"));
	const json_t *ppid = json_object_get(record, "ppid");
	const char *exe = export_text(record, "exe");
	json_t *pid = json_object_get(record, "pid");
	json_t *process;

	/* What concerns the run as a whole is the supervisor's. */
	if (!pid)
		pid = json_object_get(start, "pid");
	process = json_pack("{s:O*, s:O*, s:s*, s:s*, s:s*}", "pid", pid, "tid",
			    json_object_get(record, "tid"), "name", export_text(record, "comm"),
			    "cmd_line", command_line, "working_directory",
			    export_text(record, "cwd"));
	if (!pid)
		json_object_set_new(process, "uid", json_string("unknown"));
	if (exe)
		json_object_set_new(process, "file", file_of(exe));
	if (ppid)
		json_object_set_new(process, "parent_process",
				    json_pack("{s:O}", "pid", ppid));
	return process;
}

static json_t *actor_of(const json_t *record, const json_t *start)
{
	const json_t *uid = json_object_get(record, "uid");
	json_t *actor = json_pack("{s:o}", "process", process_of(record, start));

	if (json_is_integer(uid))
		json_object_set_new(actor, "user",
				    json_pack("{s:o}", "uid",
					      json_sprintf("%lld", (long long)json_integer_value(uid))));
	return actor;
}

/* What a Process Activity is about: the program to be run, else the process itself. */
static json_t *target_process(const json_t *record, const json_t *start)
{
	const char *path = export_text(record, "path");
	json_t *args = json_object_get(record, "args");
	AUTO_FREE char *words = NULL;
	json_t *process = process_of(record, start);

	if (!export_fits("start", export_text(record, "event")) && !path)
		return process;
	if (!path)
		args = json_object_get(record, "command");
	words = export_words(args);
	if (words)
		json_object_set_new(process, "cmd_line", json_string(words));
	if (path) {
		json_object_set_new(process, "file", file_of(path));
		json_object_set_new(process, "name", json_string(export_base_name(path)));
	}
	return process;
}

static json_t *endpoint_of(const json_t *record)
{
	const char *endpoint = export_text(record, "endpoint");
	const char *host = export_text(record, "host");
	struct export_address address;

	if (endpoint && export_split_endpoint(endpoint, &address))
		return json_pack("{s:s, s:i, s:s*}", "ip", address.ip, "port", address.port,
				 "hostname", host);
	if (!endpoint && host)
		return json_pack("{s:s}", "hostname", host);
	return json_pack("{s:s, s:s*}", "name", endpoint ? endpoint : "unknown", "hostname", host);
}

static void set_connection(json_t *event, const json_t *record)
{
	const char *endpoint = export_text(record, "endpoint");
	const int direction = export_fits("Listen", export_text(event, "activity_name")) ? 1 : 2;
	struct export_address address;

	json_object_set_new(event, "connection_info",
			    json_pack("{s:i, s:s*}", "direction_id", direction, "protocol_name",
				      endpoint && export_split_endpoint(endpoint, &address)
					      ? address.transport
					      : NULL));
}

static void set_subject(json_t *event, const json_t *record, const json_t *start, int class_uid)
{
	const char *path = export_text(record, "path");

	if (!path)
		path = export_text(record, "arg");
	switch (class_uid) {
	case CLASS_UID_FILE:
		json_object_set_new(event, "file", file_of(path ? path : "unknown"));
		break;
	case CLASS_UID_KERNEL:
		json_object_set_new(event, "kernel",
				    json_pack("{s:s, s:i, s:s*}", "name",
					      export_text(record, "syscall")
						      ? export_text(record, "syscall")
						      : "unknown",
					      "type_id", 2, "system_call",
					      export_text(record, "syscall")));
		break;
	case CLASS_UID_DNS:
		json_object_set_new(event, "query",
				    json_pack("{s:s}", "hostname", export_text(record, "host")));
		json_object_set_new(event, "dst_endpoint", endpoint_of(record));
		break;
	case CLASS_UID_NETWORK:
		json_object_set_new(event, export_fits("Listen", export_text(event, "activity_name"))
						   ? "src_endpoint"
						   : "dst_endpoint",
				    endpoint_of(record));
		set_connection(event, record);
		break;
	default:
		json_object_set_new(event, "process", target_process(record, start));
		if (json_object_get(record, "exit_code"))
			json_object_set(event, "exit_code", json_object_get(record, "exit_code"));
		break;
	}
}

/* What was done about it: profile security_control. */
static void set_outcome(json_t *event, const json_t *record)
{
	const char *name = export_text(record, "event");
	const json_t *rule = json_object_get(record, "rule");
	const bool blocked = name && !strcmp(name, "blocked");
	const bool would_block = name && !strcmp(name, "would_block");
	int action = blocked ? 2 : 1;
	int disposition = blocked ? 2 : 1;

	if (would_block)
		disposition = 15; /* Detected */
	else if (name && !strcmp(name, "rewritten"))
		disposition = 11; /* Corrected */
	else if (!blocked && !export_text(record, "decision"))
		disposition = 17; /* Logged */
	json_object_update_new(event,
			       json_pack("{s:i, s:i, s:i, s:i, s:s*, s:s*}", "severity_id",
					 blocked || would_block ? 3 : 1, "status_id",
					 blocked ? 2 : 1, "action_id", action, "disposition_id",
					 disposition, "status_code", export_text(record, "errno"),
					 "status_detail", export_text(record, "detail")));
	if (json_is_object(rule))
		json_object_set_new(event, "firewall_rule",
				    json_pack("{s:s*, s:s*}", "uid", export_text(rule, "source"),
					      "name", export_text(rule, "text")));
}

static json_t *metadata_of(const json_t *record, const json_t *start)
{
	const char *session = export_text(record, "session");
	json_t *seq = json_object_get(record, "seq");

	return json_pack(
		"{s:s, s:{s:s, s:s, s:s*}, s:[s, s], s:s*, s:O*, s:o, s:s, s:s*}", "version",
		EXPORT_OCSF_VERSION, "product", "name", "proctor", "vendor_name", "proctor",
		"version", export_text(start, "version"), "profiles", "host", "security_control",
		"correlation_uid", session, "sequence", seq, "uid",
		json_sprintf("%s:%lld", session ? session : "", (long long)json_integer_value(seq)),
		"log_name", "audit", "original_time", export_text(record, "ts"));
}

/* What OCSF has no place for. */
static json_t *unmapped(const json_t *record)
{
	static const char *const fields[] = {
		"event", "syscall", "arg",  "to",   "flags", "exec_id", "parent_exec_id",
		"stack", "counts",  "prev", "hash", "usage", "source",  "function", "args", "script",
	};

	return export_pick(record, fields, sizeof(fields) / sizeof(fields[0]));
}

json_t *export_ocsf(const json_t *record, const json_t *start)
{
	const struct mapping mapping = mapping_of(record);
	const char *host = export_text(start, "host");
	json_t *event = json_pack(
		"{s:i, s:s, s:i, s:s, s:i, s:s*, s:i, s:I, s:o, s:{s:i, s:s}, s:o, s:o}", "class_uid",
		mapping.class_uid, "class_name", class_name(mapping.class_uid), "category_uid",
		mapping.class_uid / 1000, "category_name",
		mapping.class_uid / 1000 == 1 ? "System Activity" : "Network Activity",
		"activity_id", mapping.activity_id, "activity_name", mapping.activity_name,
		"type_uid", mapping.class_uid * 100 + mapping.activity_id, "time",
		(json_int_t)export_time_ms(record), "metadata", metadata_of(record, start),
		"device", "type_id", 0, "hostname", host ? host : "unknown", "actor",
		actor_of(record, start), "unmapped", unmapped(record));

	if (!event)
		return NULL;
	set_subject(event, record, start, mapping.class_uid);
	set_outcome(event, record);
	return event;
}
