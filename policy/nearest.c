/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/nearest.h"

#include <string.h>

enum { WORD_MAX = 32 };

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance of two words of at most WORD_MAX bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1,
				       diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

void nearest_offer(struct nearest *nearest, const char *word)
{
	size_t len = strlen(nearest->wanted);
	size_t found;

	if (len > WORD_MAX || strlen(word) > WORD_MAX || len == 0)
		return;
	found = distance(nearest->wanted, word);
	/* A third of the letters wrong is a slip; more is another word. */
	if (found > (len + 2) / 3 || (nearest->best && found >= nearest->distance))
		return;
	nearest->best = word;
	nearest->distance = found;
}
