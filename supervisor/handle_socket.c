/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "supervisor/handlers.h"
#include "supervisor/net_group.h"
#include "supervisor/net_socket.h"
#include "supervisor/session.h"

/*
 * socket(2), socketpair(2), setsockopt(2): what rules cannot name is not made. Decided from
 * registers, of which the kernel looks at 32 bits; multicast groups are net_group.h's.
 */

enum { SOCK_TYPE_BITS = 0xf }; /* SOCK_TYPE_MASK, include/linux/net.h; the rest are flags */

static const char *family_name(int family)
{
	switch (family) {
	case AF_INET:
		return "AF_INET";
	case AF_INET6:
		return "AF_INET6";
	case AF_NETLINK:
		return "AF_NETLINK";
	case AF_PACKET:
		return "AF_PACKET";
	case AF_VSOCK:
		return "AF_VSOCK";
	case AF_ALG:
		return "AF_ALG";
	case AF_BLUETOOTH:
		return "AF_BLUETOOTH";
	case AF_XDP:
		return "AF_XDP";
	case AF_CAN:
		return "AF_CAN";
	case AF_TIPC:
		return "AF_TIPC";
	case AF_SMC:
		return "AF_SMC";
	case AF_KEY:
		return "AF_KEY";
	case AF_RDS:
		return "AF_RDS";
	default:
		return NULL;
	}
}

static const char *type_name(int type)
{
	switch (type) {
	case SOCK_STREAM:
		return "SOCK_STREAM";
	case SOCK_DGRAM:
		return "SOCK_DGRAM";
	case SOCK_RAW:
		return "SOCK_RAW";
	case SOCK_RDM:
		return "SOCK_RDM";
	case SOCK_SEQPACKET:
		return "SOCK_SEQPACKET";
	case SOCK_DCCP:
		return "SOCK_DCCP";
	case SOCK_PACKET:
		return "SOCK_PACKET";
	default:
		return NULL;
	}
}

/* 0: may be made. Else the errno that programs cope with best: that of a kernel without it. */
static int socket_verdict(int family, int type, int protocol)
{
	switch (family) {
	case AF_UNIX: /* whatever the type, the far end has a name or is given by hand */
		return 0;
	case AF_INET:
	case AF_INET6:
		if (type == SOCK_STREAM)
			return protocol == 0 || protocol == IPPROTO_TCP ? 0 : EPROTONOSUPPORT;
		if (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP))
			return 0;
		/* ICMP echo sockets are a matter of privilege (net.ipv4.ping_group_range). */
		if (type == SOCK_DGRAM && protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6)
			return EPROTONOSUPPORT;
		if (type == SOCK_DGRAM || type == SOCK_RAW || type == SOCK_PACKET)
			return EACCES;
		return ESOCKTNOSUPPORT;
	case AF_NETLINK:
		return protocol == NETLINK_ROUTE ? 0 : EPROTONOSUPPORT;
	case AF_PACKET:
		return EACCES;
	default:
		return EAFNOSUPPORT;
	}
}

/*
 * True for a socket each of whose messages may have another address, to which it would go: one that
 * could be used for nothing where no rule allows a datagram. As there is none, sendmsg(2) need not be
 * looked at. Not netlink: who sends to another process than the kernel needs a privilege.
 */
static bool is_for_datagrams(int family, int type)
{
	switch (family) {
	case AF_UNIX: /* where SOCK_RAW is another word for it */
		return type == SOCK_DGRAM || type == SOCK_RAW;
	case AF_INET:
	case AF_INET6:
		return type == SOCK_DGRAM;
	default:
		return false;
	}
}

struct reply handle_socket(struct call *call)
{
	const int family = (int)call->request.args[0];
	const int type = (int)call->request.args[1] & SOCK_TYPE_BITS;
	const int protocol = (int)call->request.args[2];
	const char *known_family = family_name(family);
	const char *known_type = type_name(type);
	const char *detail = "no rule can name what it would reach";
	int error = socket_verdict(family, type, protocol);
	char arg[96];
	char other[2][32];
	struct reply reply;
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_SOCKET},
		.op_count = 1,
		.arg = arg,
	};

	if (error == 0 && !call->session->datagrams && is_for_datagrams(family, type)) {
		error = EACCES;
		detail = "no rule names a host, or allows anything by \"udp:\" or \"unix:\"";
	}
	if (error == 0)
		return reply_continue(call);
	snprintf(other[0], sizeof(other[0]), "family %d", family);
	snprintf(other[1], sizeof(other[1]), "type %d", type);
	snprintf(arg, sizeof(arg), "%s %s %d", known_family ? known_family : other[0],
		 known_type ? known_type : other[1], protocol);
	if (tool_socket_refuse(call, &ask, error, detail, &reply))
		return reply_continue(call);
	return reply;
}

/*
 * Options that send packets by way of another address than the one that was decided on: source
 * routes (RFC 791, RFC 8200 4.4, RFC 8754), and flow labels, which can carry one.
 */
static const char *source_route_option(int level, int option)
{
	if (level == IPPROTO_IP && option == IP_OPTIONS)
		return "IP_OPTIONS";
	if (level != IPPROTO_IPV6)
		return NULL;
	switch (option) {
	case IPV6_RTHDR:
		return "IPV6_RTHDR";
	case IPV6_2292RTHDR:
		return "IPV6_2292RTHDR";
	case IPV6_2292PKTOPTIONS:
		return "IPV6_2292PKTOPTIONS";
	case IPV6_FLOWLABEL_MGR:
		return "IPV6_FLOWLABEL_MGR";
	default:
		return NULL;
	}
}

struct reply handle_setsockopt(struct call *call)
{
	const uint64_t *args = call->request.args;
	const char *name = source_route_option((int)args[1], (int)args[2]);
	struct reply reply;
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_SOCKET},
		.op_count = 1,
		.arg = name,
	};

	if (policy_allows_all(call->session->policy, CLASS_NETWORK, OP_CONNECT))
		return reply_continue(call);
	if (tool_group_option((int)args[1], (int)args[2]))
		return tool_group_set(call);
	/* Without a value an option is taken off. */
	if (!name || (int)args[4] == 0)
		return reply_continue(call);
	if (tool_socket_refuse(call, &ask, EACCES, "packets would go by way of another address",
			       &reply))
		return reply_continue(call);
	return reply;
}
