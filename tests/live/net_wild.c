/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_wild ADDRESS
 *
 * Hands the kernel pointers, lengths and descriptors that are none, and prints what it says.
 * ADDRESS is where a UDP server listens.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/live/net_common.h"

static struct address target;
static char *edge; /* the end of the last page that can be read */

static void *const wild[] = {
	NULL, (void *)1, (void *)0x7ffffffff000, (void *)0xffff888000000000, (void *)-1,
};

static long raw(long nr, long fd, const void *a, long b, long c, const void *d, long e)
{
	return syscall(nr, fd, a, b, c, d, e);
}

static void lengths(const char *call, long nr, int domain, int type)
{
	static const long all[] = {0,   1,   2,   3,   15,   16, 24,     28,
				   110, 111, 128, 129, 4096, -1, INT_MIN};
	struct sockaddr_storage zero = {.ss_family = AF_INET};
	char what[64];
	int fd;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(what, sizeof(what), "%s length %ld", call, all[i]);
		/* 0.0.0.0, port 0: nothing is reached by it. */
		fd = socket(domain, type, 0);
		report(what, raw(nr, fd, &zero, all[i], 0, NULL, 0));
		close(fd);
	}
}

static void pointers(const char *call, long nr, int fd)
{
	char what[64];

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		snprintf(what, sizeof(what), "%s at %p", call, wild[i]);
		report(what, raw(nr, fd, wild[i], 16, 0, NULL, 0));
	}
	snprintf(what, sizeof(what), "%s over the edge", call);
	report(what, raw(nr, fd, edge - 8, 16, 0, NULL, 0));
}

static void descriptors(const char *call, long nr)
{
	int file = open("/dev/null", O_RDONLY);
	int path = open("/", O_PATH);
	const int all[] = {-1, 777, INT_MAX, file, path};
	char what[64];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(what, sizeof(what), "%s descriptor %zu", call, i);
		report(what, raw(nr, all[i], &target.addr, (long)target.len, 0, NULL, 0));
	}
	close(file);
	close(path);
}

static long sendmsg_with(int fd, void *iov, size_t count, void *control, size_t control_len)
{
	struct msghdr header = {
		.msg_name = &target.addr,
		.msg_namelen = target.len,
		.msg_iov = iov,
		.msg_iovlen = count,
		.msg_control = control,
		.msg_controllen = control_len,
	};

	return raw(SYS_sendmsg, fd, &header, MSG_NOSIGNAL, 0, NULL, 0);
}

static void messages(int fd)
{
	static struct iovec many[IOV_MAX + 1];
	char word[] = "good";
	struct iovec negative = {.iov_base = word, .iov_len = (size_t)-1};
	struct iovec unreadable = {.iov_base = wild[2], .iov_len = 4};
	struct iovec over = {.iov_base = edge - 2, .iov_len = 4};
	struct iovec large = {.iov_base = edge - 2, .iov_len = 70000};
	struct iovec good = {.iov_base = word, .iov_len = 4};
	struct cmsghdr short_one = {.cmsg_len = 3, .cmsg_level = IPPROTO_IP, .cmsg_type = IP_TTL};
	struct cmsghdr long_one = {.cmsg_len = 999, .cmsg_level = IPPROTO_IP, .cmsg_type = IP_TTL};
	struct msghdr named = {.msg_name = wild[2], .msg_namelen = 16};
	struct mmsghdr two[2] = {{.msg_hdr = {.msg_name = &target.addr, .msg_namelen = target.len}},
				 {.msg_hdr = {.msg_name = wild[2], .msg_namelen = 16}}};

	report("sendmsg 1025 parts", sendmsg_with(fd, many, IOV_MAX + 1, NULL, 0));
	report("sendmsg 1024 empty parts", sendmsg_with(fd, many, IOV_MAX, NULL, 0));
	report("sendmsg huge count", sendmsg_with(fd, many, SIZE_MAX, NULL, 0));
	report("sendmsg negative part", sendmsg_with(fd, &negative, 1, NULL, 0));
	report("sendmsg unreadable part", sendmsg_with(fd, &unreadable, 1, NULL, 0));
	report("sendmsg part over the edge", sendmsg_with(fd, &over, 1, NULL, 0));
	report("sendmsg part too large", sendmsg_with(fd, &large, 1, NULL, 0));
	report("sendmsg wild list", sendmsg_with(fd, wild[2], 1, NULL, 0));
	report("sendmsg no list", sendmsg_with(fd, NULL, 0, NULL, 0));
	report("sendmsg wild control", sendmsg_with(fd, &good, 1, wild[2], 64));
	report("sendmsg huge control", sendmsg_with(fd, &good, 1, wild[2], SIZE_MAX));
	report("sendmsg control 64 MiB", sendmsg_with(fd, &good, 1, wild[2], 1 << 26));
	report("sendmsg control too short", sendmsg_with(fd, &good, 1, &short_one, 16));
	report("sendmsg control too long", sendmsg_with(fd, &good, 1, &long_one, 16));
	report("sendmsg one byte of control", sendmsg_with(fd, &good, 1, &short_one, 1));
	report("sendmsg wild name", raw(SYS_sendmsg, fd, &named, 0, 0, NULL, 0));
	named.msg_namelen = (socklen_t)-1;
	report("sendmsg negative name", raw(SYS_sendmsg, fd, &named, 0, 0, NULL, 0));
	named.msg_name = &target.addr;
	named.msg_namelen = 4096; /* is cut, which here is past the end of nothing */
	report("sendmsg compat flag", raw(SYS_sendmsg, fd, &named, INT_MIN, 0, NULL, 0));
	report("sendmmsg good and bad", raw(SYS_sendmmsg, fd, two, 2, 0, NULL, 0));
	report("sendmmsg bad", raw(SYS_sendmmsg, fd, two + 1, 1, 0, NULL, 0));
	report("sendmmsg none", raw(SYS_sendmmsg, fd, wild[2], 0, 0, NULL, 0));
	report("sendmmsg wild", raw(SYS_sendmmsg, fd, wild[2], 5, 0, NULL, 0));
	report("sendto wild data", raw(SYS_sendto, fd, wild[2], 4, 0, &target.addr, target.len));
	report("sendto wild address", raw(SYS_sendto, fd, "good", 4, 0, wild[2], 16));
	report("sendto negative length", raw(SYS_sendto, fd, "good", 4, 0, &target.addr, -1));
	report("sendto no length", raw(SYS_sendto, fd, "good", 4, 0, &target.addr, 0));
	report("sendto too much",
	       raw(SYS_sendto, fd, edge - 4096, 70000, 0, &target.addr, target.len));
	report("sendto everything",
	       raw(SYS_sendto, fd, edge - 4096, LONG_MAX, 0, &target.addr, target.len));
	report("sendto nothing", raw(SYS_sendto, fd, NULL, 0, 0, &target.addr, target.len));
}

static void names(int fd)
{
	socklen_t len = 16;
	socklen_t negative = (socklen_t)-1;

	report("getsockname to NULL", raw(SYS_getsockname, fd, NULL, (long)&len, 0, NULL, 0));
	report("getsockname without length", raw(SYS_getsockname, fd, edge - 16, 0, 0, NULL, 0));
	report("getsockname negative",
	       raw(SYS_getsockname, fd, edge - 16, (long)&negative, 0, NULL, 0));
	len = 128;
	report("getsockname at the edge",
	       raw(SYS_getsockname, fd, edge - 16, (long)&len, 0, NULL, 0));
	report("getsockname over the edge",
	       raw(SYS_getsockname, fd, edge - 8, (long)&len, 0, NULL, 0));
	report("getsockname of no descriptor",
	       raw(SYS_getsockname, 777, edge - 16, (long)&len, 0, NULL, 0));
	report("getsockname of a file", raw(SYS_getsockname, 0, edge - 16, (long)&len, 0, NULL, 0));
}

int main(int argc, char **argv)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	int tcp = socket(AF_INET, SOCK_STREAM, 0);
	int un = socket(AF_UNIX, SOCK_DGRAM, 0);
	int null = open("/dev/null", O_RDWR);

	if (argc != 2 || dup2(null, 0) < 0)
		return 99;
	close(null);
	address_parse(&target, argv[1]);
	edge = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (edge == MAP_FAILED || mprotect(edge + page, page, PROT_NONE) < 0)
		give_up("mmap");
	edge += page;
	memset(edge - 16, 0, 16);

	lengths("bind unix", SYS_bind, AF_UNIX, SOCK_DGRAM);
	lengths("connect unix", SYS_connect, AF_UNIX, SOCK_DGRAM);
	lengths("bind tcp", SYS_bind, AF_INET, SOCK_STREAM);
	lengths("connect tcp", SYS_connect, AF_INET, SOCK_STREAM);
	lengths("bind tcp6", SYS_bind, AF_INET6, SOCK_STREAM);
	lengths("connect udp6", SYS_connect, AF_INET6, SOCK_DGRAM);
	lengths("connect udp", SYS_connect, AF_INET, SOCK_DGRAM);
	pointers("connect", SYS_connect, tcp);
	pointers("bind", SYS_bind, tcp);
	pointers("sendmsg", SYS_sendmsg, udp);
	descriptors("connect", SYS_connect);
	descriptors("bind", SYS_bind);
	descriptors("listen", SYS_listen);
	descriptors("sendmsg", SYS_sendmsg);
	messages(udp);
	names(udp);
	report("listen on UDP", listen(udp, 1));
	report("listen on unix datagram", listen(un, 1));
	return 0;
}
