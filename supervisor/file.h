/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_FILE_H
#define PROCTOR_SUPERVISOR_FILE_H

#include "supervisor/call.h"
#include "supervisor/resolve.h"

/* What the handlers of file calls share. */

/* Reads the path argument at `addr`. 0, or a negative errno and *ret the reply. */
int file_read_path(struct call *call, uint64_t addr, char path[PATH_MAX], struct reply *ret);

/* True for an object without a name (a pipe) that the caller has open: no rule is asked. */
bool file_is_own(struct call *call, const struct object *object);

/* The path of the caller's terminal. 0, -ENXIO when it has none, or another negative errno. */
int file_tty_path(const struct call *call, char *path, size_t size);

/* Asks for one operation on `name`. `missing` as in struct ask. */
bool file_permit(struct call *call, enum access_op op, const struct object *object,
		 const char *arg, int missing, struct reply *ret);

/* The same for a call that only looks (call_permit_look()). */
bool file_permit_look(struct call *call, const struct object *object, const char *arg, int missing,
		      struct reply *ret);

/* The reply to a name that could not be resolved: the kernel's errno, or a refusal if a rule
 * denies the name. */
struct reply file_unresolved(struct call *call, enum access_op op, const struct object *object,
			     const char *arg, int error);

/* True when something stands at the entry. */
bool file_entry_exists(const struct object *entry, struct stat *ret_stat);

/* Gives the calling worker the umask of the caller, for a call that makes something. 0 or a
 * negative errno. */
int file_take_umask(struct call *call);

/* The terminal that /dev/tty is for the caller, opened. Returns it or a negative errno. */
int file_open_tty(struct call *call, int flags);

#endif
