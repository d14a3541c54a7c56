/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* What is left of the patience of one that is in a hurry, in ms. */
static int time_left(struct sink *sink)
{
	const uint64_t now = now_ns();

	if (!sink->until_ns)
		sink->until_ns = now + SINK_LAST_S * 1000000000ULL;
	return now < sink->until_ns ? (int)((sink->until_ns - now) / 1000000U) + 1 : 0;
}

static int wait_writable(struct sink *sink)
{
	struct pollfd polls[] = {
		{.fd = sink->fd, .events = POLLOUT},
		{.fd = sink->hurry, .events = POLLIN},
	};

	for (;;) {
		const bool hurried = sink->until_ns != 0;
		const int wait = hurried ? time_left(sink) : sink->patience_ms;
		int ready = poll(polls, hurried ? 1 : 2, wait);

		if (ready < 0 && errno != EINTR)
			return -errno;
		/* POLLERR and POLLHUP as well: the write says what it is. */
		if (ready > 0 && polls[0].revents)
			return 0;
		if (ready == 0)
			return -ETIMEDOUT;
		if (ready > 0)
			time_left(sink);
	}
}

int stream_wait(struct sink *sink)
{
	int r;

	atomic_store(&sink->waiting, true);
	r = wait_writable(sink);
	atomic_store(&sink->waiting, false);
	return r;
}

/* Writes what goes without waiting. Returns the bytes written, or a negative errno. */
static ssize_t write_some(const struct sink *sink, const char *bytes, size_t len)
{
	const size_t want = len < sink->piece ? len : sink->piece;
	ssize_t n;

	if (sink->piece != SIZE_MAX) {
		struct pollfd pollfd = {.fd = sink->fd, .events = POLLOUT};

		if (poll(&pollfd, 1, 0) == 0)
			return -EAGAIN;
	}
	do {
		n = sink->kind == SINK_SOCKET
			    ? send(sink->fd, bytes, want, MSG_NOSIGNAL | MSG_DONTWAIT)
			    : write(sink->fd, bytes, want);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return -EIO;
	return n < 0 ? -errno : n;
}

/* Writes all, or until it would wait. *ret_written is set in all cases. */
static int write_ready(const struct sink *sink, const char *bytes, size_t len, size_t *ret_written)
{
	*ret_written = 0;
	while (*ret_written < len) {
		ssize_t n = write_some(sink, bytes + *ret_written, len - *ret_written);

		if (n < 0)
			return (int)n;
		*ret_written += (size_t)n;
	}
	return 0;
}

static int write_waiting(struct sink *sink, const char *bytes, size_t len)
{
	for (;;) {
		size_t written;
		int r = write_ready(sink, bytes, len, &written);

		bytes += written;
		len -= written;
		if (r == -EAGAIN)
			r = stream_wait(sink);
		else if (r == 0)
			return 0;
		if (r < 0)
			return r;
	}
}

static int pay_waiting(struct sink *sink)
{
	int r = sink->owed_len ? write_waiting(sink, sink->owed, sink->owed_len) : 0;

	if (r == 0)
		sink->owed_len = 0;
	return r;
}

int stream_write(struct sink *sink, const char *line, size_t len)
{
	int r = pay_waiting(sink);

	return r < 0 ? r : write_waiting(sink, line, len);
}

/* The rest of a line that was begun is written before anything else. */
static int owe(struct sink *sink, const char *rest, size_t len)
{
	char *owed = realloc(sink->owed, len);

	if (!owed)
		return write_waiting(sink, rest, len);
	memcpy(owed, rest, len);
	sink->owed = owed;
	sink->owed_len = len;
	return 0;
}

static int pay_ready(struct sink *sink)
{
	size_t written;
	int r;

	if (sink->owed_len == 0)
		return 0;
	r = write_ready(sink, sink->owed, sink->owed_len, &written);
	memmove(sink->owed, sink->owed + written, sink->owed_len - written);
	sink->owed_len -= written;
	return r;
}

int stream_offer(struct sink *sink, const char *line, size_t len, int wait_ms)
{
	struct pollfd pollfd = {.fd = sink->fd, .events = POLLOUT};
	size_t written = 0;
	int r;

	/* A socket takes more than poll(2) says, so it is asked second. */
	do {
		r = pay_ready(sink);
		if (r == 0)
			r = write_ready(sink, line, len, &written);
	} while (r == -EAGAIN && written == 0 && wait_ms > 0 && poll(&pollfd, 1, wait_ms) > 0);
	if (r == -EAGAIN && written > 0)
		return owe(sink, line + written, len - written);
	return r;
}
