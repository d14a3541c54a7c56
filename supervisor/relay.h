/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_RELAY_H
#define PROCTOR_SUPERVISOR_RELAY_H

/*
 * Carries bytes between two stream sockets in both directions, for connections that the tool's own
 * socket cannot have (a TCP socket whose other end is a unix socket). A thread of its own, which
 * starts with the first pair; bytes go through pipes (splice(2)) and are never looked at.
 */
struct relay;

/* Returns NULL when there is no memory. */
struct relay *relay_new(void);

/*
 * Carries bytes between `a` and `b`, which it takes, whatever it returns, until both have ended; the
 * end of one direction is passed on. Any thread may call. 0 or a negative errno.
 */
int relay_add(struct relay *relay, int a, int b);

#endif
