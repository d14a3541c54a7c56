/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NOTIFY_H
#define PROCTOR_SUPERVISOR_NOTIFY_H

#include <stdbool.h>

#include "supervisor/call.h"

/* The seccomp user-notification engine (seccomp_unotify(2)): the only place that talks to the
 * kernel about a call. */

/*
 * Waits for the next call. 0 and *ret; -EINTR and -ENOENT (the caller went away meanwhile): ask
 * again; -EPIPE: no process is left that could call; other errors are final.
 */
int notify_receive(struct session *session, struct request *ret);

/*
 * Answers the call, once. Releases what the reply owns. That the caller is gone is no failure.
 * Returns 0 or a negative errno: then the caller still waits, and there is nothing left that could
 * be said to it.
 */
int notify_reply(struct call *call, struct reply *reply);

/* Answers with an errno, or with a value when `error` is 0. As notify_reply(). */
int notify_send(struct call *call, int error, int64_t value);

/* Lets the kernel run the call; only for notify_reply() and the exec verification. */
int notify_continue(struct call *call);

#endif
