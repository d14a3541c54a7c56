/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_CONTROL_H
#define PROCTOR_SUPERVISOR_NET_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "supervisor/net_socket.h"

/* Control messages (cmsg(3)) that go with a message, as we send them. */

enum { CONTROL_FDS_MAX = 253 }; /* SCM_MAX_FD, unix(7) */

struct tool_control {
	unsigned char *data; /* owned; NULL: none */
	size_t len;
	struct ucred *credentials; /* within data; NULL: none */
	int fds[CONTROL_FDS_MAX];  /* our duplicates of descriptors to be passed; owned */
	size_t fd_count;
};

void tool_control_release(struct tool_control *control);

/*
 * Copies the `len` bytes of control messages at `ptr` of the caller and makes them ours: passed
 * descriptors are duplicated, what the socket's family does not look at is left out, credentials
 * are checked as the kernel would for the tool. Refuses, with a record, what would send the
 * message elsewhere than its address says.
 * True: go on. False: answer with *ret.
 */
bool tool_control_read(struct call *call, const struct tool_socket *socket, uint64_t ptr,
		       uint64_t len, struct tool_control *control, struct reply *ret);

#endif
