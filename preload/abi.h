/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_PRELOAD_ABI_H
#define PROCTOR_PRELOAD_ABI_H

/*
 * How the preload library tells the supervisor of an event: by a getpid(2) with arguments, which the
 * kernel ignores and the seccomp filter knows. So there is no descriptor that the tool could close or
 * come upon, no file or address that it would have to reach, and nobody else can read it or speak for
 * the caller. Where no filter looks, it is a getpid.
 *
 *     getpid(PRELOAD_MAGIC, function, text, length, text, length)
 *
 * `function` is one of enum preload_function. The texts are what it was given; they stand in the
 * caller's memory, are `length` bytes long and not terminated. One that the function does not have
 * is 0, 0. The answer is that of getpid(2).
 *
 * The first byte of the magic number is the version: it changes whenever anything of this does. What
 * comes with another version is counted as malformed.
 */

#define PRELOAD_VERSION 1
#define PRELOAD_WORD 0x70726f63746f72UL
#define PRELOAD_MAGIC ((unsigned long)PRELOAD_VERSION << 56 | PRELOAD_WORD)

/* Bytes of a text; what is longer is cut. */
#define PRELOAD_TEXT_MAX 4096

/* What LD_PRELOAD is given. */
#define PRELOAD_LIBRARY "libproctor-preload.so"
#define PRELOAD_TLS_LIBRARY "libproctor-preload-tls.so"

enum preload_function {
	PRELOAD_GETENV = 1,    /* name */
	PRELOAD_SECURE_GETENV, /* name */
	PRELOAD_GETADDRINFO,   /* host, service */
	PRELOAD_DLOPEN,        /* file */
	PRELOAD_SYSTEM,        /* command line */
	PRELOAD_POPEN,         /* command line, mode */
	PRELOAD_SSL_WRITE,     /* start line of HTTP that is sent */
	PRELOAD_SSL_READ,      /* start line of HTTP that was received */
	PRELOAD_FUNCTION_END,
};

#endif
