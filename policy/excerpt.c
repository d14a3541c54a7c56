/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/utf8.h"
#include "policy/diagnostics.h"
#include "policy/memory.h"

/*
 * The line that a diagnostic is about, as a terminal shows it: tabs become spaces,
 * what must not be shown becomes \xHH, and of a long line there is a part around the place.
 */
enum {
	TAB = 8,
	SHOWN_MAX = 100, /* columns */
	BEFORE_MAX = 60, /* of these before the place, when the line is cut */
	/* A place further to the right is not shown: looking for it again and again takes long. */
	COLUMN_MAX = 4096,
};

/* A line, and how far it was read. */
struct line {
	const char *text;
	size_t len;
	size_t at;
	unsigned int column; /* of the terminal, from 0 */
};

size_t line_break(const char *text, size_t len)
{
	if (len == 0)
		return 0;
	if (*text == '\r' && len > 1 && text[1] == '\n')
		return 2;
	if (*text == '\r' || *text == '\n')
		return 1;
	if (len > 1 && !memcmp(text, "\xc2\x85", 2))
		return 2;
	return len > 2 && (!memcmp(text, "\xe2\x80\xa8", 3) || !memcmp(text, "\xe2\x80\xa9", 3)) ? 3
												 : 0;
}

/* Columns that a character takes: two for those of East Asia and pictures. */
static unsigned int columns_of(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
		{0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1faff},
		{0x20000, 0x3fffd},
	};

	if (character >= 0x300 && character <= 0x36f)
		return 0; /* accents that stand on the character before */
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (character >= wide[i].first && character <= wide[i].last)
			return 2;
	return 1;
}

/* Takes one character; what is shown for it is written to `out` unless that is NULL. */
static void take(struct line *line, FILE *out)
{
	const char *text = line->text + line->at;
	uint32_t character = 0;
	size_t length = utf8_decode(text, line->len - line->at, &character);
	bool shown = length > 0 && !utf8_is_hidden(character);
	unsigned int columns = columns_of(character);

	length = length ? length : 1;
	line->at += length;
	if (*text == '\t') {
		columns = TAB - line->column % TAB;
		if (out)
			fprintf(out, "%*s", (int)columns, "");
	} else if (!shown) {
		columns = 4 * (unsigned int)length;
		for (size_t i = 0; i < length && out; i++)
			fprintf(out, "\\x%02x", (unsigned char)text[i]);
	} else if (out) {
		fwrite(text, 1, length, out);
	}
	line->column += columns;
}

static void take_characters(struct line *line, unsigned int count)
{
	for (; count > 0 && line->at < line->len; count--)
		take(line, NULL);
}

/* Writes the part of the line from terminal column `first` on. */
static char *render(const struct line *whole, unsigned int first)
{
	struct line line = {.text = whole->text, .len = whole->len};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		memory_exhausted();
	if (first > 0)
		fputs("...", out);
	while (line.at < line.len && line.column < first + SHOWN_MAX)
		take(&line, line.column < first ? NULL : out);
	if (line.at < line.len)
		fputs("...", out);
	if (fclose(out) != 0)
		memory_exhausted();
	return text;
}

/* The column where a cut line begins: that of a character. */
static unsigned int cut_column(const struct line *whole, unsigned int caret)
{
	struct line line = {.text = whole->text, .len = whole->len};

	while (line.at < line.len && line.column + BEFORE_MAX < caret)
		take(&line, NULL);
	return line.column;
}

static void quote(struct diagnostic *item, const char *text, size_t len)
{
	struct line line = {.text = text, .len = len};
	unsigned int first = 0;
	unsigned int end;

	if (item->column > COLUMN_MAX)
		return;
	take_characters(&line, item->column - 1);
	item->caret = line.column;
	take_characters(&line, item->width < SHOWN_MAX ? item->width : SHOWN_MAX);
	end = line.column;
	if (end > SHOWN_MAX && item->caret > BEFORE_MAX)
		first = cut_column(&line, item->caret);
	if (end > first + SHOWN_MAX)
		end = first + SHOWN_MAX;
	item->underline = end > item->caret ? end - item->caret : 1;
	item->excerpt = render(&line, first);
	if (first > 0)
		item->caret += 3 - first;
}

/* Where each line starts. */
static size_t *line_starts(const char *text, size_t len, size_t *ret_count)
{
	size_t count = 1;
	size_t capacity = 64;
	size_t *starts = calloc(capacity, sizeof(*starts));
	size_t at = 0;

	if (!starts)
		memory_exhausted();
	while (at < len) {
		size_t length = line_break(text + at, len - at);

		at += length ? length : 1;
		if (length == 0)
			continue;
		if (count == capacity) {
			size_t *grown = reallocarray(starts, capacity *= 2, sizeof(*starts));

			if (!grown)
				memory_exhausted();
			starts = grown;
		}
		starts[count++] = at;
	}
	*ret_count = count;
	return starts;
}

void diagnostics_quote(struct diagnostics *diagnostics, const char *file, const char *text,
		       size_t len)
{
	AUTO_FREE char *shown = diagnostics_printable(file);
	size_t count = 0;
	AUTO_FREE size_t *starts = line_starts(text, len, &count);

	for (size_t i = 0; i < diagnostics->count; i++) {
		struct diagnostic *item = &diagnostics->items[i];
		size_t start, end;

		if (item->excerpt || item->line == 0 || item->line > count ||
		    strcmp(item->file, shown) != 0)
			continue;
		start = starts[item->line - 1];
		end = start;
		while (end < len && end - start < 4 * COLUMN_MAX &&
		       line_break(text + end, len - end) == 0)
			end++;
		quote(item, text + start, end - start);
	}
}
