/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/cleanup.h"

enum {
	PIECE = 4096, /* PIPE_BUF: what poll(2) calls writable takes that much at once */
	HURRY_MS = 1000,
};

struct stream {
	int from;   /* our end of the pipe; -1 when it has ended */
	int tool;   /* the tool's end; -1 once it is with the tool */
	int to;     /* where it is passed on; -1: nowhere */
	char *kept; /* `limit` bytes */
	size_t len;
	bool truncated;
	char piece[PIECE]; /* read and not passed on yet */
	size_t start, end; /* of what is left of it */
};

struct capture {
	struct stream streams[CAPTURE_COUNT];
	size_t limit;
	pthread_t thread;
	bool running;
	int wake; /* eventfd: the tree has ended */
	atomic_bool ended;
	atomic_bool hurry;
};

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	for (int i = 0; i < CAPTURE_COUNT; i++) {
		close_fd(&capture->streams[i].from);
		close_fd(&capture->streams[i].tool);
		free(capture->streams[i].kept);
	}
	close_fd(&capture->wake);
	free(capture);
}

static int open_stream(struct stream *stream, size_t limit)
{
	int ends[2];

	stream->kept = malloc(limit ? limit : 1);
	if (!stream->kept)
		return -ENOMEM;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	stream->from = ends[0];
	stream->tool = ends[1];
	return fcntl(stream->from, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int capture_new(size_t limit, bool pass_on, struct capture **ret, struct error *err)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	int r = 0;

	if (!capture)
		return error_set(err, ENOMEM, "cannot capture output");
	capture->limit = limit;
	for (int i = 0; i < CAPTURE_COUNT; i++)
		capture->streams[i] = (struct stream){
			.from = -1, .tool = -1, .to = pass_on ? STDOUT_FILENO + i : -1};
	capture->wake = eventfd(0, EFD_CLOEXEC);
	if (capture->wake < 0)
		r = -errno;
	for (int i = 0; i < CAPTURE_COUNT && r == 0; i++)
		r = open_stream(&capture->streams[i], limit);
	if (r < 0) {
		capture_free(capture);
		return error_set(err, -r, "cannot capture output");
	}
	*ret = capture;
	return 0;
}

int capture_enter(const struct capture *capture)
{
	for (int i = 0; i < CAPTURE_COUNT; i++) {
		if (dup2(capture->streams[i].tool, STDOUT_FILENO + i) < 0)
			return -errno;
	}
	return 0;
}

static void keep(struct capture *capture, struct stream *stream, const char *bytes, size_t len)
{
	const size_t room = capture->limit - stream->len;
	const size_t kept = len < room ? len : room;

	memcpy(stream->kept + stream->len, bytes, kept);
	stream->len += kept;
	stream->truncated = stream->truncated || kept < len;
}

/* Reads a piece. False: there is none now. */
static bool take_piece(struct capture *capture, struct stream *stream)
{
	ssize_t got = read(stream->from, stream->piece, sizeof(stream->piece));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		close_fd(&stream->from);
		return false;
	}
	keep(capture, stream, stream->piece, (size_t)got);
	stream->start = 0;
	stream->end = stream->to >= 0 ? (size_t)got : 0;
	return true;
}

/* Passes a piece on. When nobody takes it any more the tool gets to know as it would natively. */
static void pass_piece(struct stream *stream)
{
	struct pollfd out = {.fd = stream->to, .events = POLLOUT};
	ssize_t put;

	/* Both may lead to one pipe, in which the other's piece has taken the room by now. */
	if (poll(&out, 1, 0) <= 0)
		return;
	put = write(stream->to, stream->piece + stream->start, stream->end - stream->start);
	if (put >= 0) {
		stream->start += (size_t)put;
	} else if (errno != EINTR && errno != EAGAIN) {
		stream->start = stream->end;
		close_fd(&stream->from);
	}
}

static bool has_piece(const struct stream *stream)
{
	return stream->start < stream->end;
}

/* One round. False: all is done, or given up. */
static bool pump_once(struct capture *capture)
{
	struct pollfd polls[CAPTURE_COUNT + 1];
	const bool ended = atomic_load(&capture->ended);
	const bool hurry = atomic_load(&capture->hurry);
	bool busy = false;
	int ready;

	for (int i = 0; i < CAPTURE_COUNT; i++) {
		const struct stream *stream = &capture->streams[i];

		polls[i] = (struct pollfd){.fd = stream->from, .events = POLLIN};
		if (has_piece(stream))
			polls[i] = (struct pollfd){.fd = stream->to, .events = POLLOUT};
		busy = busy || has_piece(stream) || stream->from >= 0;
	}
	if (!busy)
		return false;
	polls[CAPTURE_COUNT] = (struct pollfd){.fd = ended ? -1 : capture->wake, .events = POLLIN};
	ready = poll(polls, CAPTURE_COUNT + 1, !ended ? -1 : hurry ? HURRY_MS : 0);
	for (int i = 0; i < CAPTURE_COUNT && ready > 0; i++) {
		struct stream *stream = &capture->streams[i];

		if (!polls[i].revents)
			continue;
		if (has_piece(stream))
			pass_piece(stream);
		else
			take_piece(capture, stream);
	}
	/* Some other process may hold the tool's end for ever: what is there now is all. */
	if (!ended || ready != 0)
		return true;
	for (int i = 0; i < CAPTURE_COUNT && !hurry; i++) {
		struct stream *stream = &capture->streams[i];
		struct pollfd out = {.fd = stream->to, .events = POLLOUT};

		if (has_piece(stream)) {
			poll(&out, 1, -1);
			return true;
		}
	}
	return false;
}

static void *pump(void *data)
{
	while (pump_once(data))
		;
	return NULL;
}

int capture_start(struct capture *capture, struct error *err)
{
	sigset_t all;
	sigset_t before;
	int r;

	for (int i = 0; i < CAPTURE_COUNT; i++)
		close_fd(&capture->streams[i].tool);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&capture->thread, NULL, pump, capture);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return error_set(err, r, "cannot capture output");
	capture->running = true;
	return 0;
}

void capture_finish(struct capture *capture, bool hurry)
{
	const uint64_t one = 1;

	if (!capture->running)
		return;
	atomic_store(&capture->hurry, hurry);
	atomic_store(&capture->ended, true);
	(void)!write(capture->wake, &one, sizeof(one));
	pthread_join(capture->thread, NULL);
	capture->running = false;
}

const char *capture_bytes(const struct capture *capture, int which, size_t *ret_len,
			  bool *ret_truncated)
{
	*ret_len = capture->streams[which].len;
	*ret_truncated = capture->streams[which].truncated;
	return capture->streams[which].kept;
}
