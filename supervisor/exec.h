/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_EXEC_H
#define PROCTOR_SUPERVISOR_EXEC_H

#include "supervisor/call.h"

/*
 * Lets the kernel run the execve that `call` is, and verifies it. The calling thread is traced
 * from here to the exec event (ptrace(2)): the new image must be the file that `image` pins, and
 * if `script` is not -1, it must have been started for that script. What comes out otherwise is
 * killed before its first instruction, and recorded. An exec that fails goes on untraced.
 * Returns as notify_reply().
 */
int exec_run(struct call *call, int image, int script);

#endif
