/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_EXEC_ENVIRONMENT_H
#define PROCTOR_SUPERVISOR_EXEC_ENVIRONMENT_H

#include "supervisor/call.h"

/*
 * The environment of a new image, `env` of the policy applied: on its own new stack, before its
 * first instruction, when no other thread has this memory yet.
 */

/* False: there is nothing that an exec could have to drop or set but the loader's variables. */
bool exec_environment_has_rules(const struct session *session);

/*
 * At the exec event of process `pid`, which the calling thread traces. Drops and sets what the
 * policy says, and drops LD_PRELOAD, LD_AUDIT and LD_LIBRARY_PATH unless the policy keeps or sets
 * them, or the tool was started with that very value. Where the preload library is used, a program with
 * a dynamic loader gets it in LD_PRELOAD, in front of what stays of that. `path` names the program, for the record.
 * Returns 0 or a negative errno: then the process must not go on.
 */
int exec_environment_apply(struct call *call, pid_t pid, const char *path);

#endif
