/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/diagnostics.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/utf8.h"
#include "policy/memory.h"

/* What must not reach a terminal as it is becomes \xHH, byte by byte. */
static char *printable(const char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t left = strlen(text);
	char *copy = malloc(4 * left + 1);
	char *out = copy;

	if (!copy)
		memory_exhausted();
	while (left > 0) {
		uint32_t character = 0;
		size_t length = utf8_decode(text, left, &character);
		bool shown = length > 0 && !utf8_is_hidden(character);

		length = length ? length : 1;
		left -= length;
		for (; length > 0; length--, text++) {
			if (shown) {
				*out++ = *text;
				continue;
			}
			*out++ = '\\';
			*out++ = 'x';
			*out++ = digits[(unsigned char)*text >> 4];
			*out++ = digits[(unsigned char)*text & 15];
		}
	}
	*out = '\0';
	return copy;
}

void diagnostics_add(struct diagnostics *diagnostics, const char *file, unsigned int line,
		     unsigned int column, const char *format, ...)
{
	AUTO_FREE char *message = NULL;
	struct diagnostic *items;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&message, format, args);
	va_end(args);
	if (len < 0) {
		message = NULL;
		memory_exhausted();
	}
	items = reallocarray(diagnostics->items, diagnostics->count + 1, sizeof(*items));
	if (!items)
		memory_exhausted();
	diagnostics->items = items;
	items[diagnostics->count++] = (struct diagnostic){
		.file = printable(file),
		.line = line,
		.column = column,
		.message = printable(message),
	};
}

struct ranked {
	struct diagnostic item;
	size_t file_rank;
	size_t order;
};

static int compare(const void *left, const void *right)
{
	const struct ranked *a = left;
	const struct ranked *b = right;

	if (a->file_rank != b->file_rank)
		return a->file_rank < b->file_rank ? -1 : 1;
	if (a->item.line != b->item.line)
		return a->item.line < b->item.line ? -1 : 1;
	if (a->item.column != b->item.column)
		return a->item.column < b->item.column ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

void diagnostics_sort(struct diagnostics *diagnostics)
{
	AUTO_FREE struct ranked *ranked = calloc(diagnostics->count + 1, sizeof(*ranked));

	if (!ranked)
		memory_exhausted();
	for (size_t i = 0; i < diagnostics->count; i++) {
		ranked[i].item = diagnostics->items[i];
		ranked[i].order = i;
		if (i > 0 && !strcmp(ranked[i].item.file, ranked[i - 1].item.file)) {
			ranked[i].file_rank = ranked[i - 1].file_rank;
			continue;
		}
		while (strcmp(ranked[ranked[i].file_rank].item.file, ranked[i].item.file) != 0)
			ranked[i].file_rank++;
	}
	qsort(ranked, diagnostics->count, sizeof(*ranked), compare);
	for (size_t i = 0; i < diagnostics->count; i++)
		diagnostics->items[i] = ranked[i].item;
}

void diagnostics_free(struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->count; i++) {
		free(diagnostics->items[i].file);
		free(diagnostics->items[i].message);
	}
	free(diagnostics->items);
	diagnostics->items = NULL;
	diagnostics->count = 0;
}

void diagnostics_print(const struct diagnostics *diagnostics, FILE *out)
{
	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *item = &diagnostics->items[i];

		if (item->line)
			fprintf(out, "%s:%u:%u: %s\n", item->file, item->line, item->column,
				item->message);
		else
			fprintf(out, "%s: %s\n", item->file, item->message);
	}
}
