/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_GUARDIAN_H
#define PROCTOR_SUPERVISOR_GUARDIAN_H

#include <signal.h>
#include <sys/types.h>

struct stack_service;

/*
 * The process that the user started, once the supervisor is forked off: passes signals on, stops
 * and continues with the tool, and takes the supervisor's exit code for its own. When the
 * supervisor dies otherwise, it kills every process of the tool's tree. All signals are blocked on
 * entry; `channel` is its end of the pair. Returns the exit code.
 */
int guardian_run(pid_t supervisor, int channel, struct stack_service *stacks);

#endif
