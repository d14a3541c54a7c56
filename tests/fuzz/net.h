/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_TESTS_FUZZ_NET_H
#define PROCTOR_TESTS_FUZZ_NET_H

#include <stddef.h>
#include <stdlib.h>

/* The decoders of what comes from the tool or from the network; fuzz_net.c chooses one. Each aborts
 * when what was decoded is not what it should be. */
void fuzz_dns(const unsigned char *data, size_t size);
void fuzz_site(const unsigned char *data, size_t size);
void fuzz_hello(const unsigned char *data, size_t size);
void fuzz_proxy(const unsigned char *data, size_t size);
void fuzz_connect(const unsigned char *data, size_t size);
void fuzz_address(const unsigned char *data, size_t size);
void fuzz_control(const unsigned char *data, size_t size);
void fuzz_preload(const unsigned char *data, size_t size);
void fuzz_script(const unsigned char *data, size_t size);

static inline void check(int condition)
{
	if (!condition)
		abort();
}

#endif
