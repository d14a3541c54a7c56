/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_LIVES_H
#define PROCTOR_SUPERVISOR_LIVES_H

#include <sys/types.h>

#include "supervisor/call.h"

/*
 * Where every mediated call is logged: a record of event `exit` for each process of the tool, with
 * when it began, how it ended and what it used.
 *
 * A process becomes known when its parent forks (the children of the thread are looked at a moment
 * later), by any call of its own that is mediated, and by its exit_group(2). How it ended is known from
 * what is left of it (proc_pid_stat(5) of a zombie, pidfs since Linux 6.15); what it used, from what
 * /proc said at its exit_group(2), or of the zombie. All functions do nothing for NULL.
 */
struct lives;

/* Before the tool runs. NULL and errno. The thread that waits for ends starts with lives_start(). */
struct lives *lives_new(struct session *session);
int lives_start(struct lives *lives);

/* `pid` makes a call: it lives, and is what /proc says. */
void lives_see(struct lives *lives, pid_t pid);

/* Another image than before: what is known of the process is read anew. */
void lives_executed(struct lives *lives, pid_t pid);

/* The calling thread forks as soon as it is answered. */
void lives_forks(struct lives *lives, struct call *call);

/* The process of the call leaves with `status`, unless something kills it before. */
void lives_leaves(struct lives *lives, struct call *call, int status);

/* When nothing of the tree lives: writes the records that are still due. Frees it. */
void lives_finish(struct lives *lives);

#endif
