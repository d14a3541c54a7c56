/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_TREE_H
#define PROCTOR_SUPERVISOR_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The tool's process tree: everything that descends from the supervisor. */

/*
 * True when `pid` (a thread id will do) is `root` or descends from it. Orphans do: root is a
 * child subreaper (prctl(2)). False when it cannot be told.
 */
bool tree_contains(pid_t root, pid_t pid);

/*
 * True when every process of process group `pgrp` descends from `root`, or is `but`. False when it cannot
 * be told.
 */
bool tree_owns_group(pid_t root, pid_t pgrp, pid_t but);

/* True when a process of the group descends from `root`, or there is no such group. False when it cannot
 * be told. */
bool tree_shares_group(pid_t root, pid_t pgrp);

/*
 * True when the process group of `pid` is orphaned as far as its ancestors tell: none of them is of
 * another group of the same session, as a shell with job control is (setpgid(2), exit(3p)).
 */
bool tree_group_is_orphaned(pid_t pid);

/* What /proc/PID/stat says of a process (proc_pid_stat(5)). */
struct tree_process {
	pid_t pid;
	pid_t task; /* a thread that has not ended, to look at its memory and descriptors */
	pid_t ppid;
	pid_t pgrp;
	char state;
	bool ended; /* its first thread: others may live on */
	uint64_t ticks; /* of CPU time: its own, and that of the children that it has waited for */
	bool descends;
};

/*
 * Every descendant of `root`, ended ones that nobody has waited for included, in *ret (freed by the
 * caller; NULL: out of memory, and then 0). Returns how many.
 */
size_t tree_list(pid_t root, struct tree_process **ret);

/* What a thread does: 'R', 'S', 'D'... of proc_pid_stat(5); 'X' when it has ended. */
char tree_state(pid_t tid);

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
