/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * EVP, which OpenSSL 3 would rather have us use, loads configuration and providers at its first
 * call: a millisecond at every start, for a digest that has one implementation.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/digest.h"

#include <errno.h>
#include <openssl/sha.h>
#include <unistd.h>

static int finish(SHA256_CTX *context, char ret_hex[DIGEST_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[SHA256_DIGEST_LENGTH];

	if (SHA256_Final(digest, context) != 1)
		return -1;
	for (size_t i = 0; i < sizeof(digest); i++) {
		ret_hex[2 * i] = digits[digest[i] >> 4];
		ret_hex[2 * i + 1] = digits[digest[i] & 15];
	}
	ret_hex[DIGEST_HEX_SIZE - 1] = '\0';
	return 0;
}

int digest_hex(const void *data, size_t len, char ret_hex[DIGEST_HEX_SIZE])
{
	SHA256_CTX context;

	if (SHA256_Init(&context) != 1 || SHA256_Update(&context, data, len) != 1)
		return -1;
	return finish(&context, ret_hex);
}

int digest_hex_of_file(int fd, char ret_hex[DIGEST_HEX_SIZE])
{
	unsigned char buf[32768];
	SHA256_CTX context;
	off_t offset = 0;
	ssize_t got;

	if (SHA256_Init(&context) != 1)
		return -EIO;
	while ((got = pread(fd, buf, sizeof(buf), offset)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (SHA256_Update(&context, buf, (size_t)got) != 1)
			return -EIO;
		offset += got;
	}
	return finish(&context, ret_hex) < 0 ? -EIO : 0;
}
