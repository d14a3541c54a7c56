/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_LAUNCH_H
#define PROCTOR_SUPERVISOR_LAUNCH_H

#include <linux/filter.h>
#include <signal.h>
#include <sys/types.h>

#include "core/error.h"
#include "supervisor/host.h"
#include "supervisor/run.h"

/* The tool's first process, up to its exec. */

struct launch {
	pid_t pid;
	int listener;
	int go;     /* written to: the exec may happen */
	int status; /* read from: end of file after the exec, or the errno of its failure */
	int killed_by; /* after a failed launch: the signal that killed the process, or 0 */
};

/* What the tool has of our caller, and we have not. */
struct inherited_signals {
	sigset_t blocked;
	bool ignores_children; /* SIGCHLD: a process that ignores it hears of no child's end */
};

/*
 * Forks the tool's process and brings it to the point before its exec: no_new_privs, no
 * capabilities, descriptors above 2 closed, signal to die with the supervisor, Landlock signal
 * scope where the kernel has it, the filter installed; its output goes to `capture` (NULL: ours).
 * Returns 0 and *ret, or a negative errno and
 * *err; the child is gone then.
 */
int launch_tool(const struct run_config *config, const struct host *host,
		const struct sock_fprog *filter, const struct inherited_signals *signals,
		const struct capture *capture, struct launch *ret, struct error *err);

/* Lets it go. */
void launch_go(struct launch *launch);

/* errno of a failed exec once the process has ended; 0 when the exec succeeded. */
int launch_exec_error(const struct launch *launch);

/* Gives up every capability, for good. 0 or a negative errno. */
int drop_capabilities(void);

#endif
