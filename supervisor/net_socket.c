/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "core/cleanup.h"
#include "supervisor/pool.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

void tool_socket_release(struct tool_socket *socket)
{
	close_fd(&socket->fd);
}

static int get_option(int fd, int option, int *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, option, ret, &len) < 0 ? -errno : 0;
}

bool tool_socket_take(struct call *call, int fd, struct tool_socket *ret_socket, struct reply *ret)
{
	int error = 0;

	ret_socket->fd = tracee_getfd(call, fd);
	if (ret_socket->fd < 0) {
		*ret = tracee_failed(call, ret_socket->fd);
		return false;
	}
	/* ENOTSOCK, and EBADF for a descriptor that was opened with O_PATH: as the call itself. */
	error = get_option(ret_socket->fd, SO_DOMAIN, &ret_socket->domain);
	if (error == 0)
		error = get_option(ret_socket->fd, SO_TYPE, &ret_socket->type);
	if (error == 0)
		error = get_option(ret_socket->fd, SO_PROTOCOL, &ret_socket->protocol);
	if (error < 0)
		*ret = reply_error(-error);
	return error == 0;
}

enum transport tool_socket_transport(const struct tool_socket *socket)
{
	if (socket->domain != AF_INET && socket->domain != AF_INET6)
		return TRANSPORT_OTHER;
	if (socket->type == SOCK_STREAM && socket->protocol == IPPROTO_TCP)
		return TRANSPORT_TCP;
	if (socket->type == SOCK_DGRAM && socket->protocol == IPPROTO_UDP)
		return TRANSPORT_UDP;
	return TRANSPORT_OTHER;
}

bool tool_socket_may_wait(const struct tool_socket *socket)
{
	int flags = fcntl(socket->fd, F_GETFL);

	return flags < 0 || !(flags & O_NONBLOCK);
}

bool tool_socket_local(const struct tool_socket *socket, struct endpoint *ret)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	if (getsockname(socket->fd, (struct sockaddr *)&addr, &len) < 0)
		return false;
	return endpoint_from_sockaddr(ret, &addr, len, tool_socket_transport(socket)) == 0;
}

int tool_socket_own(int domain)
{
	return socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

uint64_t tool_socket_cookie(const struct tool_socket *socket)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(socket->fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

void tool_socket_bind_any(const struct tool_socket *socket)
{
	const struct sockaddr_storage any = {.ss_family = (sa_family_t)socket->domain};
	struct endpoint local;

	if (tool_socket_local(socket, &local) && local.port != 0)
		return;
	(void)bind(socket->fd, (const struct sockaddr *)&any,
		   socket->domain == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6));
}

struct reply tool_socket_interrupted(const struct tool_socket *socket)
{
	struct timeval timeout = {0};
	socklen_t len = sizeof(timeout);

	getsockopt(socket->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len);
	return timeout.tv_sec || timeout.tv_usec ? reply_error(EINTR) : blocking_interrupted();
}

bool tool_socket_refuse(struct call *call, const struct ask *ask, int error, const char *detail,
			struct reply *ret)
{
	/* The policy has no rule for it: it says no, and that does not count. */
	if (call->session->observe)
		return call_permit(call, ask, ret);
	*ret = call_refuse(call, ask, error, detail);
	return false;
}
