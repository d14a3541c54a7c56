/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_PROCTOR_FAILED = 125, FIRST_CAPACITY = 4 };

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

void *memory_alloc(struct memory *memory, size_t size)
{
	struct memory_block *block = calloc(1, sizeof(*block) + size);

	if (!block)
		memory_exhausted();
	block->next = memory->blocks;
	memory->blocks = block;
	return block->bytes;
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
