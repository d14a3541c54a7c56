/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_ADDRESS_H
#define PROCTOR_SUPERVISOR_NET_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/endpoint.h"
#include "supervisor/net_socket.h"
#include "supervisor/resolve.h"

/*
 * An address that a call gave: copied once, brought to the one form in which the kernel would use
 * it, decided on, and handed to the kernel in that same form.
 */
struct tool_address {
	struct sockaddr_storage addr; /* what the call is carried out with; sun_path may fill all
				       * of its 108 bytes, which leaves room for a NUL here */
	socklen_t len;                /* 0: carried out without an address */
	bool decide;                  /* the policy is asked; else nothing can be reached by it */
	int error; /* errno that follows when the policy allows: it leads nowhere */
	struct endpoint endpoint;
	struct object object; /* pins what a unix path leads to, or the folder to bind in */
	char arg[sizeof(struct sockaddr_un) + 64]; /* as the tool wrote it, for the record */
};

#define TOOL_ADDRESS_INIT ((struct tool_address){.object = OBJECT_INIT})

void tool_address_release(struct tool_address *address);
#define AUTO_ADDRESS __attribute__((cleanup(tool_address_release)))

/* Each: true, go on; false, answer with *ret. */

/* Copies the `len` bytes at `ptr` of the caller. */
bool tool_address_read(struct call *call, uint64_t ptr, int len, struct tool_address *address,
		       struct reply *ret);

/*
 * Prepares the copied address for `op`: OP_CONNECT or OP_SEND to it, or OP_BIND. Refuses, with a
 * record, an address that no rule can name.
 */
bool tool_address_prepare(struct call *call, const struct tool_socket *socket, enum access_op op,
			  struct tool_address *address, struct reply *ret);

/* Asks the policy, or, where there is nothing to decide, whether the caller still waits. */
bool tool_address_permit(struct call *call, enum access_op op, const struct tool_address *address,
			 struct reply *ret);

static inline const struct sockaddr *tool_address_sockaddr(const struct tool_address *address)
{
	return address->len ? (const struct sockaddr *)&address->addr : NULL;
}

#endif
