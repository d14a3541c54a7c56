/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_TESTS_FUZZ_PAIRS_H
#define PROCTOR_TESTS_FUZZ_PAIRS_H

#include <stddef.h>

/* Makes the folder that policies are written to. Ends the process when it cannot. */
void pairs_start(void);
void pairs_end(void);

/*
 * Makes a policy and paths of the bytes, and compares policy_decide() with the reference. Returns how
 * many pairs of a policy and a path were compared. A difference is printed and ends in abort().
 */
size_t pairs_compare(const unsigned char *data, size_t size);

#endif
