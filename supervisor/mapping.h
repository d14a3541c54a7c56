/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_MAPPING_H
#define PROCTOR_SUPERVISOR_MAPPING_H

#include <limits.h>

#include "supervisor/call.h"

/*
 * Files mapped as code (PROT_EXEC): shared libraries, dynamic loaders, programs given to a loader.
 *
 * Which file it is stands behind a descriptor, or in the address space. A thread that is alone
 * (tracee_is_alone()) waits for us, and so what was decided on is what the kernel maps. In all other cases the
 * kernel makes the mapping while we trace the thread (trace.h), and what is there then is asked
 * about again, before the thread runs on.
 */

/* Asks whether the tool may map what `name` is as code. As call_permit(). */
bool mapping_permit(struct call *call, const char *name, const char *arg, struct reply *ret);

/*
 * True when the policy permits OP_EXEC or OP_MAP of what /proc shows under this name. As
 * proc_pid_maps(5) has it, a name may end in a mark, and "\012" stand for a newline; both could be part
 * of the name as well. Then each reading must be permitted.
 */
bool proc_name_permitted(struct call *call, enum access_op op, const char *name);

enum mapping_kind { MAPPING_CODE, MAPPING_ANY };

/*
 * NULL when each file that the calling thread's process has mapped at [start, end), as code or in
 * any way, may be mapped as code; else why not, and *ret_name is that file.
 */
const char *mapping_verify(struct call *call, uint64_t start, uint64_t end, enum mapping_kind kind,
			   char ret_name[PATH_MAX]);

/* Carries REPLY_MAP out. Returns as notify_reply(). */
int mapping_run(struct call *call);

#endif
