/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_PROXY_REQUEST_H
#define PROCTOR_SUPERVISOR_PROXY_REQUEST_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "core/host_name.h"

/* What a client asks a proxy for: HTTP CONNECT (RFC 9110, 9.3.6) and SOCKS5 (RFC 1928). Nothing is read
 * twice, and what can be read in two ways is no request. */

enum proxy_protocol { PROXY_UNKNOWN, PROXY_HTTP, PROXY_SOCKS };

enum proxy_word {
	PROXY_INCOMPLETE, /* more bytes are needed to tell */
	PROXY_GREETING,   /* SOCKS, before the request: a client that will do without a password */
	PROXY_PASSWORD,   /* the same, and it will not */
	PROXY_CONNECT,    /* the request is there */
	PROXY_METHOD,     /* in order, but another method (HTTP) or command (SOCKS) */
	PROXY_NO_HOST,    /* in order, but what is asked for is no host and no address */
	PROXY_MALFORMED,
};

enum {
	PROXY_HEAD_MAX = 8192, /* what is longer is PROXY_MALFORMED */
	PROXY_ASKED_SIZE = 300,
};

struct proxy_request {
	enum proxy_protocol protocol;
	size_t len; /* bytes of it; what follows goes to the other end */
	/* PROXY_CONNECT */
	char host[HOST_NAME_SIZE]; /* the name, normalised; empty: `address` */
	struct in6_addr address;   /* IPv4 as v4-mapped */
	uint16_t port;
	/* PROXY_CONNECT, PROXY_NO_HOST: as the client wrote it, what is not printable as "\xNN" */
	char asked[PROXY_ASKED_SIZE];
};

/*
 * Reads the first `len` bytes of a connection; `greeted`: behind a SOCKS greeting. `ret` says as much
 * as the answer promises; its protocol is set as soon as it is known.
 */
enum proxy_word proxy_request_read(const unsigned char *data, size_t len, int greeted,
				   struct proxy_request *ret);

#endif
