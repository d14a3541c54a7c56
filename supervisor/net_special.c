/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "supervisor/net_dial.h"

/* The IANA registries of special-purpose addresses (RFC 6890), as far as something may be there. */
static const struct {
	unsigned char prefix[16];
	unsigned int bits;
} special[] = {
#define V4(a, b, c, bits) {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c}, 96 + (bits)}
	V4(0, 0, 0, 8),       /* this host */
	V4(10, 0, 0, 8),      /* private */
	V4(100, 64, 0, 10),   /* shared (carriers; clouds' metadata) */
	V4(127, 0, 0, 8),     /* loopback */
	V4(169, 254, 0, 16),  /* link-local; metadata */
	V4(172, 16, 0, 12),   /* private */
	V4(192, 0, 0, 24),    /* protocol assignments; metadata */
	V4(192, 168, 0, 16),  /* private */
	V4(198, 18, 0, 15),   /* tests of devices; our own */
	V4(224, 0, 0, 4),     /* multicast */
	V4(240, 0, 0, 4),     /* reserved, broadcast */
#undef V4
	{{0}, 96},                            /* ::, ::1, IPv4-compatible */
	{{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48}, /* local NAT64 */
	{{0x01, 0x00}, 64},                   /* discard */
	{{0x20, 0x01, 0, 0}, 32},             /* Teredo */
	{{0xfc}, 7},                          /* unique local; metadata */
	{{0xfe, 0x80}, 10},                   /* link-local */
	{{0xfe, 0xc0}, 10},                   /* site-local */
	{{0xff}, 8},                          /* multicast */
};

static bool starts_with(const unsigned char *address, const unsigned char *prefix,
			unsigned int bits)
{
	const unsigned int bytes = bits / 8;
	const unsigned int rest = bits % 8;

	return !memcmp(address, prefix, bytes) &&
	       (rest == 0 || (address[bytes] ^ prefix[bytes]) >> (8 - rest) == 0);
}

/* The IPv4 address that an IPv6 one leads to, at byte `at`. */
static struct in6_addr embedded(const struct in6_addr *address, size_t at)
{
	struct in6_addr v4 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	memcpy(&v4.s6_addr[12], &address->s6_addr[at], 4);
	return v4;
}

bool net_is_special(const struct in6_addr *address)
{
	static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b}; /* RFC 6052 */
	static const unsigned char v6_to_v4[2] = {0x20, 0x02};           /* RFC 3056 */
	struct in6_addr v4 = *address;

	if (!memcmp(address, nat64, sizeof(nat64)))
		v4 = embedded(address, 12);
	else if (!memcmp(address, v6_to_v4, sizeof(v6_to_v4)))
		v4 = embedded(address, 2);
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (starts_with(v4.s6_addr, special[i].prefix, special[i].bits))
			return true;
	return false;
}
