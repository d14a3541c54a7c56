/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_REMOTE_H
#define PROCTOR_SUPERVISOR_REMOTE_H

#include "supervisor/call.h"

/*
 * What only the calling thread itself can do, done by it with operands that nobody else can change
 * the meaning of: numbers in registers. The thread is traced for the time being: its own code does
 * not run in between, and no signal is delivered to it. Both answer the call, and return as
 * notify_reply(). `fd` (O_PATH, which a listener cannot inject) is kept.
 */

/* Gives the caller `fd` as a new descriptor, the call's result. */
int remote_give_path(struct call *call, int fd, bool cloexec);

/* The caller goes to the folder `fd`: chdir(2) with a name is made into fchdir(2). */
int remote_chdir(struct call *call, int fd);

#endif
