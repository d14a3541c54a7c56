/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/socket.h>

#include "supervisor/handlers.h"
#include "supervisor/net_message.h"
#include "supervisor/tracee.h"

/*
 * sendto(2), sendmsg(2), sendmmsg(2). A message without an address goes where the socket is
 * connected to, which was decided on then; it is sent by us all the same, because the tool could
 * still write an address into it.
 */

/* include/linux/socket.h; not for 64-bit callers. */
enum { COMPAT_FLAG = INT_MIN };

struct reply handle_sendto(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	AUTO_MESSAGE struct tool_message message = TOOL_MESSAGE_INIT;
	const uint64_t *args = call->request.args;
	struct reply reply;

	message.single.iov_base = (void *)(uintptr_t)args[1];
	message.single.iov_len = args[2] < MESSAGE_SIZE_MAX ? args[2] : MESSAGE_SIZE_MAX;
	message.part_count = 1;
	message.size = message.single.iov_len;
	message.flags = (int)args[3] & ~COMPAT_FLAG;
	if (!tool_socket_take(call, (int)args[0], &sock, &reply))
		return reply;
	/* Here, unlike in sendmsg(2), an address without bytes is one (udp_sendmsg()). */
	if (args[4] && (int)args[5] == 0 && tool_socket_transport(&sock) == TRANSPORT_UDP)
		return reply_error(EINVAL);
	if (args[4] && !tool_address_read(call, args[4], (int)args[5], &message.name, &reply))
		return reply;
	if (!tool_message_permit(call, &sock, &message, &reply))
		return reply;
	return tool_message_send(call, &sock, &message);
}

static struct reply send_message(struct call *call, struct tool_socket *sock, uint64_t header,
				 int flags, size_t *ret_size)
{
	AUTO_MESSAGE struct tool_message message = TOOL_MESSAGE_INIT;
	struct reply reply;

	message.flags = flags;
	if (!tool_message_read(call, sock, header, &message, &reply) ||
	    !tool_message_permit(call, sock, &message, &reply))
		return reply;
	*ret_size = message.size;
	return tool_message_send(call, sock, &message);
}

/*
 * A connected unix socket of these types sends nowhere else, whatever address the message holds
 * (unix_stream_sendmsg(), unix_seqpacket_sendmsg()). Where nobody can put another socket into its place,
 * the caller sends by itself: the peer may be told who it is (SO_PASSCRED of unix(7)), and that would be us.
 */
static bool sends_nowhere_else(const struct tool_socket *sock)
{
	return sock->domain == AF_UNIX && (sock->type == SOCK_STREAM || sock->type == SOCK_SEQPACKET);
}

struct reply handle_sendmsg(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	const uint64_t *args = call->request.args;
	const bool alone = tracee_is_alone(call);
	const int flags = (int)args[2];
	struct reply reply;
	size_t size;

	if (flags & COMPAT_FLAG)
		return reply_error(EINVAL);
	if (!tool_socket_take(call, (int)args[0], &sock, &reply))
		return reply;
	if (alone && sends_nowhere_else(&sock))
		return reply_alone();
	return send_message(call, &sock, args[1], flags, &size);
}

/* __sys_sendmmsg(): an error is told only when it is the first message's. */
struct reply handle_sendmmsg(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	const uint64_t *args = call->request.args;
	const unsigned int given = (unsigned int)args[2];
	const unsigned int count = given < IOV_MAX ? given : IOV_MAX;
	const int flags = (int)args[3];
	struct reply reply;
	unsigned int done = 0;

	if (flags & COMPAT_FLAG)
		return reply_error(EINVAL);
	if (!tool_socket_take(call, (int)args[0], &sock, &reply))
		return reply;
	reply = reply_value(0);
	while (done < count) {
		const uint64_t header = args[1] + done * sizeof(struct mmsghdr);
		size_t size = 0;
		size_t len;

		reply = send_message(call, &sock, header, flags, &size);
		if (reply.kind != REPLY_VALUE)
			break;
		len = (size_t)reply.value;
		if (!message_put_length(call, header, &reply))
			break;
		done++;
		if (len < size)
			break;
	}
	if (done > 0 && reply.kind != REPLY_NONE)
		return reply_value(done);
	return reply;
}
