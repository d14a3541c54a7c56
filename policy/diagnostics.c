/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/diagnostics.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/utf8.h"
#include "policy/memory.h"

char *diagnostics_printable(const char *text)
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
		.file = diagnostics_printable(file),
		.line = line,
		.column = column,
		.message = diagnostics_printable(message),
	};
}

void diagnostics_set_width(struct diagnostics *diagnostics, unsigned int width)
{
	diagnostics->items[diagnostics->count - 1].width = width;
}

static void diagnostic_clear(struct diagnostic *item)
{
	free(item->file);
	free(item->message);
	free(item->excerpt);
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

static bool same_place(const struct diagnostic *a, const struct diagnostic *b)
{
	return a->line == b->line && a->column == b->column && !strcmp(a->file, b->file);
}

static bool is_repeated(const struct diagnostics *diagnostics, const struct diagnostic *item)
{
	for (size_t i = diagnostics->count; i-- > 0;) {
		if (!same_place(&diagnostics->items[i], item))
			return false;
		if (!strcmp(diagnostics->items[i].message, item->message))
			return true;
	}
	return false;
}

/* What several aliases or variables lead to is said once. */
static void drop_repeated(struct diagnostics *diagnostics)
{
	size_t count = diagnostics->count;

	diagnostics->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (is_repeated(diagnostics, &diagnostics->items[i]))
			diagnostic_clear(&diagnostics->items[i]);
		else
			diagnostics->items[diagnostics->count++] = diagnostics->items[i];
	}
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
	drop_repeated(diagnostics);
}

void diagnostics_free(struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->count; i++)
		diagnostic_clear(&diagnostics->items[i]);
	free(diagnostics->items);
	diagnostics->items = NULL;
	diagnostics->count = 0;
}

enum { GUTTER = 5 }; /* columns of a line number */

static void print_excerpt(const struct diagnostic *item, FILE *out, bool colour)
{
	fprintf(out, "%*u | %s\n%*s | %*s%s^", GUTTER, item->line, item->excerpt, GUTTER, "",
		(int)item->caret, "", colour ? "\033[1;31m" : "");
	for (unsigned int i = 1; i < item->underline; i++)
		fputc('~', out);
	fputs(colour ? "\033[0m\n" : "\n", out);
}

void diagnostics_print_coloured(const struct diagnostics *diagnostics, FILE *out, bool colour)
{
	const char *bold = colour ? "\033[1m" : "";
	const char *yellow = colour ? "\033[1;33m" : "";
	const char *plain = colour ? "\033[0m" : "";

	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *item = &diagnostics->items[i];

		fprintf(out, "%s%s:", bold, item->file);
		if (item->line)
			fprintf(out, "%u:%u:", item->line, item->column);
		fprintf(out, "%s ", plain);
		if (item->kind == DIAGNOSTIC_WARNING)
			fprintf(out, "%swarning:%s ", yellow, plain);
		fprintf(out, "%s\n", item->message);
		if (item->excerpt)
			print_excerpt(item, out, colour);
	}
}

void diagnostics_print(const struct diagnostics *diagnostics, FILE *out)
{
	diagnostics_print_coloured(diagnostics, out, false);
}
