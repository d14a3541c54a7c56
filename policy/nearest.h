/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_NEAREST_H
#define PROCTOR_POLICY_NEAREST_H

#include <stddef.h>

/* "Did you mean": the closest of the words offered so far. */
struct nearest {
	const char *wanted;
	const char *best; /* NULL: none is close */
	size_t distance;
};

/* Considers one more word. It is kept, not copied. */
void nearest_offer(struct nearest *nearest, const char *word);

#endif
