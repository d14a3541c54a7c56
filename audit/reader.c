/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/reader.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"

enum { FIRST_SIZE = 4096 };

int reader_open(struct reader *reader, const char *file, struct error *err)
{
	AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*reader = (struct reader){0};
	if (fd < 0)
		return error_set(err, errno, "cannot read '%s'", file);
	reader->file = fdopen(fd, "r");
	if (!reader->file)
		return error_set(err, errno, "cannot read '%s'", file);
	fd = -1;
	return 0;
}

void reader_close(struct reader *reader)
{
	if (reader->file)
		fclose(reader->file);
	free(reader->line);
	*reader = (struct reader){0};
}

/* Room for one more byte and a NUL. */
static int make_room(struct reader *reader)
{
	size_t size = reader->size ? reader->size * 2 : FIRST_SIZE;
	char *line;

	if (reader->len + 2 <= reader->size)
		return 0;
	line = realloc(reader->line, size);
	if (!line)
		return -ENOMEM;
	reader->line = line;
	reader->size = size;
	return 0;
}

int reader_next(struct reader *reader)
{
	int c;

	reader->len = 0;
	reader->torn = false;
	reader->too_long = false;
	while ((c = getc_unlocked(reader->file)) != EOF && c != '\n') {
		if (reader->len == READER_LINE_MAX) {
			reader->too_long = true;
			continue;
		}
		if (make_room(reader) < 0)
			return -ENOMEM;
		reader->line[reader->len++] = (char)c;
	}
	if (ferror(reader->file))
		return errno ? -errno : -EIO;
	if (c == EOF && reader->len == 0)
		return 0;
	if (make_room(reader) < 0)
		return -ENOMEM;
	reader->line[reader->len] = '\0';
	reader->torn = c == EOF;
	reader->number++;
	return 1;
}

int reader_retry(struct reader *reader)
{
	off_t back = reader->torn ? (off_t)reader->len : 0;

	clearerr(reader->file);
	if (fseeko(reader->file, -back, SEEK_CUR) < 0)
		return -errno;
	if (reader->torn)
		reader->number--;
	reader->torn = false;
	reader->len = 0;
	return 0;
}

/* The four digits of a \u escape at `at`, or -1. */
static long unit_at(const char *text, size_t len, size_t at)
{
	char digits[5] = {0};

	if (len - at < 6 || text[at] != '\\' || text[at + 1] != 'u')
		return -1;
	memcpy(digits, text + at + 2, 4);
	for (int i = 0; i < 4; i++) {
		if (!isxdigit((unsigned char)digits[i]))
			return -1;
	}
	return strtol(digits, NULL, 16);
}

static void replace_lone_surrogates(char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		long unit = unit_at(text, len, at);

		if (unit >= 0xd800 && unit <= 0xdbff && at + 6 < len) {
			long low = unit_at(text, len, at + 6);

			if (low >= 0xdc00 && low <= 0xdfff) {
				at += 12;
				continue;
			}
		}
		if (unit >= 0xd800 && unit <= 0xdfff)
			memcpy(text + at + 2, "fffd", 4);
		if (unit >= 0)
			at += 6;
		else
			at += text[at] == '\\' ? 2 : 1;
	}
}

json_t *reader_parse(const char *line, size_t len)
{
	AUTO_FREE char *copy = malloc(len + 1);
	json_t *record;

	if (!copy)
		return NULL;
	memcpy(copy, line, len);
	copy[len] = '\0';
	replace_lone_surrogates(copy, len);
	record = json_loadb(copy, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (record && !json_is_object(record)) {
		json_decref(record);
		record = NULL;
	}
	return record;
}
