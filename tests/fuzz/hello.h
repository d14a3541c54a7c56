/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_TESTS_FUZZ_HELLO_H
#define PROCTOR_TESTS_FUZZ_HELLO_H

#include <stdbool.h>
#include <stddef.h>

/* TLS ClientHellos for tests. */

struct hello {
	const char *names[2]; /* server_name extensions, NULL: none */
	bool two_in_one;      /* both names in one extension */
	bool encrypted;       /* an encrypted_client_hello extension */
	size_t padding;       /* bytes of another extension in front */
	size_t record_max;    /* bytes of handshake in a record; 0: all in one */
	bool no_extensions;
};

enum { HELLO_MAX = 70000 };

/* Writes the records to `ret`; returns how many bytes. */
size_t hello_write(const struct hello *hello, unsigned char ret[HELLO_MAX]);

#endif
