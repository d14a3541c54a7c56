/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_MEMORY_H
#define PROCTOR_POLICY_MEMORY_H

#include <stddef.h>

/*
 * What a policy is made of is allocated while it loads and released all at once.
 * Pieces are cut from larger blocks; under a sanitizer each is a block of its own,
 * so that it sees the bounds of each.
 * When memory runs out nothing has been run yet: the process ends with status
 * 125 ("proctor itself failed") from inside these functions.
 */
struct memory {
	struct memory_block *blocks;
	char *free; /* what is left of the newest block */
	size_t left;
};

/* `size` zeroed bytes, aligned for any type. Never NULL. */
void *memory_alloc(struct memory *memory, size_t size);

/* The first `len` bytes of `text` and a NUL. */
char *memory_strndup(struct memory *memory, const char *text, size_t len);
char *memory_strdup(struct memory *memory, const char *text);

char *memory_printf(struct memory *memory, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Returns `items` (`count` of `size` bytes), moved if need be, with room for one more, zeroed. */
void *memory_grow(struct memory *memory, void *items, size_t count, size_t size);

/* Appends a zeroed element to an array and gives its address. */
#define memory_push(memory, items, count)                                                          \
	((items) = memory_grow((memory), (items), (count), sizeof(__typeof__(*(items)))),          \
	 &(items)[(count)++])

/* Ends the process with status 125. */
void memory_exhausted(void) __attribute__((noreturn));

void memory_free(struct memory *memory);

#endif
