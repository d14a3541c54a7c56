/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/reference.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 4096 };

/* ------------------------------------------------------------------- one component */

/* The length of "[...]" at the start of the text. A "]" in the first place is a member. */
static size_t set_length(const char *text)
{
	size_t at = 1;

	if (text[at] == '!' || text[at] == '^')
		at++;
	if (text[at] == ']')
		at++;
	while (text[at] != ']')
		at += text[at] == '\\' ? 2 : 1;
	return at + 1;
}

static bool in_set(const char *set, size_t length, char byte)
{
	const bool negated = set[1] == '!' || set[1] == '^';
	bool found = false;

	for (size_t at = negated ? 2 : 1; at < length - 1;) {
		char from = set[at++];
		char to;

		if (from == '\\')
			from = set[at++];
		to = from;
		if (set[at] == '-' && at + 1 < length - 1) {
			at++;
			to = set[at++];
			if (to == '\\')
				to = set[at++];
		}
		found = found || ((unsigned char)byte >= (unsigned char)from &&
				  (unsigned char)byte <= (unsigned char)to);
	}
	return found != negated;
}

/* Both end at a '/' or at the end of the text. */
static bool name_matches(const char *pattern, const char *name)
{
	const bool name_ends = *name == '\0' || *name == '/';

	switch (*pattern) {
	case '\0':
	case '/':
		return name_ends;
	case '*':
		return name_matches(pattern + 1, name) ||
		       (!name_ends && name_matches(pattern, name + 1));
	case '?':
		return !name_ends && name_matches(pattern + 1, name + 1);
	case '[':
		return !name_ends && in_set(pattern, set_length(pattern), *name) &&
		       name_matches(pattern + set_length(pattern), name + 1);
	case '\\':
		return pattern[1] == *name && name_matches(pattern + 2, name + 1);
	default:
		return *pattern == *name && name_matches(pattern + 1, name + 1);
	}
}

/* ---------------------------------------------------------------------- whole paths */

static bool has_wildcard(const char *pattern)
{
	for (; *pattern; pattern++) {
		if (*pattern == '\\' && pattern[1])
			pattern++;
		else if (strchr("*?[", *pattern))
			return true;
	}
	return false;
}

static const char *next(const char *text)
{
	while (*text && *text != '/')
		text++;
	while (*text == '/')
		text++;
	return text;
}

/* Neither starts with a '/'. `below`: all below what the pattern names is named as well. */
static bool path_matches(const char *pattern, const char *path, bool below)
{
	if (*pattern == '\0')
		return *path == '\0' || below;
	if (pattern[0] == '.' && (pattern[1] == '/' || pattern[1] == '\0'))
		return path_matches(next(pattern), path, below);
	if (pattern[0] == '*' && pattern[1] == '*' && (pattern[2] == '/' || pattern[2] == '\0'))
		return path_matches(next(pattern), path, below) ||
		       (*path && path_matches(pattern, next(path), below));
	return *path && name_matches(pattern, path) &&
	       path_matches(next(pattern), next(path), below);
}

static bool alternative_matches(const char *pattern, const char *folder, const char *path)
{
	char whole[TEXT_MAX];
	const bool absolute = *pattern == '/' || (pattern[0] == '*' && pattern[1] == '*' &&
						  (pattern[2] == '/' || pattern[2] == '\0'));

	snprintf(whole, sizeof(whole), "%s/%s", absolute ? "" : folder, pattern);
	return path_matches(next(whole), next(path), !has_wildcard(pattern));
}

/* The first "{...}" stands for each of its alternatives in turn. */
bool reference_matches(const char *pattern, const char *folder, const char *path)
{
	const char *open = pattern;
	const char *start;
	int depth = 0;

	while (*open && *open != '{')
		open += *open == '\\' ? 2 : *open == '[' ? (long)set_length(open) : 1;
	if (!*open)
		return alternative_matches(pattern, folder, path);
	start = open + 1;
	for (const char *at = open;; at += *at == '\\' ? 2 : *at == '[' ? (long)set_length(at) : 1) {
		char whole[TEXT_MAX];
		const char *close = at;

		depth += (*at == '{') - (*at == '}');
		if (!(*at == '}' && depth == 0) && !(*at == ',' && depth == 1))
			continue;
		for (int left = depth; left > 0; left += (*close == '{') - (*close == '}'))
			close++;
		snprintf(whole, sizeof(whole), "%.*s%.*s%s", (int)(open - pattern), pattern,
			 (int)(at - start), start, close + 1);
		if (reference_matches(whole, folder, path))
			return true;
		if (depth == 0)
			return false;
		start = at + 1;
	}
}

/* ---------------------------------------------------------------------------- lists */

unsigned int reference_ask(const struct reference_list *list, const char *folder, const char *path,
			   unsigned int *ret_taken)
{
	bool named = false;

	*ret_taken = 0;
	for (size_t i = 0; i < list->count; i++) {
		unsigned int taken = 0;

		if (list->entries[i][0] == '!' ||
		    !reference_matches(list->entries[i], folder, path))
			continue;
		named = true;
		for (size_t later = i + 1; later < list->count; later++)
			if (list->entries[later][0] == '!' &&
			    reference_matches(list->entries[later] + 1, folder, path))
				taken = list->lines[later];
		if (!taken)
			return list->lines[i];
		*ret_taken = taken;
	}
	if (!named)
		*ret_taken = 0;
	return 0;
}
