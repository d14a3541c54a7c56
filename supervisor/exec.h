/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_EXEC_H
#define PROCTOR_SUPERVISOR_EXEC_H

#include "supervisor/call.h"
#include "supervisor/exec_argv.h"
#include "supervisor/exec_digest.h"

/* What must come of an exec that was allowed. Owns all that it holds. */
struct exec_plan {
	int image;  /* O_PATH: the file that the kernel is to run */
	int script; /* O_PATH: the script that it is started for; -1: none */
	struct exec_argv argv;        /* what it must be given; not read: whatever it is */
	struct program_digest digest; /* of `image`, if a rule asked for one */
	struct program_digest script_digest;
	char *redirect; /* path of what is executed instead of what was asked for; NULL: nothing is */
	struct exec_argv redirect_argv; /* its arguments; not set: the call's own */
};

/* An empty plan, or NULL. */
struct exec_plan *exec_plan_new(void);
void exec_plan_free(struct exec_plan *plan);

/*
 * Lets the kernel run the execve that `call` is, and verifies it. The calling thread is traced
 * from here to the exec event (ptrace(2)): the new image, the script that it was started for and
 * the dynamic loader that comes with it must be what was decided on. What comes out otherwise is
 * killed before its first instruction, and recorded. An exec that fails goes on untraced.
 * Returns as notify_reply().
 */
int exec_run(struct call *call, const struct exec_plan *plan);

#endif
