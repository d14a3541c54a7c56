/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_MESSAGE_H
#define PROCTOR_SUPERVISOR_NET_MESSAGE_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "supervisor/net_address.h"
#include "supervisor/net_control.h"
#include "supervisor/net_socket.h"

/* MAX_RW_COUNT: the kernel sends no more at once. */
enum { MESSAGE_SIZE_MAX = 0x7ffff000 };

/*
 * A message of sendto(2), sendmsg(2), sendmmsg(2): address, control messages and the list of its
 * parts are our copies; the data is copied as it is sent, and never looked at.
 */
struct tool_message {
	struct tool_address name; /* len 0: none */
	struct tool_control control;
	struct iovec *parts; /* in the tool's memory; owned; NULL: `single` is the only one */
	struct iovec single;
	size_t part_count;
	size_t size; /* sum of the parts */
	int flags;   /* MSG_* */
};

#define TOOL_MESSAGE_INIT ((struct tool_message){.name = TOOL_ADDRESS_INIT})

void tool_message_release(struct tool_message *message);
#define AUTO_MESSAGE __attribute__((cleanup(tool_message_release)))

/* Each: true, go on; false, answer with *ret. */

/* Copies the msghdr at `ptr` of the caller and what it points to. */
bool tool_message_read(struct call *call, const struct tool_socket *socket, uint64_t ptr,
		       struct tool_message *message, struct reply *ret);

/* Asks the policy about the message's address. */
bool tool_message_permit(struct call *call, struct tool_socket *socket,
			 struct tool_message *message, struct reply *ret);

/* Sends it: REPLY_VALUE with the number of bytes, or what the call fails with. */
struct reply tool_message_send(struct call *call, const struct tool_socket *socket,
			       struct tool_message *message);

/*
 * sendmmsg(2), recvmmsg(2): what one message came to, the value of *reply, goes into the msg_len of its header
 * in the caller. False: it cannot be written, *reply says so.
 */
bool message_put_length(struct call *call, uint64_t header, struct reply *reply);

#endif
