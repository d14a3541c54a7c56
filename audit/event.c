/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

const char *audit_event_name(enum audit_event event)
{
	static const char *const names[EVENT_COUNT] = {
		[EVENT_START] = "start",
		[EVENT_BLOCKED] = "blocked",
		[EVENT_WOULD_BLOCK] = "would_block",
		[EVENT_ALLOWED] = "allowed",
		[EVENT_REWRITTEN] = "rewritten",
		[EVENT_EXEC] = "exec",
		[EVENT_EXIT] = "exit",
		[EVENT_REPORTED] = "reported",
		[EVENT_LIMIT] = "limit",
		[EVENT_END] = "end",
	};

	return names[event];
}

const char *audit_level_name(enum audit_level level)
{
	static const char *const names[] = {
		[AUDIT_BLOCKED] = "blocked",
		[AUDIT_REWRITTEN] = "rewritten",
		[AUDIT_ALL] = "all",
	};

	return names[level];
}

bool audit_level_wants(enum audit_level level, enum audit_event event)
{
	switch (event) {
	case EVENT_START:
	case EVENT_BLOCKED:
	case EVENT_WOULD_BLOCK:
	case EVENT_REPORTED:
	case EVENT_LIMIT:
	case EVENT_END:
		return true;
	case EVENT_REWRITTEN:
		return level >= AUDIT_REWRITTEN;
	case EVENT_ALLOWED:
	case EVENT_EXEC:
	case EVENT_EXIT:
	case EVENT_COUNT:
		break;
	}
	return level == AUDIT_ALL;
}
