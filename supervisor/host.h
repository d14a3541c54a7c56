/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_HOST_H
#define PROCTOR_SUPERVISOR_HOST_H

#include <stdbool.h>

#include "core/error.h"

/* What this host offers. */
struct host {
	bool notify;        /* seccomp user notification with descriptor injection (5.9) */
	bool listener_free; /* no listener on us yet: a filter chain takes only one */
	bool wait_killable; /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19) */
	bool sync_wake;     /* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (6.6) */
	bool openat2;       /* 5.6 */
	bool pidfd_getfd;   /* 5.6, and allowed on a child */
	bool pidfd_thread;  /* PIDFD_THREAD (6.9) */
	bool trace_child;   /* PTRACE_SEIZE of a child is allowed */
	int landlock_abi;   /* 0: none */
	int yama;           /* kernel.yama.ptrace_scope; -1: no Yama */
	char release[65];   /* uname(2) */
};

/* What a run needs to know; the rest it finds out by failing. Cheap. */
void host_probe_quick(struct host *ret);

/* Everything, by trying in a child that ends at once; for `doctor`. */
void host_probe(struct host *ret);

/* False: this kernel does not know the system call `nr`, one that takes a dirfd first: it is to fail
 * with ENOSYS as if it had been made there. */
bool host_has_call(int nr);

/* 0 when the notify engine is safe on a fully probed host; else -1 and *err says what is missing
 * and what to do. */
int host_check(const struct host *host, struct error *err);

#endif
