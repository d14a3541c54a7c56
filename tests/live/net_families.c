/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_families
 *
 * Makes sockets of many kinds and prints which could be made. Each is asked for twice: plainly,
 * and with bits set that the kernel does not look at, which must change nothing.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/live/net_common.h"

static const struct {
	const char *name;
	int family;
	int type;
	int protocol;
} kinds[] = {
	{"tcp", AF_INET, SOCK_STREAM, 0},
	{"tcp by number", AF_INET, SOCK_STREAM, IPPROTO_TCP},
	{"tcp6", AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0},
	{"udp", AF_INET, SOCK_DGRAM, 0},
	{"udp by number", AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP},
	{"udp6", AF_INET6, SOCK_DGRAM, 0},
	{"unix stream", AF_UNIX, SOCK_STREAM, 0},
	{"unix datagram", AF_UNIX, SOCK_DGRAM, 0},
	{"unix seqpacket", AF_UNIX, SOCK_SEQPACKET, 0},
	{"unix raw", AF_UNIX, SOCK_RAW, 0},
	{"unix rdm", AF_UNIX, SOCK_RDM, 0},
	{"netlink route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
	{"mptcp", AF_INET, SOCK_STREAM, 262},
	{"mptcp6", AF_INET6, SOCK_STREAM, 262},
	{"sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP},
	{"sctp seqpacket", AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP},
	{"smc over tcp", AF_INET, SOCK_STREAM, 256},
	{"udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
	{"dccp", AF_INET, SOCK_DCCP, IPPROTO_DCCP},
	{"icmp", AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
	{"icmp6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
	{"raw", AF_INET, SOCK_RAW, IPPROTO_RAW},
	{"raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
	{"sock_packet", AF_INET, SOCK_PACKET, 0x0300},
	{"packet raw", AF_PACKET, SOCK_RAW, 0x0300},
	{"packet dgram", AF_PACKET, SOCK_DGRAM, 0x0300},
	{"netlink generic", AF_NETLINK, SOCK_RAW, NETLINK_GENERIC},
	{"netlink uevent", AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT},
	{"netlink audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT},
	{"netlink sock_diag", AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG},
	{"vsock", AF_VSOCK, SOCK_STREAM, 0},
	{"alg", AF_ALG, SOCK_SEQPACKET, 0},
	{"bluetooth", AF_BLUETOOTH, SOCK_RAW, 1},
	{"xdp", AF_XDP, SOCK_RAW, 0},
	{"can", AF_CAN, SOCK_RAW, 1},
	{"tipc", AF_TIPC, SOCK_STREAM, 0},
	{"smc", AF_SMC, SOCK_STREAM, 0},
	{"key", AF_KEY, SOCK_RAW, 2},
	{"rds", AF_RDS, SOCK_SEQPACKET, 0},
	{"nfc", AF_NFC, SOCK_SEQPACKET, 0},
	{"qipcrtr", AF_QIPCRTR, SOCK_DGRAM, 0},
	{"unspec", AF_UNSPEC, SOCK_STREAM, 0},
	{"no family", 63, SOCK_STREAM, 0},
	{"negative", -1, SOCK_STREAM, 0},
};

static long make(int family, int type, int protocol, uint64_t junk)
{
	long fd = syscall(SYS_socket, (uint64_t)(uint32_t)family | junk,
			  (uint64_t)(uint32_t)type | junk, (uint64_t)(uint32_t)protocol | junk);

	if (fd >= 0)
		close((int)fd);
	return fd < 0 ? -1 : 0;
}

int main(void)
{
	char what[64];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		report(kinds[i].name, make(kinds[i].family, kinds[i].type, kinds[i].protocol, 0));
		snprintf(what, sizeof(what), "%s, high bits", kinds[i].name);
		report(what, make(kinds[i].family, kinds[i].type, kinds[i].protocol,
				  0xdeadbeefULL << 32));
	}
	return 0;
}
