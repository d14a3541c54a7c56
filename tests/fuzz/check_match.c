/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_match [PAIRS [SEED]]: compares so many decisions on random policies and paths with the
 * reference. The same as fuzz_match.c where there is no libFuzzer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/pairs.h"

enum { BYTES = 2304 };

static uint64_t state;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

int main(int argc, char **argv)
{
	const unsigned long long wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 400000;
	unsigned long long compared = 0;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	state = state * UINT64_C(0x9e3779b97f4a7c15) + 1;
	pairs_start();
	while (compared < wanted) {
		unsigned char data[BYTES];

		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (unsigned char)(next() >> 32);
		compared += pairs_compare(data, sizeof(data));
	}
	pairs_end();
	printf("%llu pairs of a policy and a path, no difference\n", compared);
	puts("1 passed, 0 failed");
	return EXIT_SUCCESS;
}
