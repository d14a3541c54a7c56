/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_TABLE_H
#define PROCTOR_SUPERVISOR_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/access.h"

/* The syscall table, made from syscalls.tbl, which explains the columns. */

struct call;
struct reply;

enum decided_by {
	BY_VALUE,
	BY_MEMORY,
};

enum trap {
	TRAP_NEVER,
	TRAP_ALWAYS,
	TRAP_OPEN,
	TRAP_OPENAT2,
	TRAP_CHANGE,
	TRAP_READ,
	TRAP_LOOK,
	TRAP_EXEC,
	TRAP_MAP,
	TRAP_CLONE,
	TRAP_LIFE,
	TRAP_NET,
	TRAP_ROOT,
	TRAP_NONZERO,
	TRAP_MESSAGE,
	TRAP_DISGUISE,
	TRAP_NAMESPACES,
	TRAP_FORK,
	TRAP_DISK,
	TRAP_FCNTL,
	TRAP_IOCTL,
	TRAP_PRCTL,
	TRAP_SOCKOPT,
	TRAP_PERSONALITY,
	TRAP_REPORT,
};

typedef struct reply (*syscall_handler)(struct call *call);

struct syscall_row {
	const char *name;
	syscall_handler handler; /* NULL: never notified */
	int nr;
	enum decided_by by;
	enum trap trap;
	unsigned int trap_arg; /* argument that `trap` looks at */
	enum access_class class;
	enum access_op op;
	int error; /* errno of a refused call */
};

/* The row of a number, or NULL when the table does not know it. */
const struct syscall_row *syscall_row(int nr);

/* All rows, by number; *ret_count of them. Static. */
const struct syscall_row *syscall_rows(size_t *ret_count);

/* The name of a row, in the order of syscall_rows(); NULL behind the last. */
const char *syscall_name_at(size_t index);

/*
 * True when a call of this row may run in the kernel after a decision: it was decided from
 * registers alone. execve is not: it goes through the exec verification.
 */
bool syscall_may_continue(const struct syscall_row *row);

#endif
