/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_TESTS_FUZZ_REFERENCE_H
#define PROCTOR_TESTS_FUZZ_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Path patterns and lists as the description of the language has them, in the plainest way: by
 * recursion over the text, with no thought for speed. Shares no code with policy/. Without symbolic
 * links, "..", "~" and variables.
 */

/* True when `pattern` (no leading "!") of a policy in `folder` names the path. */
bool reference_matches(const char *pattern, const char *folder, const char *path);

/* One list of a policy, and where each of its entries stands. */
struct reference_list {
	const char *const *entries; /* "!" included */
	const unsigned int *lines;
	size_t count;
};

/* The line of the first entry that names the path and is not taken back by a later "!"; 0: none, and
 * *ret_taken is then the line of the last "!" that took it back (0: nothing named it). */
unsigned int reference_ask(const struct reference_list *list, const char *folder, const char *path,
			   unsigned int *ret_taken);

#endif
