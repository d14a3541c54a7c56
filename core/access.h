/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_ACCESS_H
#define PROCTOR_CORE_ACCESS_H

#include "core/endpoint.h"

/* What a call wants, in the words of the policy and of the audit record. */

enum access_class {
	CLASS_FILE,
	CLASS_EXEC,
	CLASS_NETWORK,
	CLASS_PROCESS,
	CLASS_SYSTEM,
	CLASS_COUNT,
};

enum access_op {
	/* CLASS_FILE */
	OP_READ,
	OP_CREATE,
	OP_MODIFY,
	OP_DELETE,
	OP_ATTR,
	/* CLASS_EXEC */
	OP_EXEC,
	OP_MAP, /* maps a file as code: a library, the loader of a program */
	/* CLASS_NETWORK */
	OP_CONNECT,
	OP_BIND,
	OP_SEND,   /* a datagram to a named peer: decided as OP_CONNECT */
	OP_LISTEN, /* decided as OP_BIND */
	OP_RESOLVE, /* a host name to be looked up */
	OP_SOCKET, /* a socket of a family or type that no rule can name */
	/* CLASS_PROCESS: acting upon another process */
	OP_SIGNAL,
	OP_TRACE,
	OP_CONTROL,
	/* CLASS_SYSTEM: a kernel door */
	OP_CALL,
	OP_COUNT,
};

/*
 * One access. `path` is absolute and canonical (no symbolic link, "." or ".."
 * left in it) for CLASS_FILE and CLASS_EXEC; a path of one of the caller's own
 * /proc folders is given as "/proc/self/..." or "/proc/thread-self/...", which is
 * how a policy names it. `endpoint` is set for OP_CONNECT, OP_BIND, OP_SEND and
 * OP_LISTEN; with `host` its family may be AF_UNSPEC: the name is not looked up
 * yet, and only rules that do not depend on the address speak. What is NULL is
 * not known, and no rule that asks for it allows anything. Nothing is owned.
 */
struct access {
	enum access_class class;
	enum access_op op;
	const char *path;
	const struct endpoint *endpoint;
	const char *host;        /* OP_CONNECT, OP_SEND: the name asked for (host_name_normalise()) */
	const char *const *argv; /* OP_EXEC: the new image's, argv[0] included, NULL-terminated */
	const char *sha256;      /* OP_EXEC: digest of the file, 64 lower-case hexadecimal digits */
	const char *call;        /* OP_CALL: the kernel's name of the system call */
};

/* Lower-case word used in records and messages, e.g. "file", "read". Static. */
const char *access_class_name(enum access_class class);
const char *access_op_name(enum access_op op);

#endif
