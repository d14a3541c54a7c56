/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_ACTOR_H
#define PROCTOR_SUPERVISOR_ACTOR_H

#include <stdint.h>

#include "audit/audit.h"
#include "supervisor/call.h"

/* Who asks: a copy of what /proc says of the calling thread, for one record. */
struct actor;

/*
 * The files of /proc that tell of the threads that asked lately: reading one again costs a third of opening it. An
 * open one is of that very thread, and cannot be read any more when there is another by its number.
 */
struct callers;

struct callers *callers_new(void);
void callers_free(struct callers *callers);

/* Returns NULL when the caller is gone or memory is out; a record without an actor is still a
 * record. actor_release() frees it. */
struct actor *actor_take(struct call *call);
const struct audit_actor *actor_of(const struct actor *actor);
void actor_release(struct actor *actor);

/*
 * Numbers for program images. An image is known by where its stack starts, which execve picks at
 * random and a fork inherits; so a number costs nothing at a fork. identity_exec() gives the
 * image that `pid` has now a number of its own, started by `parent_exec_id`.
 */
struct identity;

struct identity *identity_new(void);
void identity_free(struct identity *identity);
uint64_t identity_exec(struct session *session, pid_t pid, uint64_t parent_exec_id);

/* The number of the image of `pid` (one is given if it has none); *ret_parent its starter's. */
uint64_t identity_of(struct session *session, pid_t pid, uint64_t *ret_parent);

/* The same, of what its /proc/PID/stat says. */
struct proc_stat;
uint64_t identity_known(struct session *session, pid_t pid, const struct proc_stat *stat,
			uint64_t *ret_parent);

/* How many numbers have been given. */
uint64_t identity_count(struct identity *identity);

#endif
