/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_SUPERVISE_H
#define PROCTOR_SUPERVISOR_SUPERVISE_H

#include "supervisor/launch.h"
#include "supervisor/run.h"

struct stack_service;

/*
 * The supervisor's whole life: opens the log, launches the tool, serves its calls, ends what it
 * leaves behind. Runs in the guardian's child with all signals blocked; `channel` leads to the
 * guardian; `signals` are for the tool. Returns the exit code.
 */
int supervise(const struct run_config *config, int channel, struct stack_service *stacks,
	      const struct inherited_signals *signals);

#endif
