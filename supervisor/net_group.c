/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_group.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "supervisor/net_socket.h"
#include "supervisor/tracee.h"

enum {
	VALUE_MAX = 8192, /* of a list of sources: net.ipv4.igmp_max_msf is 10 */
};

/* Where in an option's value the group stands: an address, or a struct sockaddr_storage. */
struct group_option {
	int level;
	int option;
	size_t size; /* a shorter value is EINVAL */
	size_t offset;
	bool is_sockaddr;
};

#define SOCKADDRS(level, option, type, member) {level, option, sizeof(type), offsetof(type, member), true}
static const struct group_option group_options[] = {
	{IPPROTO_IP, IP_ADD_MEMBERSHIP, sizeof(struct ip_mreq), 0, false},
	{IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, sizeof(struct ip_mreq_source), 0, false},
	{IPPROTO_IP, IP_BLOCK_SOURCE, sizeof(struct ip_mreq_source), 0, false},
	{IPPROTO_IP, IP_UNBLOCK_SOURCE, sizeof(struct ip_mreq_source), 0, false},
	{IPPROTO_IP, IP_MSFILTER, IP_MSFILTER_SIZE(0), 0, false},
	{IPPROTO_IPV6, IPV6_JOIN_GROUP, sizeof(struct ipv6_mreq), 0, false},
	SOCKADDRS(IPPROTO_IP, MCAST_JOIN_GROUP, struct group_req, gr_group),
	SOCKADDRS(IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, struct group_source_req, gsr_group),
	SOCKADDRS(IPPROTO_IP, MCAST_BLOCK_SOURCE, struct group_source_req, gsr_group),
	SOCKADDRS(IPPROTO_IP, MCAST_UNBLOCK_SOURCE, struct group_source_req, gsr_group),
	{IPPROTO_IP, MCAST_MSFILTER, GROUP_FILTER_SIZE(0), offsetof(struct group_filter, gf_group), true},
	SOCKADDRS(IPPROTO_IPV6, MCAST_JOIN_GROUP, struct group_req, gr_group),
	SOCKADDRS(IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, struct group_source_req, gsr_group),
	SOCKADDRS(IPPROTO_IPV6, MCAST_BLOCK_SOURCE, struct group_source_req, gsr_group),
	SOCKADDRS(IPPROTO_IPV6, MCAST_UNBLOCK_SOURCE, struct group_source_req, gsr_group),
	{IPPROTO_IPV6, MCAST_MSFILTER, GROUP_FILTER_SIZE(0), offsetof(struct group_filter, gf_group), true},
};
#undef SOCKADDRS

static const struct group_option *find_option(int level, int option)
{
	for (size_t i = 0; i < sizeof(group_options) / sizeof(group_options[0]); i++) {
		if (group_options[i].level == level && group_options[i].option == option)
			return &group_options[i];
	}
	return NULL;
}

bool tool_group_option(int level, int option)
{
	return find_option(level, option) != NULL;
}

/* The group that `value` names. False where the kernel finds none in it. */
static bool read_group(const struct group_option *option, const unsigned char *value,
		       struct endpoint *ret)
{
	const sa_family_t family = option->level == IPPROTO_IP ? AF_INET : AF_INET6;
	struct sockaddr_storage addr = {.ss_family = family};

	if (option->is_sockaddr)
		memcpy(&addr, value + option->offset, sizeof(addr));
	else if (family == AF_INET)
		memcpy(&((struct sockaddr_in *)&addr)->sin_addr, value, sizeof(struct in_addr));
	else
		memcpy(&((struct sockaddr_in6 *)&addr)->sin6_addr, value, sizeof(struct in6_addr));
	return addr.ss_family == family &&
	       endpoint_from_sockaddr(ret, &addr, sizeof(addr), TRANSPORT_UDP) == 0;
}

struct reply tool_group_set(struct call *call)
{
	const uint64_t *args = call->request.args;
	const struct group_option *option = find_option((int)args[1], (int)args[2]);
	const int len = (int)args[4];
	AUTO_SOCKET struct tool_socket sock = TOOL_SOCKET_INIT;
	_Alignas(max_align_t) unsigned char value[VALUE_MAX];
	struct endpoint local;
	struct endpoint group;
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_CONNECT},
		.op_count = 1,
		.endpoint = &group,
		.arg = "a multicast group",
	};
	struct reply reply;
	int error;

	if (!tool_socket_take(call, (int)args[0], &sock, &reply))
		return reply;
	if (len > VALUE_MAX)
		return reply_error(ENOBUFS);
	if (len < 0 || (size_t)len < option->size)
		return reply_error(EINVAL);
	error = tracee_read(call, args[3], value, (size_t)len);
	if (error < 0)
		return tracee_failed(call, error);
	if (!read_group(option, value, &group))
		return reply_error(EINVAL);
	group.port = tool_socket_local(&sock, &local) ? local.port : 0;
	if (!call_permit(call, &ask, &reply))
		return reply;
	return reply_result(setsockopt(sock.fd, option->level, option->option, value,
				       (socklen_t)len));
}
