/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_ENDPOINT_H
#define PROCTOR_CORE_ENDPOINT_H

#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* The far (connect) or near (bind) end of a socket. */

enum transport {
	TRANSPORT_TCP,
	TRANSPORT_UDP,
	TRANSPORT_UNIX,          /* a name in the file system: `path` */
	TRANSPORT_UNIX_ABSTRACT, /* abstract name: `path`, `path_len`, may hold NUL */
	TRANSPORT_OTHER,         /* a family that no rule can name */
};

struct endpoint {
	enum transport transport;
	int family;               /* AF_INET, AF_INET6, AF_UNIX, ... */
	struct in6_addr address;  /* IPv4 as v4-mapped; see endpoint_is_v4() */
	uint32_t scope_id;        /* IPv6 link of a link-local address, 0 if none */
	uint16_t port;            /* host byte order */
	size_t path_len;          /* bytes of `path`, without a final NUL */
	char path[PATH_MAX];      /* canonical path, or abstract name */
};

/*
 * Sets *ret from an address of `len` bytes as a call received it. `transport`
 * is TRANSPORT_TCP or TRANSPORT_UDP and is used for AF_INET and AF_INET6 only.
 * An IPv4-mapped IPv6 address becomes the IPv4 address that it is. A unix path
 * is copied as written; the caller resolves it.
 * Returns 0, or -EINVAL when the kernel would refuse the length (connect(2),
 * unix(7)), or -EAFNOSUPPORT for a family not handled; *ret is then
 * TRANSPORT_OTHER with `family` set if it could be read.
 */
int endpoint_from_sockaddr(struct endpoint *ret, const struct sockaddr_storage *addr,
			   socklen_t len, enum transport transport);

/*
 * Parses what a user writes for one endpoint: "[tcp:|udp:]ADDRESS:PORT",
 * "[IPV6]:PORT", "[IPV6%LINK]:PORT", "unix:/PATH", "unix:@NAME". TCP where
 * nothing is said. An address is four decimal numbers without leading zeros, or
 * as RFC 4291 has it: nothing that another reader could take for another one.
 * Returns 0, or -EINVAL with *ret untouched.
 */
int endpoint_parse(struct endpoint *ret, const char *text);

bool endpoint_is_v4(const struct endpoint *endpoint);

/* 0.0.0.0 or ::. */
bool endpoint_is_unspecified(const struct endpoint *endpoint);

enum { ENDPOINT_TEXT_MAX = PATH_MAX + 16 };

/*
 * Writes "tcp:192.0.2.1:443", "udp:[::1]:53", "tcp:[fe80::1%2]:22",
 * "unix:/run/x", "unix:@name" (a NUL in it as "\x00") or "family:17",
 * NUL-terminated, at most `size` bytes. Returns `buf`.
 */
char *endpoint_format(const struct endpoint *endpoint, char *buf, size_t size);

#endif
