/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_INJECT_H
#define PROCTOR_SUPERVISOR_INJECT_H

#include <stdbool.h>

#include "supervisor/call.h"

/*
 * Giving the caller a descriptor. The caller itself installs it, so it is woken for that, and
 * where the kernel wakes it decides the price: on a processor that has gone to sleep it is several
 * times that of all else. Two ways, of which the one that has lately been cheaper is taken:
 *
 * - plainly;
 * - with the caller's affinity narrowed to the processor that we run on, until the descriptor is
 *   installed and before it is answered. The caller cannot see it: it does not run in between, and
 *   affinities of other threads are asked for and set through affinity_get() and affinity_set().
 *
 * The answer is a step of its own. SECCOMP_ADDFD_FLAG_SEND would do both at once, but when our
 * thread is stopped or frozen in between (a suspend, a paused container), the caller is answered 0
 * and has no descriptor (seen on Linux 6.18). And ours has to be closed before the caller goes on:
 * a following execve must not find the file open for writing (ETXTBSY), nor a lock or the end of
 * a FIFO be held up by us.
 */
struct injector;

struct injector *injector_new(void);
void injector_free(struct injector *injector);

/*
 * Installs `fd` (taken) and answers. Returns 0, or a negative errno when the caller could not be
 * answered; a caller that is gone is no error.
 */
int inject(struct call *call, int fd, bool cloexec);

/* Installs `fd` (kept, O_CLOEXEC in the caller) without answering. Its number there, or a negative
 * errno. */
int inject_silently(struct call *call, int fd);

/* sched_getaffinity(2) and sched_setaffinity(2) of a thread of the tool, while none is narrowed.
 * As the raw system calls: the result or a negative errno. */
long affinity_get(struct session *session, pid_t tid, size_t size, void *mask);
long affinity_set(struct session *session, pid_t tid, size_t size, const void *mask);

#endif
