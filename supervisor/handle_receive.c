/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include "core/cleanup.h"
#include "supervisor/handlers.h"
#include "supervisor/net_message.h"
#include "supervisor/net_name.h"
#include "supervisor/pool.h"
#include "supervisor/stats.h"
#include "supervisor/tracee.h"

/*
 * getpeername(2), recvfrom(2), recvmsg(2), recvmmsg(2), where the policy has rules about names: there is nothing
 * to decide, so that the kernel runs them; but for sockets that talk to another address than the
 * tool knows (net_peers.h), on which the one that it knows has to be shown.
 */

enum {
	DATAGRAM_MAX = 65535,
	CONTROL_MAX = 65536,
};

/* The caller's socket, if something is shown otherwise on it: true, with *sock. */
static bool take_disguised(struct call *call, int fd, struct tool_socket *sock)
{
	struct reply reply;

	return tool_socket_take(call, fd, sock, &reply) && net_name_disguises(call, sock);
}

/* Writes an address as the kernel does: cut to the room, with its whole length. */
static int write_address(struct call *call, uint64_t ptr, uint64_t len_ptr,
			 const struct sockaddr_storage *addr, socklen_t len)
{
	int room = 0;
	int error = tracee_read(call, len_ptr, &room, sizeof(room));

	if (error == 0 && room < 0)
		return -EINVAL;
	if (error == 0)
		error = tracee_write(call, ptr, addr, (socklen_t)room < len ? (size_t)room : len);
	return error == 0 ? tracee_write(call, len_ptr, &len, sizeof(len)) : error;
}

struct reply handle_getpeername(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	const uint64_t *args = call->request.args;
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);
	int error;

	if (!take_disguised(call, (int)args[0], &sock))
		return reply_continue(call);
	if (getpeername(sock.fd, (struct sockaddr *)&addr, &len) < 0)
		return reply_error(errno);
	net_name_shown(call, &sock, &addr, &len);
	if (!call_valid(call))
		return reply_none();
	error = write_address(call, args[1], args[2], &addr, len);
	if (error == -EINVAL)
		return reply_error(EINVAL);
	return error < 0 ? tracee_failed(call, error) : reply_value(0);
}

/* ------------------------------------------------------------------------- receiving */

/* As tool_socket_interrupted(), for the other direction. */
static struct reply interrupted(const struct tool_socket *sock)
{
	struct timeval timeout = {0};
	socklen_t len = sizeof(timeout);

	getsockopt(sock->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &len);
	return timeout.tv_sec || timeout.tv_usec ? reply_error(EINTR) : blocking_interrupted();
}

/* True: something was received, *ret_len bytes. False: answer with *ret. */
static bool receive(struct call *call, const struct tool_socket *sock, struct msghdr *header,
		    int flags, size_t *ret_len, struct reply *ret)
{
	ssize_t len = recvmsg(sock->fd, header, flags | MSG_DONTWAIT);

	if (len < 0 && errno == EAGAIN && !(flags & MSG_DONTWAIT) && tool_socket_may_wait(sock)) {
		blocking_begin(call);
		len = recvmsg(sock->fd, header, flags);
		blocking_end(call);
	}
	if (len >= 0) {
		*ret_len = (size_t)len;
		net_name_shown(call, sock, header->msg_name, &header->msg_namelen);
		return true;
	}
	*ret = errno == EINTR ? interrupted(sock) : reply_error(errno);
	return false;
}

struct reply handle_recvfrom(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	AUTO_FREE unsigned char *data = NULL;
	const uint64_t *args = call->request.args;
	struct sockaddr_storage addr = {0};
	struct iovec part = {.iov_len = args[2] < DATAGRAM_MAX ? args[2] : DATAGRAM_MAX};
	struct msghdr header = {
		.msg_name = &addr,
		.msg_namelen = sizeof(addr),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	struct reply reply;
	size_t len;
	int error;

	if (!take_disguised(call, (int)args[0], &sock) || sock.type != SOCK_DGRAM)
		return reply_continue(call);
	part.iov_base = data = malloc(part.iov_len ? part.iov_len : 1);
	if (!data)
		return reply_error(ENOBUFS);
	if (!call_valid(call))
		return reply_none();
	if (!receive(call, &sock, &header, (int)args[3], &len, &reply))
		return reply;
	/* With MSG_TRUNC the length is that of the datagram, of which only so much is here. */
	error = tracee_write(call, args[1], data, len < part.iov_len ? len : part.iov_len);
	if (error == 0)
		error = write_address(call, args[4], args[5], &addr, header.msg_namelen);
	if (error == -EINVAL)
		return reply_error(EINVAL);
	return error < 0 ? tracee_failed(call, error) : reply_value((int64_t)len);
}

/* ---------------------------------------------------------------------- recvmsg */

struct incoming {
	struct msghdr given; /* the tool's */
	struct iovec *parts; /* in the tool's memory */
	unsigned char *data;
	unsigned char *control;
	size_t room; /* for data */
	struct sockaddr_storage addr;
};

static void incoming_release(struct incoming *incoming)
{
	free(incoming->parts);
	free(incoming->data);
	free(incoming->control);
}

/* Copies the msghdr and makes room for what it wants. 0 or a negative errno. */
static int prepare(struct call *call, uint64_t ptr, struct incoming *incoming)
{
	struct msghdr *given = &incoming->given;
	int error = tracee_read(call, ptr, given, sizeof(*given));

	if (error < 0)
		return error;
	if (given->msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	incoming->parts = calloc(given->msg_iovlen + 1, sizeof(struct iovec));
	if (!incoming->parts)
		return -ENOMEM;
	error = tracee_read(call, (uintptr_t)given->msg_iov, incoming->parts,
			    given->msg_iovlen * sizeof(struct iovec));
	if (error < 0)
		return error;
	for (size_t i = 0; i < given->msg_iovlen; i++) {
		if ((ssize_t)incoming->parts[i].iov_len < 0)
			return -EINVAL;
		if (incoming->parts[i].iov_len > DATAGRAM_MAX - incoming->room)
			incoming->parts[i].iov_len = DATAGRAM_MAX - incoming->room;
		incoming->room += incoming->parts[i].iov_len;
	}
	if (given->msg_controllen > CONTROL_MAX)
		given->msg_controllen = CONTROL_MAX;
	incoming->data = malloc(incoming->room + 1);
	incoming->control = calloc(1, given->msg_controllen + 1);
	return incoming->data && incoming->control ? 0 : -ENOMEM;
}

/* Spreads the data over the tool's parts. */
static int write_parts(struct call *call, const struct incoming *incoming, size_t len)
{
	size_t done = 0;
	int error = 0;

	for (size_t i = 0; error == 0 && done < len; i++) {
		const struct iovec *part = &incoming->parts[i];
		const size_t count = part->iov_len < len - done ? part->iov_len : len - done;

		error = tracee_write(call, (uintptr_t)part->iov_base, incoming->data + done, count);
		done += count;
	}
	return error;
}

/* Gives the tool what was received, in the fields of its msghdr that the kernel sets. */
static int deliver(struct call *call, uint64_t ptr, const struct incoming *incoming,
		   const struct msghdr *got, size_t len)
{
	const struct msghdr *given = &incoming->given;
	const size_t room = given->msg_namelen < sizeof(incoming->addr) ? given->msg_namelen
									: sizeof(incoming->addr);
	int error = write_parts(call, incoming, len < incoming->room ? len : incoming->room);

	if (error == 0 && given->msg_name) {
		error = tracee_write(call, (uintptr_t)given->msg_name, &incoming->addr,
				     got->msg_namelen < room ? got->msg_namelen : room);
		if (error == 0)
			error = tracee_write(call, ptr + offsetof(struct msghdr, msg_namelen),
					     &got->msg_namelen, sizeof(got->msg_namelen));
	}
	if (error == 0)
		error = tracee_write(call, (uintptr_t)given->msg_control, incoming->control,
				     got->msg_controllen);
	if (error == 0)
		error = tracee_write(call, ptr + offsetof(struct msghdr, msg_controllen),
				     &got->msg_controllen, sizeof(got->msg_controllen));
	if (error == 0)
		error = tracee_write(call, ptr + offsetof(struct msghdr, msg_flags),
				     &got->msg_flags, sizeof(got->msg_flags));
	return error;
}

/* The message for the msghdr at `ptr` of the caller. */
static struct reply receive_message(struct call *call, const struct tool_socket *sock, uint64_t ptr,
				    int flags)
{
	__attribute__((cleanup(incoming_release))) struct incoming taken = {.parts = NULL};
	struct incoming *incoming = &taken;
	struct reply reply;
	struct iovec part;
	struct msghdr header;
	size_t len;
	int error = prepare(call, ptr, incoming);

	if (error == -EMSGSIZE || error == -EINVAL || error == -ENOMEM)
		return reply_error(-error);
	if (error < 0)
		return tracee_failed(call, error);
	if (!call_valid(call))
		return reply_none();
	part = (struct iovec){.iov_base = incoming->data, .iov_len = incoming->room};
	header = (struct msghdr){
		.msg_name = &incoming->addr,
		.msg_namelen = sizeof(incoming->addr),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = incoming->given.msg_controllen ? incoming->control : NULL,
		.msg_controllen = incoming->given.msg_controllen,
	};
	if (!receive(call, sock, &header, flags, &len, &reply))
		return reply;
	error = deliver(call, ptr, incoming, &header, len);
	return error < 0 ? tracee_failed(call, error) : reply_value((int64_t)len);
}

struct reply handle_recvmsg(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	const uint64_t *args = call->request.args;

	if (!take_disguised(call, (int)args[0], &sock) || sock.type != SOCK_DGRAM)
		return reply_continue(call);
	return receive_message(call, &sock, args[1], (int)args[2]);
}

/* --------------------------------------------------------------------- recvmmsg */

/* Reads how long to go on. False: answer with *ret. */
static bool read_timeout(struct call *call, uint64_t ptr, uint64_t *ret_end, struct reply *ret)
{
	struct timespec timeout;
	int error;

	*ret_end = UINT64_MAX;
	if (!ptr)
		return true;
	error = tracee_read(call, ptr, &timeout, sizeof(timeout));
	if (error < 0) {
		*ret = tracee_failed(call, error);
		return false;
	}
	*ret = reply_error(EINVAL);
	if (timeout.tv_sec < 0 || timeout.tv_nsec < 0 || timeout.tv_nsec >= 1000000000)
		return false;
	if (timeout.tv_sec < INT_MAX)
		*ret_end = stats_now() + (uint64_t)timeout.tv_sec * 1000000000 +
			   (uint64_t)timeout.tv_nsec;
	return true;
}

/* What is left of the time: the caller is told. */
static int write_timeout(struct call *call, uint64_t ptr, uint64_t end)
{
	const uint64_t now = stats_now();
	const uint64_t left = end > now ? end - now : 0;
	const struct timespec rest = {
		.tv_sec = (time_t)(left / 1000000000),
		.tv_nsec = (long)(left % 1000000000),
	};

	return ptr && end != UINT64_MAX ? tracee_write(call, ptr, &rest, sizeof(rest)) : 0;
}

/* do_recvmmsg(): an error is told only when nothing came before it, and the time is looked at only after
 * each message. */
struct reply handle_recvmmsg(struct call *call)
{
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	const uint64_t *args = call->request.args;
	const unsigned int given = (unsigned int)args[2];
	const unsigned int count = given < IOV_MAX ? given : IOV_MAX;
	struct reply reply = reply_value(0);
	int flags = (int)args[3];
	unsigned int done = 0;
	uint64_t end;

	if (!take_disguised(call, (int)args[0], &sock) || sock.type != SOCK_DGRAM)
		return reply_continue(call);
	if (!read_timeout(call, args[4], &end, &reply))
		return reply;
	while (done < count && (done == 0 || stats_now() < end)) {
		const uint64_t header = args[1] + done * sizeof(struct mmsghdr);

		reply = receive_message(call, &sock, header, flags & ~MSG_WAITFORONE);
		if (reply.kind != REPLY_VALUE)
			break;
		if (!message_put_length(call, header, &reply))
			break;
		done++;
		flags |= flags & MSG_WAITFORONE ? MSG_DONTWAIT : 0;
	}
	if (done == 0 || reply.kind == REPLY_NONE)
		return reply;
	return write_timeout(call, args[4], end) < 0 ? reply_error(EFAULT) : reply_value(done);
}
