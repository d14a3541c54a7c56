/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_EXEC_ARGV_H
#define PROCTOR_SUPERVISOR_EXEC_ARGV_H

#include "supervisor/call.h"

/* The arguments of an exec, read once: what is decided on is what the new image must have. */
struct exec_argv {
	char **items; /* NULL-terminated, owned; NULL: not read */
	size_t count;
};

void exec_argv_release(struct exec_argv *argv);
#define AUTO_ARGV __attribute__((cleanup(exec_argv_release)))

/* The vector at `addr` in the caller's memory, whole. 0, -E2BIG where execve(2) would say so, -EFAULT,
 * or another negative errno. */
int exec_argv_read(struct call *call, uint64_t addr, struct exec_argv *ret);

/* What an interpreter is given instead (fs/binfmt_script.c): itself, its one argument if there is
 * one (else NULL), the script's name, and the arguments behind the first. 0 or -ENOMEM. */
int exec_argv_interpret(struct exec_argv *argv, const char *interpreter, const char *argument,
			const char *script);

/* A copy. 0 or -ENOMEM. */
int exec_argv_copy(struct exec_argv *ret, const struct exec_argv *argv);

/* True when the image that stands at its first instruction in process `pid` has these arguments. */
bool exec_argv_matches(const struct session *session, pid_t pid, const struct exec_argv *argv);

#endif
