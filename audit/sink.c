/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "audit/datagram.h"
#include "audit/stream.h"
#include "core/cleanup.h"

enum { TERMINAL_PIECE = 128 };

void sink_close(struct sink *sink)
{
	close_fd(&sink->fd);
	close_fd(&sink->dir_fd);
	free(sink->name);
	free(sink->target);
	free(sink->owed);
	*sink = SINK_CLOSED;
}

/*
 * What another process reads can be slow. A second opening of it can be told not to block without
 * that others who hold it notice; where there is none (a terminal of another container), small pieces
 * are written when poll(2) says so.
 */
static int set_up_stream(struct sink *sink, struct error *err)
{
	char name[sizeof("/proc/self/fd/") + 12];
	struct stat st;
	int fd = -1;

	if (fstat(sink->fd, &st) < 0)
		return error_set(err, errno, "cannot log to '%s'", sink->target);
	sink->kind = S_ISSOCK(st.st_mode) ? SINK_SOCKET : SINK_STREAM;
	sink->patience_ms = isatty(sink->fd) ? -1 : SINK_PATIENCE_S * 1000;
	sink->piece = SIZE_MAX;
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return 0;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", sink->fd);
	fd = open(name, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0) {
		close(sink->fd);
		sink->fd = fd;
	} else {
		sink->piece = S_ISFIFO(st.st_mode) ? PIPE_BUF : TERMINAL_PIECE;
	}
	return 0;
}

static int open_stderr(struct sink *sink, struct error *err)
{
	sink->fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (sink->fd < 0)
		return error_set(err, errno, "cannot log to standard error");
	return set_up_stream(sink, err);
}

static int open_socket(struct sink *sink, const char *path, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	sink->kind = SINK_SOCKET;
	sink->patience_ms = SINK_PATIENCE_S * 1000;
	sink->piece = SIZE_MAX;
	if (*path == '\0' || strlen(path) >= sizeof(address.sun_path))
		return error_set(err, EINVAL,
				 "cannot log to '%s': a path of 1 to %zu bytes is needed",
				 sink->target, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	sink->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sink->fd < 0 ||
	    connect(sink->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, errno, "cannot log to '%s'", sink->target);
	return 0;
}

/* Splits the target into an open folder and a name in it. */
static int open_folder(struct sink *sink, struct error *err)
{
	const char *slash = strrchr(sink->target, '/');
	AUTO_FREE char *folder = NULL;

	sink->name = strdup(slash ? slash + 1 : sink->target);
	folder = slash ? strndup(sink->target, (size_t)(slash - sink->target) + 1) : strdup(".");
	if (!sink->name || !folder)
		return error_set(err, ENOMEM, "cannot open the log");
	if (*sink->name == '\0')
		return error_set(err, EISDIR, "cannot log to '%s'", sink->target);
	sink->dir_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (sink->dir_fd < 0)
		return error_set(err, errno, "cannot log to '%s': folder '%s'", sink->target,
				 folder);
	return 0;
}

static int lock_file(struct sink *sink, const struct stat *st, struct error *err)
{
	static const struct timespec pause = {.tv_nsec = 20000000};
	int tries = 5;

	/* A reader that looks whether there is a writer holds it for a moment. */
	while (flock(sink->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK && --tries > 0) {
			nanosleep(&pause, NULL);
			continue;
		}
		if (errno != EWOULDBLOCK)
			return error_set(err, errno, "cannot lock the log '%s'", sink->target);
		return error_set(err, EBUSY, "cannot log to '%s': another session writes to it",
				 sink->target);
	}
	/* What writes to it by another name is not kept from it. */
	if (st->st_nlink > 1)
		return error_set(err, 0, "cannot log to '%s': it has another name (hard link)",
				 sink->target);
	sink->kind = SINK_FILE;
	sink->dev = st->st_dev;
	sink->ino = st->st_ino;
	/* The length counts from now: the session before may have written until it let go. */
	sink->end = lseek(sink->fd, 0, SEEK_END);
	if (sink->end < 0)
		return error_set(err, errno, "cannot log to '%s'", sink->target);
	return 0;
}

static int open_file(struct sink *sink, struct error *err)
{
	struct stat st;
	int r;

	r = open_folder(sink, err);
	if (r < 0)
		return r;
	/* O_NONBLOCK: a FIFO that nobody reads is an error (ENXIO), not a wait without end. */
	sink->fd = openat(sink->dir_fd, sink->name,
			  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY |
				  O_NONBLOCK,
			  0600);
	if (sink->fd < 0 && errno == ELOOP)
		return error_set(err, 0, "cannot log to '%s': it is a symbolic link", sink->target);
	if (sink->fd < 0 && errno == ENXIO)
		return error_set(err, 0, "cannot log to '%s': nobody reads it", sink->target);
	if (sink->fd < 0 || fstat(sink->fd, &st) < 0 || fcntl(sink->fd, F_SETFL, O_APPEND) < 0)
		return error_set(err, errno, "cannot log to '%s'", sink->target);
	return S_ISREG(st.st_mode) ? lock_file(sink, &st, err) : set_up_stream(sink, err);
}

int sink_open(struct sink *ret, const char *target, int hurry, struct error *err)
{
	struct sink sink = SINK_CLOSED;
	int r;

	*ret = SINK_CLOSED;
	sink.hurry = hurry;
	sink.target = strdup(target);
	if (!sink.target)
		return error_set(err, ENOMEM, "cannot open the log");
	if (!strcmp(target, "-"))
		r = open_stderr(&sink, err);
	else if (!strncmp(target, "unix:", 5))
		r = open_socket(&sink, target + 5, err);
	else if (!strncmp(target, "syslog:", 7))
		r = datagram_open(&sink, SINK_SYSLOG, target + 7, err);
	else if (!strncmp(target, "journal:", 8))
		r = datagram_open(&sink, SINK_JOURNAL, target + 8, err);
	else
		r = open_file(&sink, err);
	if (r < 0) {
		sink_close(&sink);
		return r;
	}
	*ret = sink;
	return 0;
}

int sink_renew(struct sink *sink)
{
	struct sink renewed = *sink;
	struct stat st;
	struct error err;
	int r;

	renewed.fd = openat(sink->dir_fd, sink->name,
			    O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (renewed.fd < 0)
		return -errno;
	if (fstat(renewed.fd, &st) < 0)
		r = -errno;
	else
		r = lock_file(&renewed, &st, &err);
	if (r < 0) {
		close_fd(&renewed.fd);
		return r;
	}
	/* Only now: whoever waits for the lock finds the new file held. */
	close_fd(&sink->fd);
	*sink = renewed;
	return 0;
}

/* Takes back part of a line, unless somebody else wrote behind it. */
static void take_back(const struct sink *sink, size_t written)
{
	struct stat st;

	if (written > 0 && fstat(sink->fd, &st) == 0 && st.st_size == sink->end + (off_t)written &&
	    ftruncate(sink->fd, sink->end) < 0)
		return; /* a torn last line stays: readers know it as such */
}

static bool in_place(const struct sink *sink)
{
	struct stat st;

	return fstatat(sink->dir_fd, sink->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == sink->dev && st.st_ino == sink->ino && st.st_size == sink->end;
}

static int write_file(struct sink *sink, const char *line, size_t len)
{
	size_t written = 0;
	int r = 0;

	while (written < len && r == 0) {
		ssize_t n = write(sink->fd, line + written, len - written);

		if (n > 0)
			written += (size_t)n;
		else if (n == 0)
			r = -EIO;
		else if (errno != EINTR)
			r = -errno;
	}
	if (r < 0) {
		take_back(sink, written);
		return r;
	}
	sink->end += (off_t)len;
	/* Afterwards, so that a file taken away just before is seen as well. */
	return in_place(sink) ? 0 : -ESTALE;
}

int sink_write(struct sink *sink, const char *line, size_t len, const struct sink_note *note)
{
	switch (sink->kind) {
	case SINK_STREAM:
	case SINK_SOCKET:
		return stream_write(sink, line, len);
	case SINK_SYSLOG:
	case SINK_JOURNAL:
		return datagram_write(sink, line, len, note);
	case SINK_FILE:
	default:
		return write_file(sink, line, len);
	}
}

int sink_offer(struct sink *sink, const char *line, size_t len, const struct sink_note *note,
	       int wait_ms)
{
	switch (sink->kind) {
	case SINK_STREAM:
	case SINK_SOCKET:
		return stream_offer(sink, line, len, wait_ms);
	case SINK_SYSLOG:
	case SINK_JOURNAL:
		return datagram_offer(sink, line, len, note, wait_ms);
	case SINK_FILE:
	default:
		return sink_write(sink, line, len, note);
	}
}

void sink_resume(const struct sink *sink)
{
	if (sink->kind == SINK_STREAM && sink->patience_ms < 0)
		(void)tcflow(sink->fd, TCOON);
}
