/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses and control messages as they stand in the memory of a caller: here our own. */
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/net_address.h"
#include "supervisor/net_control.h"
#include "supervisor/session.h"
#include "tests/fuzz/net.h"

enum { LEVEL_IP_RETOPTS = 7, LEVEL_IPV6_2292RTHDR = 5, LEVEL_IPV6_RTHDR = 57 };

static const struct {
	int domain, type, protocol;
} kinds[] = {
	{AF_INET, SOCK_STREAM, IPPROTO_TCP}, {AF_INET, SOCK_DGRAM, IPPROTO_UDP},
	{AF_INET6, SOCK_STREAM, IPPROTO_TCP}, {AF_INET6, SOCK_DGRAM, IPPROTO_UDP},
	{AF_UNIX, SOCK_STREAM, 0},           {AF_UNIX, SOCK_DGRAM, 0},
	{AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
};

/* Nothing of it is a run: a question whether the caller still waits is answered with no. */
static struct session session = {.listener = -1};

static struct call call_of_ours(void)
{
	return (struct call){
		.session = &session,
		.request = {.tid = getpid(), .nr = SYS_sendmsg},
		.row = syscall_row(SYS_sendmsg),
		.tgid = getpid(),
	};
}

static struct tool_socket socket_of(unsigned char byte)
{
	const size_t i = byte % (sizeof(kinds) / sizeof(kinds[0]));
	struct tool_socket sock = {
		.fd = socket(kinds[i].domain, kinds[i].type | SOCK_CLOEXEC, kinds[i].protocol),
		.domain = kinds[i].domain,
		.type = kinds[i].type,
		.protocol = kinds[i].protocol,
	};

	return sock;
}

static void same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	check(a->transport == b->transport && a->port == b->port &&
	      !memcmp(&a->address, &b->address, sizeof(a->address)) &&
	      a->scope_id == b->scope_id && a->path_len == b->path_len &&
	      !memcmp(a->path, b->path, a->path_len));
}

/* What was decided on is what the kernel is given, and what a record says of it can be read back. */
static void check_address(const struct tool_socket *sock, const struct tool_address *address)
{
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint again;

	check(address->len <= sizeof(address->addr));
	if (!address->decide)
		return;
	check(endpoint_from_sockaddr(&again, &address->addr, address->len,
				     tool_socket_transport(sock)) == 0);
	same_endpoint(&address->endpoint, &again);
	endpoint_format(&address->endpoint, text, sizeof(text));
	/* A name in it may hold a NUL, which no text does. */
	if (address->endpoint.transport <= TRANSPORT_UDP) {
		check(endpoint_parse(&again, text) == 0);
		same_endpoint(&address->endpoint, &again);
	}
}

/* The first bytes: the kind of socket, what is done, and a length of its own if it is odd. */
void fuzz_address(const unsigned char *data, size_t size)
{
	static const enum access_op ops[] = {OP_CONNECT, OP_SEND, OP_BIND};
	AUTO_ADDRESS struct tool_address address = TOOL_ADDRESS_INIT;
	struct call call = call_of_ours();
	struct endpoint plain;
	struct reply reply;
	int len;

	if (size < 3)
		return;
	AUTO_SOCKET struct tool_socket sock = socket_of(data[0]);
	len = data[2] & 1 ? data[2] >> 1 : (int)(size - 3);
	if ((size_t)len > size - 3 && len <= (int)sizeof(address.addr))
		return;
	if (sock.fd < 0 ||
	    !tool_address_read(&call, (uintptr_t)(data + 3), len, &address, &reply))
		return;
	/* A name in the file system is a matter of resolving. */
	if (sock.domain == AF_UNIX &&
	    (endpoint_from_sockaddr(&plain, &address.addr, address.len, TRANSPORT_UNIX) < 0 ||
	     plain.transport == TRANSPORT_UNIX))
		return;
	if (tool_address_prepare(&call, &sock, ops[data[1] % 3], &address, &reply))
		check_address(&sock, &address);
}

/* What goes along is well formed, has only descriptors of ours, and no route. */
static void check_control(const struct tool_socket *sock, const struct tool_control *control,
			  size_t given)
{
	struct msghdr header = {.msg_control = control->data, .msg_controllen = control->len};
	size_t fds = 0;

	check(control->len <= given + CMSG_ALIGN(1));
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header); control->len && cmsg;
	     cmsg = CMSG_NXTHDR(&header, cmsg)) {
		check(cmsg->cmsg_len >= sizeof(*cmsg));
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
			check(sock->domain == AF_UNIX);
			fds += (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		}
		check(cmsg->cmsg_level != IPPROTO_IP || cmsg->cmsg_type != LEVEL_IP_RETOPTS);
		check(cmsg->cmsg_level != IPPROTO_IPV6 ||
		      (cmsg->cmsg_type != LEVEL_IPV6_RTHDR &&
		       cmsg->cmsg_type != LEVEL_IPV6_2292RTHDR));
	}
	check(fds == control->fd_count);
	for (size_t i = 0; i < control->fd_count; i++)
		check(control->fds[i] > STDERR_FILENO);
}

void fuzz_control(const unsigned char *data, size_t size)
{
	struct tool_control control = {.data = NULL};
	struct call call = call_of_ours();
	struct reply reply;

	if (size < 1)
		return;
	AUTO_SOCKET struct tool_socket sock = socket_of(data[0]);
	if (sock.fd >= 0 && tool_control_read(&call, &sock, (uintptr_t)(data + 1), size - 1, &control,
					      &reply))
		check_control(&sock, &control, size - 1);
	tool_control_release(&control);
}
