/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/access.h"

const char *access_class_name(enum access_class class)
{
	static const char *const names[CLASS_COUNT] = {
		[CLASS_FILE] = "file",       [CLASS_EXEC] = "exec",     [CLASS_NETWORK] = "network",
		[CLASS_PROCESS] = "process", [CLASS_SYSTEM] = "system",
	};

	return names[class];
}

const char *access_op_name(enum access_op op)
{
	static const char *const names[OP_COUNT] = {
		[OP_READ] = "read",     [OP_CREATE] = "create",   [OP_MODIFY] = "modify",
		[OP_DELETE] = "delete", [OP_ATTR] = "attr",       [OP_EXEC] = "exec",
		[OP_MAP] = "map",
		[OP_CONNECT] = "connect", [OP_BIND] = "bind",     [OP_SEND] = "send",
		[OP_LISTEN] = "listen", [OP_RESOLVE] = "resolve", [OP_SOCKET] = "socket",   [OP_SIGNAL] = "signal",
		[OP_TRACE] = "trace",   [OP_CONTROL] = "control", [OP_CALL] = "call",
	};

	return names[op];
}
