/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_message.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/net_name.h"
#include "supervisor/net_proxy.h"
#include "supervisor/net_rewrite.h"
#include "supervisor/pool.h"
#include "supervisor/tracee.h"

enum {
	STREAM_CHUNK = 256 * 1024,   /* copied at a time; the rest follows */
	WHOLE_MAX = 8 * 1024 * 1024, /* of what must be sent in one piece */
};

void tool_message_release(struct tool_message *message)
{
	tool_address_release(&message->name);
	tool_control_release(&message->control);
	free(message->parts);
	message->parts = NULL;
}

static bool answer(struct reply *ret, int error)
{
	*ret = reply_error(error);
	return false;
}

/* import_iovec() */
static bool read_parts(struct call *call, uint64_t ptr, uint64_t count,
		       struct tool_message *message, struct reply *ret)
{
	int error;

	if (count > IOV_MAX)
		return answer(ret, EMSGSIZE);
	if (count == 0)
		return true;
	message->parts = malloc(count * sizeof(struct iovec));
	if (!message->parts)
		return answer(ret, ENOMEM);
	error = tracee_read(call, ptr, message->parts, count * sizeof(struct iovec));
	if (error < 0) {
		*ret = tracee_failed(call, error);
		return false;
	}
	message->part_count = count;
	for (size_t i = 0; i < count; i++) {
		struct iovec *part = &message->parts[i];

		if ((ssize_t)part->iov_len < 0)
			return answer(ret, EINVAL);
		if (part->iov_len > MESSAGE_SIZE_MAX - message->size)
			part->iov_len = MESSAGE_SIZE_MAX - message->size;
		message->size += part->iov_len;
	}
	return true;
}

bool tool_message_read(struct call *call, const struct tool_socket *socket, uint64_t ptr,
		       struct tool_message *message, struct reply *ret)
{
	struct msghdr header;
	int name_len;
	int error = tracee_read(call, ptr, &header, sizeof(header));

	if (error < 0) {
		*ret = tracee_failed(call, error);
		return false;
	}
	/* copy_msghdr_from_user(): too long a name is cut here, not refused. */
	name_len = header.msg_name ? (int)header.msg_namelen : 0;
	if (name_len > (int)sizeof(message->name.addr))
		name_len = sizeof(message->name.addr);
	return tool_address_read(call, (uintptr_t)header.msg_name, name_len, &message->name, ret) &&
	       read_parts(call, (uintptr_t)header.msg_iov, header.msg_iovlen, message, ret) &&
	       tool_control_read(call, socket, (uintptr_t)header.msg_control, header.msg_controllen,
				 &message->control, ret);
}

bool tool_message_permit(struct call *call, struct tool_socket *socket,
			 struct tool_message *message, struct reply *ret)
{
	const bool opens = socket->type == SOCK_STREAM && (message->flags & MSG_FASTOPEN);

	if (message->name.len == 0) {
		*ret = reply_none();
		return call_valid(call);
	}
	/* tcp_sendmsg_fastopen() */
	if (opens && message->name.len >= sizeof(sa_family_t) &&
	    message->name.addr.ss_family == AF_UNSPEC)
		return answer(ret, EOPNOTSUPP);
	if (!tool_address_prepare(call, socket, OP_SEND, &message->name, ret))
		return false;
	/* As on a host where it is not switched on; the tool connects then. */
	if (opens && net_proxy_is(call->session, &message->name))
		return answer(ret, EOPNOTSUPP);
	if (!net_rewrite_send(call, socket, &message->name, opens ? OP_CONNECT : OP_SEND, ret) ||
	    !net_name_send(call, socket, &message->name, opens ? OP_CONNECT : OP_SEND, ret) ||
	    !tool_address_permit(call, opens ? OP_CONNECT : OP_SEND, &message->name, ret))
		return false;
	/* tcp_sendmsg(): only MSG_FASTOPEN looks at a name. */
	if (tool_socket_transport(socket) == TRANSPORT_TCP && !opens)
		message->name.len = 0;
	return true;
}

/* -------------------------------------------------------------------------- data */

/*
 * Our copy of the data. With MSG_ZEROCOPY the kernel goes on reading the pages after the call:
 * they are a mapping of their own, which lives on in the kernel, unchanged, when we let it go.
 */
struct buffer {
	void *data;
	size_t size;
	bool mapped;
};

static bool buffer_get(struct buffer *buffer, size_t size, bool mapped)
{
	buffer->size = size;
	buffer->mapped = mapped && size > 0;
	if (!buffer->mapped) {
		buffer->data = malloc(size ? size : 1);
		return buffer->data != NULL;
	}
	buffer->data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer->data == MAP_FAILED)
		buffer->data = NULL;
	return buffer->data != NULL;
}

static void buffer_release(struct buffer *buffer)
{
	if (buffer->mapped && buffer->data)
		munmap(buffer->data, buffer->size);
	else
		free(buffer->data);
}

/* How far the parts have been copied. */
struct cursor {
	size_t part;
	size_t offset;
};

/* Copies the next `len` bytes. 0 or a negative errno. */
static int copy_data(struct call *call, const struct tool_message *message, struct cursor *cursor,
		     char *buf, size_t len)
{
	const struct iovec *parts = message->parts ? message->parts : &message->single;

	while (len > 0) {
		const struct iovec *part = &parts[cursor->part];
		size_t piece = part->iov_len - cursor->offset;
		int error;

		piece = piece < len ? piece : len;
		error = tracee_read(call, (uintptr_t)part->iov_base + cursor->offset, buf, piece);
		if (error < 0)
			return error;
		buf += piece;
		len -= piece;
		cursor->offset += piece;
		if (cursor->offset == part->iov_len)
			*cursor = (struct cursor){.part = cursor->part + 1};
	}
	return 0;
}

/* ----------------------------------------------------------------------- sending */

/*
 * One sendmsg(2) that may wait. What goes without waiting goes first, because a wait has to be
 * watched, which costs more.
 */
static ssize_t send_waiting(struct call *call, const struct tool_socket *socket,
			    const struct msghdr *header, int flags)
{
	/* These mean something for the call as a whole. */
	const bool whole = flags & (MSG_FASTOPEN | MSG_ZEROCOPY | MSG_OOB);
	struct iovec rest = *header->msg_iov;
	const struct msghdr rest_header = {.msg_iov = &rest, .msg_iovlen = 1};
	ssize_t first = whole ? 0 : sendmsg(socket->fd, header, flags | MSG_DONTWAIT);
	ssize_t sent;

	if (first < 0 && errno != EAGAIN && errno != EINPROGRESS)
		return first;
	if (!whole && first >= 0 && (socket->type != SOCK_STREAM || (size_t)first == rest.iov_len))
		return first;
	first = first < 0 ? 0 : first;
	rest.iov_base = (char *)rest.iov_base + first;
	rest.iov_len -= (size_t)first;
	blocking_begin(call);
	sent = sendmsg(socket->fd, first ? &rest_header : header, flags);
	blocking_end(call);
	if (sent < 0)
		return first ? first : sent;
	return first + sent;
}

/*
 * The number of bytes, or a negative errno. SIGPIPE is the tool's to take, not ours. The kernel
 * takes credentials only with the sender's process id, which is ours now: uid and gid stay true.
 */
static ssize_t send_once(struct call *call, const struct tool_socket *socket,
			 struct tool_message *message, const struct msghdr *header, int flags)
{
	const bool wait = !(flags & MSG_DONTWAIT) && tool_socket_may_wait(socket);
	struct ucred *ucred = header->msg_control ? message->control.credentials : NULL;
	ssize_t sent;

	/* Said again, because the tool could take O_NONBLOCK away at this moment. */
	flags |= MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
	for (;;) {
		sent = wait ? send_waiting(call, socket, header, flags)
			    : sendmsg(socket->fd, header, flags);
		if (sent >= 0 || errno != EPERM || !ucred || ucred->pid == getpid())
			return sent < 0 ? -errno : sent;
		ucred->pid = getpid();
	}
}

/* How much goes in one piece; 0 with *ret_error if it is more than that. */
static size_t piece_max(const struct tool_socket *socket, const struct tool_message *message,
			int *ret_error)
{
	enum { UDP_MAX = 0xffff };
	socklen_t len = sizeof(int);
	int buffer = WHOLE_MAX;

	*ret_error = 0;
	if (socket->type == SOCK_STREAM)
		return message->flags & MSG_ZEROCOPY ? WHOLE_MAX : STREAM_CHUNK;
	/* What the kernel would refuse need not be copied: udp_sendmsg(), unix_dgram_sendmsg(). */
	getsockopt(socket->fd, SOL_SOCKET, SO_SNDBUF, &buffer, &len);
	if (tool_socket_transport(socket) == TRANSPORT_UDP)
		buffer = UDP_MAX;
	if (message->size > (size_t)buffer)
		*ret_error = EMSGSIZE;
	else if (message->size > WHOLE_MAX)
		*ret_error = ENOBUFS;
	return WHOLE_MAX;
}

/* The answer to a send that failed before anything went out. */
static struct reply failed(struct call *call, const struct tool_socket *socket,
			   const struct tool_message *message, int error)
{
	if (error == EINTR)
		return tool_socket_interrupted(socket);
	if (error == EPIPE && socket->type == SOCK_STREAM && !(message->flags & MSG_NOSIGNAL) &&
	    call_tgid(call) > 0 && call_valid(call))
		syscall(SYS_tgkill, call_tgid(call), call->request.tid, SIGPIPE);
	return reply_error(error);
}

/* Flags of one piece of a stream, of which `first` and `last` are the ends. */
static int piece_flags(int flags, bool first, bool last)
{
	if (!first)
		flags &= ~MSG_FASTOPEN;
	if (!last)
		flags &= ~(MSG_OOB | MSG_EOR);
	return flags;
}

static struct reply send_pieces(struct call *call, const struct tool_socket *socket,
				struct tool_message *message, struct buffer *buffer)
{
	struct iovec iov = {.iov_base = buffer->data};
	struct msghdr header = {
		.msg_name = (void *)tool_address_sockaddr(&message->name),
		.msg_namelen = message->name.len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = message->control.len ? message->control.data : NULL,
		.msg_controllen = message->control.len,
	};
	struct cursor cursor = {0};
	size_t done = 0;
	ssize_t sent;
	int error;

	do {
		const size_t left = message->size - done;

		iov.iov_len = left < buffer->size ? left : buffer->size;
		error = copy_data(call, message, &cursor, buffer->data, iov.iov_len);
		if (error < 0)
			return done ? reply_value((int64_t)done) : tracee_failed(call, error);
		if (!call_valid(call))
			return reply_none();
		sent = send_once(call, socket, message, &header,
				 piece_flags(message->flags, done == 0, iov.iov_len == left));
		if (sent < 0)
			return done ? reply_value((int64_t)done)
				    : failed(call, socket, message, (int)-sent);
		done += (size_t)sent;
		/* They go with the first byte. */
		header.msg_name = NULL;
		header.msg_namelen = 0;
		header.msg_control = NULL;
		header.msg_controllen = 0;
	} while ((size_t)sent == iov.iov_len && done < message->size &&
		 !(message->flags & MSG_ZEROCOPY)); /* which promises one notice per call */
	return reply_value((int64_t)done);
}

struct reply tool_message_send(struct call *call, const struct tool_socket *socket,
			       struct tool_message *message)
{
	struct buffer buffer;
	struct reply reply;
	size_t size;
	int error;

	size = piece_max(socket, message, &error);
	if (error)
		return reply_error(error);
	size = message->size < size ? message->size : size;
	if (!buffer_get(&buffer, size, message->flags & MSG_ZEROCOPY))
		return reply_error(ENOBUFS);
	reply = send_pieces(call, socket, message, &buffer);
	buffer_release(&buffer);
	return reply;
}

bool message_put_length(struct call *call, uint64_t header, struct reply *reply)
{
	const unsigned int len = (unsigned int)reply->value;
	int error = tracee_write(call, header + offsetof(struct mmsghdr, msg_len), &len, sizeof(len));

	if (error < 0)
		*reply = tracee_failed(call, error);
	return error == 0;
}
