/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_PROCESS_LIMIT_H
#define PROCTOR_SUPERVISOR_PROCESS_LIMIT_H

#include <stdbool.h>
#include <sys/types.h>

#include "policy/policy.h"

/*
 * limits.processes: how many processes the tool's tree has at most, those that have ended and that
 * nobody has waited for included. Threads do not count.
 */
struct process_limit;

/* NULL: out of memory. */
struct process_limit *process_limit_new(const struct policy_limit *limit);
void process_limit_free(struct process_limit *limit);

/* The limit as the policy has it. */
const struct policy_limit *process_limit_source(const struct process_limit *limit);

/*
 * Thread `tid` asks for one more process. True: it may make it. `vfork`: it then waits in the call,
 * and its memory is not copied. From any thread; `root` is the tree's, see tree_list().
 */
bool process_limit_take(struct process_limit *limit, pid_t root, pid_t tid, bool vfork);

#endif
