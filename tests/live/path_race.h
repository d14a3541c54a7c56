/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_TESTS_PATH_RACE_H
#define PROCTOR_TESTS_PATH_RACE_H

#include <stdbool.h>
#include <sys/stat.h>

enum outcome { FAILED, GOOD, BAD };

/* How it is seen what was reached, and what has to be put back. */
enum kind {
	TELLS,   /* the call itself tells */
	MAKES,   /* an entry at the path, which is removed again */
	REMOVES, /* the entry at the path, which is made again */
	MOVES,   /* what is at the path to "t", or gives it that name as well */
	CHANGES, /* what is at the path */
};

/* What is at the path. */
enum object { FILES, FOLDERS, LINKS, NOTHING };

/* A call that takes a path; its name is the kernel's, and behind a dot what is special about it. */
struct path_call {
	const char *name;
	enum kind kind;
	enum object object;
	bool nofollow; /* a link at the end is not followed */
	enum outcome (*judge)(long result); /* of TELLS; of others NULL, or what has to be done after it */
	long nr;
	long args[5];
};

/* Those that change something, or give access; and those that only look at a name. Each ends with a
 * row without a name. */
extern const struct path_call path_changes[];
extern const struct path_call path_looks[];

/* The objects of the call at hand, for the judges. */
struct objects {
	const char *good;
	struct stat good_stat;
	int home; /* the working folder */
};
extern struct objects objects;

/* To be called when `objects` are those of another call. */
void path_calls_begin(void);

/* Makes the call on `path`; its result, and errno. */
long path_call(const struct path_call *call, const char *path);

/* Marks what may not be reached, and what may be. */
void path_calls_mark(const char *path, bool is_bad);

#endif
