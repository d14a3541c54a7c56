/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/chain.h"
#include "core/cleanup.h"

/* "NAME.number", or NAME itself for 0. NULL when memory is out. */
static char *numbered(const char *name, unsigned int number)
{
	char *text;
	int len = number ? asprintf(&text, "%s.%u", name, number) : asprintf(&text, "%s", name);

	return len < 0 ? NULL : text;
}

static int rename_numbered(const struct sink *sink, unsigned int from)
{
	AUTO_FREE char *old_name = numbered(sink->name, from);
	AUTO_FREE char *new_name = numbered(sink->name, from + 1);

	if (!old_name || !new_name)
		return -ENOMEM;
	if (renameat(sink->dir_fd, old_name, sink->dir_fd, new_name) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static bool exists(const struct sink *sink, unsigned int number)
{
	AUTO_FREE char *name = numbered(sink->name, number);
	struct stat st;

	return name && fstatat(sink->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* `prev` of a file's first record: the hash of what stood before. */
static int first_prev(const struct sink *sink, unsigned int number, char ret[DIGEST_HEX_SIZE])
{
	AUTO_FREE char *name = numbered(sink->name, number);
	struct reader reader = {0};
	struct chain_link link;
	int fd = name ? openat(sink->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	int r = -EBADMSG;

	if (fd < 0)
		return name ? -errno : -ENOMEM;
	reader.file = fdopen(fd, "r");
	if (!reader.file) {
		close(fd);
		return -ENOMEM;
	}
	if (reader_next(&reader) == 1 && chain_find(reader.line, reader.len, &link)) {
		memcpy(ret, link.prev, DIGEST_HEX_SIZE - 1);
		ret[DIGEST_HEX_SIZE - 1] = '\0';
		r = 0;
	}
	reader_close(&reader);
	return r;
}

int rotation_loses(const struct sink *sink, unsigned int keep, char ret[DIGEST_HEX_SIZE])
{
	int r;

	if (!exists(sink, keep))
		return 0;
	r = first_prev(sink, keep - 1, ret);
	return r < 0 ? r : 1;
}

int rotate_sink(struct sink *sink, unsigned int keep)
{
	AUTO_FREE char *last = numbered(sink->name, keep);
	int r = 0;

	if (!last)
		return -ENOMEM;
	if (unlinkat(sink->dir_fd, last, 0) < 0 && errno != ENOENT)
		return -errno;
	for (unsigned int number = keep; number-- > 0 && r == 0;)
		r = rename_numbered(sink, number);
	return r == 0 ? sink_renew(sink) : r;
}

/* ------------------------------------------------------------------------ reading a row */

static int open_numbered(struct row_reader *row, unsigned int number, struct error *err)
{
	char *name = numbered(row->file, number);
	int r;

	if (!name)
		return error_set(err, ENOMEM, "log");
	reader_close(&row->reader);
	r = reader_open(&row->reader, name, err);
	free(row->name);
	row->name = name;
	return r;
}

/* How many rotated files there are. */
static unsigned int row_length(const char *file)
{
	unsigned int count = 0;

	for (;;) {
		AUTO_FREE char *name = numbered(file, count + 1);
		struct stat st;

		if (!name || count == UINT_MAX - 1 || stat(name, &st) < 0 || !S_ISREG(st.st_mode))
			return count;
		count++;
	}
}

int row_open(struct row_reader *row, const char *file, struct error *err)
{
	*row = (struct row_reader){.file = strdup(file), .first = true};
	if (!row->file)
		return error_set(err, ENOMEM, "log");
	return open_numbered(row, row_length(file), err);
}

void row_close(struct row_reader *row)
{
	reader_close(&row->reader);
	free(row->file);
	free(row->name);
	*row = (struct row_reader){.file = NULL};
}

/*
 * The number of the file after the one that is being read, which may have been renamed since it was
 * opened; -1 when it is the last.
 */
static long next_number(const struct row_reader *row)
{
	const unsigned int count = row_length(row->file);
	struct stat current;

	if (fstat(fileno(row->reader.file), &current) < 0 || !S_ISREG(current.st_mode))
		return -1;
	for (unsigned int number = 0; number <= count; number++) {
		AUTO_FREE char *name = numbered(row->file, number);
		struct stat st;

		if (name && stat(name, &st) == 0 && st.st_dev == current.st_dev &&
		    st.st_ino == current.st_ino)
			return (long)number - 1;
	}
	/* Removed meanwhile: all that is left comes after it. */
	return (long)count;
}

int row_next(struct row_reader *row)
{
	for (;;) {
		int r = reader_next(&row->reader);
		long number;

		if (r != 0)
			return r;
		number = next_number(row);
		if (number < 0)
			return 0;
		/* Once renamed it grows no more, but it may have before. */
		if (reader_retry(&row->reader) == 0 && (r = reader_next(&row->reader)) != 0)
			return r;
		r = open_numbered(row, (unsigned int)number, NULL);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		row->first = false;
	}
}
