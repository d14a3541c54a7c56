/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_PROCESS_H
#define PROCTOR_SUPERVISOR_PROCESS_H

#include "supervisor/call.h"

/* What the handlers of calls toward other processes share. */

/* True for the caller itself and every other process of the tool's tree. */
bool process_is_own(const struct call *call, pid_t pid);

/* Refuses and records the call; `detail` says why. */
struct reply process_refuse(struct call *call, const char *detail);

/* Decided from the number alone: the call may run. None (0, negative) is for the kernel to answer.
 * The number of a process that ends meanwhile is not given again before all others were (pid_max),
 * and never the supervisor's. */
struct reply process_toward(struct call *call, pid_t pid);

/* The process that `pidfd` stands for: a pidfd, or a folder /proc/PID. 0 and *ret (-1: it has ended;
 * 0: it is in another pid namespace), or -EBADF: neither kind of descriptor. */
int process_of_pidfd(const struct session *session, int pidfd, pid_t *ret);

#endif
