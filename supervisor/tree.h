/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_TREE_H
#define PROCTOR_SUPERVISOR_TREE_H

#include <stdbool.h>
#include <sys/types.h>

/* The tool's process tree: everything that descends from the supervisor. */

/*
 * True when `pid` (a thread id will do) is `root` or descends from it. Orphans do: root is a
 * child subreaper (prctl(2)). False when it cannot be told.
 */
bool tree_contains(pid_t root, pid_t pid);

/*
 * True when every process of process group `pgrp` descends from `root`, or is `but`.
 */
bool tree_owns_group(pid_t root, pid_t pgrp, pid_t but);

/*
 * True when the process group of `pid` is orphaned as far as its ancestors tell: none of them is of
 * another group of the same session, as a shell with job control is (setpgid(2), exit(3p)).
 */
bool tree_group_is_orphaned(pid_t pid);

/* Sends `sig` to every descendant of `root`. Returns how many there were. */
unsigned int tree_signal(pid_t root, int sig);

/*
 * Kills (SIGKILL) every descendant of the calling process, stopped and reparented ones included,
 * again and again until none is left, and reaps them. The caller is a child subreaper, so that
 * without a child there is no descendant; it has taken the status of any child that it cares for.
 */
void tree_kill(void);

/* True while the calling thread has a child, ended or not. */
bool tree_has_children(void);

#endif
