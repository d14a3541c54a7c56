/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_PROXY_DIAL_H
#define PROCTOR_SUPERVISOR_PROXY_DIAL_H

#include <sys/types.h>

#include "supervisor/proxy_request.h"
#include "supervisor/relay.h"

struct session;

/* The other end of a client's connection. */
struct proxy_end {
	int error; /* errno; EACCES: refused */
	int fd;    /* owned, may still be on its way; -1 with an error */
	struct relay_gate *gate; /* owned; NULL: none */
};

/*
 * Decides on what the client asks for (PROXY_CONNECT), as if its thread `tid` had connected there itself, by
 * the same rules and with the same records, and connects. Waits while a name is looked up.
 */
struct proxy_end proxy_dial(struct session *session, pid_t tid, int nr,
			    const struct proxy_request *request);

/* Writes the record of a request for what is no host and no address (PROXY_NO_HOST). */
void proxy_refuse_name(struct session *session, pid_t tid, int nr,
		       const struct proxy_request *request);

#endif
