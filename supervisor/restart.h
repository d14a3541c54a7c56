/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_RESTART_H
#define PROCTOR_SUPERVISOR_RESTART_H

struct call;

/*
 * Answers a call that waited until its caller had a signal to take: the kernel makes it again, or
 * lets it fail with EINTR, as the signal's disposition asks. 0, or a negative errno when the caller
 * cannot be answered.
 */
int restart_call(struct call *call);

#endif
