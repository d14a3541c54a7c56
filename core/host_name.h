/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_HOST_NAME_H
#define PROCTOR_CORE_HOST_NAME_H

#include <stddef.h>

#include "core/endpoint.h"

/* Names of hosts, as rules and accesses hold them. */

enum { HOST_NAME_SIZE = 254 }; /* 253 bytes (RFC 1035, 2.3.4) and a NUL */

/*
 * Brings the name in the `len` bytes of `text` into the one form in which names are compared: lower
 * case, IDNA applied (UTS 46 by libidn2; what is not ASCII becomes "xn--..."), one trailing dot off.
 * The bytes are looked at once and strictly: letters, digits, '-' (not at the ends of a label) and '_'
 * in labels of 1 to 63 bytes. A NUL, a space, an empty label, a name whose last label is a number
 * ("127.1", "0x7f000001", full-width digits included: some programs read those as addresses) is no name.
 * Returns 0, or -EINVAL with *ret untouched.
 */
int host_name_normalise(const char *text, size_t len, char ret[HOST_NAME_SIZE]);

/*
 * As endpoint_parse(), and also "[tcp:|udp:]NAME:PORT": `host` is then the normalised name and the
 * endpoint has the transport, the port and no address (AF_UNSPEC). Otherwise `host` is empty.
 */
int endpoint_parse_named(struct endpoint *ret, char host[HOST_NAME_SIZE], const char *text);

#endif
