/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libFuzzer: what is decoded of the network, of the preload library, and of interpreters. The first byte chooses the decoder. `make fuzz-net`. */
#include "tests/fuzz/net.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

extern const char *const fuzz_corpus[]; /* replay.c */

const char *const fuzz_corpus[] = {"tests/fuzz/net", NULL};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static void (*const decoders[])(const unsigned char *, size_t) = {
		fuzz_dns, fuzz_site, fuzz_hello, fuzz_address, fuzz_control,
		fuzz_proxy, fuzz_connect, fuzz_preload, fuzz_script,
	};

	if (size > 0)
		decoders[data[0] % (sizeof(decoders) / sizeof(decoders[0]))](data + 1, size - 1);
	return 0;
}
