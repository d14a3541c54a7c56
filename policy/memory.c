/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_PROCTOR_FAILED = 125, FIRST_CAPACITY = 4 };

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define CHECKED_BLOCKS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(CHECKED_BLOCKS)
enum { BLOCK_SIZE = 0 };
#else
enum { BLOCK_SIZE = 64 * 1024 };
#endif

struct memory_block {
	struct memory_block *next;
	max_align_t bytes[];
};

void memory_exhausted(void)
{
	static const char message[] = "proctor: out of memory while loading the policy\n";

	(void)!write(STDERR_FILENO, message, sizeof(message) - 1);
	_exit(STATUS_PROCTOR_FAILED);
}

static void *new_block(struct memory *memory, size_t size)
{
	struct memory_block *block = calloc(1, sizeof(*block) + size);

	if (!block)
		memory_exhausted();
	block->next = memory->blocks;
	memory->blocks = block;
	return block->bytes;
}

void *memory_alloc(struct memory *memory, size_t size)
{
	const size_t alignment = _Alignof(max_align_t);
	const size_t whole = (size / alignment + 1) * alignment; /* for no bytes, too */
	void *piece;

	/* A large piece leaves what is left of the block to the small ones. */
	if (whole < size || whole > BLOCK_SIZE / 8)
		return new_block(memory, size);
	if (whole > memory->left) {
		memory->free = new_block(memory, BLOCK_SIZE);
		memory->left = BLOCK_SIZE;
	}
	piece = memory->free;
	memory->free += whole;
	memory->left -= whole;
	return piece;
}

char *memory_strndup(struct memory *memory, const char *text, size_t len)
{
	char *copy = memory_alloc(memory, len + 1);

	memcpy(copy, text, len);
	return copy;
}

char *memory_strdup(struct memory *memory, const char *text)
{
	return memory_strndup(memory, text, strlen(text));
}

char *memory_printf(struct memory *memory, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		memory_exhausted();
	text = memory_alloc(memory, (size_t)len + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

void *memory_grow(struct memory *memory, void *items, size_t count, size_t size)
{
	void *grown;

	if (count == 0)
		return memory_alloc(memory, FIRST_CAPACITY * size);
	if (count < FIRST_CAPACITY || (count & (count - 1)))
		return items;
	grown = memory_alloc(memory, 2 * count * size);
	memcpy(grown, items, count * size);
	return grown;
}

void memory_free(struct memory *memory)
{
	while (memory->blocks) {
		struct memory_block *next = memory->blocks->next;

		free(memory->blocks);
		memory->blocks = next;
	}
}
