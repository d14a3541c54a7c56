/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_SUBJECT_H
#define PROCTOR_SUPERVISOR_SUBJECT_H

#include "supervisor/file.h"

/* What a call looks at or changes: an object that a path names, or an open file. */
struct subject {
	struct object object;
	char path[PATH_MAX];              /* as the tool wrote it; empty: a descriptor */
	char proc_path[PROC_FD_PATH_MAX]; /* leads to the object, whatever it is */
};

#define SUBJECT_INIT {.object = OBJECT_INIT}

void subject_release(struct subject *subject);
#define AUTO_SUBJECT __attribute__((cleanup(subject_release)))

/*
 * Reads the path operand at `addr`, once. `flags` are the call's AT_*, `known` those that it knows;
 * with AT_EMPTY_PATH in both and `null` set, a NULL path is an empty one. False: *reply is the
 * answer.
 */
bool subject_read_path(struct call *call, uint64_t addr, int flags, int known, bool null,
		       struct subject *ret, struct reply *reply);

/* Takes what the path that was read leads to, and asks for `op` on it. False: *reply. */
bool subject_resolve(struct call *call, enum access_op op, int dirfd, int flags,
		     struct subject *subject, struct reply *reply);

/* As subject_resolve() for a call that only looks. */
bool subject_look(struct call *call, int dirfd, int flags, struct subject *subject,
		  struct reply *reply);

/* subject_read_path() and subject_resolve() in one. */
bool subject_take_path(struct call *call, enum access_op op, int dirfd, uint64_t addr, int flags,
		       int known, struct subject *ret, struct reply *reply);

/* True when the path that was read is empty and stands for the file that is open as `dirfd`. */
bool subject_is_file(const struct subject *subject, int dirfd, int flags);

/* Takes the open file itself: what it may not be used for (O_PATH), the kernel says. */
bool subject_take_file(struct call *call, enum access_op op, int fd, struct subject *ret,
		       struct reply *reply);

#endif
