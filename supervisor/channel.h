/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_CHANNEL_H
#define PROCTOR_SUPERVISOR_CHANNEL_H

/* What guardian and supervisor say to each other over a SOCK_SEQPACKET pair. Its end tells each
 * that the other is dead. */

enum message_kind {
	MESSAGE_SIGNAL,  /* guardian: pass `sig` on to the tool */
	MESSAGE_STOPPED, /* supervisor: the tool was stopped by `sig` */
	MESSAGE_STACKS,  /* supervisor: start the process that unwinds stacks; see stack.h */
};

struct message {
	enum message_kind kind;
	int sig;
};

#endif
