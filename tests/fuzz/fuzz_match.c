/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libFuzzer: decisions against the reference. `make fuzz-match`. */
#include <stdlib.h>

#include "tests/fuzz/pairs.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	pairs_start();
	atexit(pairs_end);
	return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	(void)pairs_compare(data, size);
	return 0;
}
