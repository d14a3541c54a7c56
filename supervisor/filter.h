/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_FILTER_H
#define PROCTOR_SUPERVISOR_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

#include "core/error.h"

struct call_rule;

/* What the policy can refuse or wants logged; the calls of the rest stay in the kernel. */
struct sensitivity {
	const struct call_rule *rules; /* of the policy; NULL: none */
	bool read;
	bool look; /* names are hidden or rewritten */
	bool exec;
	bool map; /* files as code */
	bool life; /* the end of each process is logged */
	bool network;
	bool datagrams; /* the tool may have sockets that each message can take elsewhere */
	bool root; /* the tool is root, if without capabilities */
	bool observe; /* nothing is refused by rule */
	bool disguise; /* a socket may have another peer than the tool is shown */
	bool processes; /* their number is limited, or each is logged */
	bool library; /* the preload library speaks */
	bool disk; /* how much of it is used is limited */
};

/*
 * Builds the seccomp program from the syscall table: what is not known to be harmless is notified.
 * Returns 0 and the program (filter_free()), or a negative errno and *err.
 */
int filter_build(const struct sensitivity *sensitivity, struct sock_fprog *ret,
		 struct error *err);
void filter_free(struct sock_fprog *program);

/*
 * Installs it on the calling thread, which has no_new_privs set. Returns the listener
 * (O_CLOEXEC) or a negative errno; *ret_wait_killable: whether the kernel lets only
 * fatal signals interrupt a call that waits for its answer (5.19).
 */
int filter_install(const struct sock_fprog *program, bool *ret_wait_killable);

#endif
