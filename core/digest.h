/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_DIGEST_H
#define PROCTOR_CORE_DIGEST_H

#include <stddef.h>

enum { DIGEST_HEX_SIZE = 65 };

/*
 * SHA-256 (FIPS 180-4) of `len` bytes as 64 lower-case hexadecimal digits and a
 * NUL. Returns 0, or -1 when libcrypto fails.
 */
int digest_hex(const void *data, size_t len, char ret_hex[DIGEST_HEX_SIZE]);

/* The same of what `fd` reads from its start. Returns 0 or a negative errno. */
int digest_hex_of_file(int fd, char ret_hex[DIGEST_HEX_SIZE]);

#endif
