/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/chain.h"
#include "audit/record.h"
#include "core/cleanup.h"

/* Every line begins so, also a torn one unless it is shorter. */
#define LINE_START "{\"ts\":\""

/* `start` may be longer than other records, a line is not searched for further back. */
enum { TAIL_FIRST = 64 * 1024, TAIL_MAX = 64 * RECORD_MAX };

static bool starts_like_record(const char *bytes, size_t len)
{
	size_t known = sizeof(LINE_START) - 1;

	return len == 0 || !memcmp(bytes, LINE_START, len < known ? len : known);
}

/* The file's last bytes. */
struct tail {
	char *bytes;
	size_t len;
	off_t offset; /* of bytes[0] in the file */
};

static void free_tail(struct tail *tail)
{
	free(tail->bytes);
}

/* `tail` keeps its memory on failure. */
static int read_tail(int fd, off_t end, size_t want, struct tail *tail)
{
	char *bytes;

	if ((off_t)want > end)
		want = (size_t)end;
	bytes = realloc(tail->bytes, want);
	if (!bytes)
		return -ENOMEM;
	tail->bytes = bytes;
	tail->len = want;
	tail->offset = end - (off_t)want;
	for (size_t got = 0; got < want;) {
		ssize_t n = pread(fd, bytes + got, want - got, tail->offset + (off_t)got);

		if (n > 0)
			got += (size_t)n;
		else if (n == 0)
			return -ESTALE;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* How a log ends: its last whole line, if any, and the torn one behind that. */
struct ending {
	const char *line; /* NULL: none */
	size_t line_len;
	const char *torn;
	size_t torn_len;
};

/* False when the tail does not reach back to the start of the line. */
static bool find_ending(const struct tail *tail, struct ending *ret)
{
	const char *end = memrchr(tail->bytes, '\n', tail->len);
	const char *before;

	*ret = (struct ending){.torn = tail->bytes, .torn_len = tail->len};
	if (!end)
		return tail->offset == 0;
	before = memrchr(tail->bytes, '\n', (size_t)(end - tail->bytes));
	if (!before && tail->offset > 0)
		return false;
	ret->line = before ? before + 1 : tail->bytes;
	ret->line_len = (size_t)(end - ret->line);
	ret->torn = end + 1;
	ret->torn_len = tail->len - (size_t)(end + 1 - tail->bytes);
	return true;
}

/* Reads further and further back until the last line is whole. */
static int read_ending(int fd, off_t end, struct tail *tail, struct ending *ret)
{
	for (size_t want = TAIL_FIRST; want <= TAIL_MAX; want *= 4) {
		int r = read_tail(fd, end, want, tail);

		if (r < 0 || find_ending(tail, ret))
			return r;
	}
	*ret = (struct ending){.torn = tail->bytes, .torn_len = tail->len};
	return 0;
}

static int read_own_ending(const struct sink *sink, struct tail *tail, struct ending *ret)
{
	char name[sizeof("/proc/self/fd/") + 12];
	AUTO_CLOSE int fd = -1;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", sink->fd);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : read_ending(fd, sink->end, tail, ret);
}

/* A writer was killed between renaming its file to FILE.1 and making a new one. */
static void resume_rotated(const struct sink *sink, char ret_prev[DIGEST_HEX_SIZE])
{
	__attribute__((cleanup(free_tail))) struct tail tail = {0};
	struct ending ending = {0};
	struct chain_link link;
	AUTO_FREE char *name = NULL;
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (asprintf(&name, "%s.1", sink->name) < 0) {
		name = NULL;
		return;
	}
	fd = openat(sink->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    read_ending(fd, st.st_size, &tail, &ending) == 0 && ending.line &&
	    chain_find(ending.line, ending.line_len, &link) && chain_holds(ending.line, &link))
		memcpy(ret_prev, link.hash, DIGEST_HEX_SIZE - 1);
}

int resume_chain(struct sink *sink, char ret_prev[DIGEST_HEX_SIZE], size_t *ret_torn,
		 struct error *err)
{
	__attribute__((cleanup(free_tail))) struct tail tail = {0};
	struct ending ending = {0};
	struct chain_link link = {.prev = CHAIN_FIRST, .hash = CHAIN_FIRST};
	int r;

	memcpy(ret_prev, CHAIN_FIRST, DIGEST_HEX_SIZE);
	*ret_torn = 0;
	if (sink->kind != SINK_FILE)
		return 0;
	if (sink->end == 0) {
		resume_rotated(sink, ret_prev);
		return 0;
	}
	r = read_own_ending(sink, &tail, &ending);
	if (r < 0)
		return error_set(err, -r, "cannot read the log '%s' to go on from its end",
				 sink->target);
	if ((ending.line && (!chain_find(ending.line, ending.line_len, &link) ||
			     !chain_holds(ending.line, &link))) ||
	    !starts_like_record(ending.torn, ending.torn_len))
		return error_set(err, 0, "cannot log to '%s': it does not end in an audit record",
				 sink->target);
	if (ending.torn_len > 0) {
		if (ftruncate(sink->fd, sink->end - (off_t)ending.torn_len) < 0)
			return error_set(err, errno, "cannot cut a torn line off the log '%s'",
					 sink->target);
		sink->end -= (off_t)ending.torn_len;
		*ret_torn = ending.torn_len;
	}
	memcpy(ret_prev, link.hash, DIGEST_HEX_SIZE - 1);
	return 0;
}
