/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_SITE_NAME_H
#define PROCTOR_SUPERVISOR_SITE_NAME_H

#include <stddef.h>

#include "core/host_name.h"

/* Which site a client asks for in what it sends first: TLS's server_name (RFC 6066), HTTP's Host
 * (RFC 9112). */

enum site_protocol { SITE_UNKNOWN, SITE_TLS, SITE_HTTP };

enum site_answer {
	SITE_INCOMPLETE, /* more bytes are needed to tell */
	SITE_NAMED,      /* the name is there, once */
	SITE_NAMELESS,   /* TLS or HTTP in order, without a name */
	SITE_ENCRYPTED,  /* TLS with an encrypted name (RFC 9849), whatever the outer one says */
	SITE_NEITHER,    /* no TLS and no HTTP, or none that could not be read in two ways */
};

/* As much as is ever needed: beyond it what is incomplete is SITE_NEITHER to the caller. */
enum { SITE_BYTES_MAX = 32768 };

/*
 * Reads the first `len` bytes of a connection. With SITE_NAMED `ret` is the name, normalised; else it
 * is untouched. *ret_protocol is set as soon as it is known.
 */
enum site_answer site_name_read(const unsigned char *data, size_t len, char ret[HOST_NAME_SIZE],
				enum site_protocol *ret_protocol);

#endif
