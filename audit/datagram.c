/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/datagram.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "audit/stream.h"

enum {
	/* More than a record can have; the kernel may give less, and a datagram is then refused. */
	BUFFER = 1024 * 1024,
	RECONNECT_MS = 100,
	PARTS_MAX = 32,
};

static int connect_daemon(const struct sink *sink)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strncpy(address.sun_path, sink->name, sizeof(address.sun_path) - 1);
	return connect(sink->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int datagram_open(struct sink *sink, enum sink_kind kind, const char *path, struct error *err)
{
	const int buffer = BUFFER;
	int r;

	if (!path || !*path)
		path = kind == SINK_SYSLOG ? "/dev/log" : "/run/systemd/journal/socket";
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return error_set(err, EINVAL, "cannot log to '%s'", sink->target);
	sink->kind = kind;
	sink->patience_ms = SINK_PATIENCE_S * 1000;
	sink->name = strdup(path);
	sink->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!sink->name || sink->fd < 0)
		return error_set(err, errno, "cannot log to '%s'", sink->target);
	setsockopt(sink->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	r = connect_daemon(sink);
	return r < 0 ? error_set(err, -r, "cannot log to '%s': nobody listens at %s", sink->target,
				 path)
		     : 0;
}

/* A datagram in the making. */
struct parts {
	struct iovec list[PARTS_MAX];
	uint64_t lengths[PARTS_MAX];
	size_t count;
};

static void add_bytes(struct parts *parts, const void *bytes, size_t len)
{
	parts->list[parts->count++] = (struct iovec){(void *)(uintptr_t)bytes, len};
}

/* NAME, newline, length as 64 bits little-endian, value, newline: any bytes may be in it. */
static void add_field(struct parts *parts, const char *name, const char *value, size_t len)
{
	uint64_t *length = &parts->lengths[parts->count];

	*length = htole64(len);
	add_bytes(parts, name, strlen(name));
	add_bytes(parts, "\n", 1);
	add_bytes(parts, length, sizeof(*length));
	add_bytes(parts, value, len);
	add_bytes(parts, "\n", 1);
}

static void add_text(struct parts *parts, const char *name, const char *value)
{
	if (value)
		add_field(parts, name, value, strlen(value));
}

static void compose_journal(struct parts *parts, const char *line, size_t len,
			    const struct sink_note *note)
{
	static const char warning[] = "SYSLOG_IDENTIFIER=proctor\nPRIORITY=4\n";
	static const char informational[] = "SYSLOG_IDENTIFIER=proctor\nPRIORITY=6\n";
	const char *head = note->warning ? warning : informational;

	add_bytes(parts, head, strlen(head));
	add_field(parts, "MESSAGE", line, len);
	add_text(parts, "PROCTOR_SESSION", note->session);
	add_text(parts, "PROCTOR_EVENT", note->event);
	add_text(parts, "PROCTOR_CLASS", note->class);
	add_text(parts, "PROCTOR_OBJECT", note->object);
}

static int send_parts(const struct sink *sink, struct parts *parts)
{
	const struct msghdr message = {.msg_iov = parts->list, .msg_iovlen = parts->count};
	ssize_t sent;

	do {
		sent = sendmsg(sink->fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* One attempt; the line's newline is not sent. */
static int send_line(const struct sink *sink, const char *line, size_t len,
		     const struct sink_note *note)
{
	struct parts parts = {.count = 0};
	char head[64];

	if (sink->kind == SINK_JOURNAL) {
		compose_journal(&parts, line, len - 1, note);
	} else {
		snprintf(head, sizeof(head), "<%d>proctor[%d]: @cee: ",
			 LOG_AUTHPRIV | (note->warning ? LOG_WARNING : LOG_INFO), (int)getpid());
		add_bytes(&parts, head, strlen(head));
		add_bytes(&parts, line, len - 1);
	}
	return send_parts(sink, &parts);
}

static bool is_away(int error)
{
	return error == -ECONNREFUSED || error == -ENOTCONN || error == -ECONNRESET ||
	       error == -ENOENT || error == -EPIPE;
}

/* Waits for the daemon to come back. */
static int reconnect(struct sink *sink)
{
	static const struct timespec pause = {.tv_nsec = RECONNECT_MS * 1000000L};
	int r = connect_daemon(sink);

	for (int waited = 0; is_away(r) && waited < sink->patience_ms; waited += RECONNECT_MS) {
		struct pollfd hurry = {.fd = sink->hurry, .events = POLLIN};

		if (poll(&hurry, 1, 0) > 0)
			break;
		nanosleep(&pause, NULL);
		r = connect_daemon(sink);
	}
	return r;
}

int datagram_write(struct sink *sink, const char *line, size_t len, const struct sink_note *note)
{
	for (;;) {
		int r = send_line(sink, line, len, note);

		if (r == -EAGAIN)
			r = stream_wait(sink);
		else if (is_away(r))
			r = reconnect(sink);
		else
			return r;
		if (r < 0)
			return r;
	}
}

int datagram_offer(struct sink *sink, const char *line, size_t len, const struct sink_note *note,
		   int wait_ms)
{
	struct pollfd pollfd = {.fd = sink->fd, .events = POLLOUT};
	int r = send_line(sink, line, len, note);

	if (r == -EAGAIN && poll(&pollfd, 1, wait_ms) > 0)
		r = send_line(sink, line, len, note);
	if (is_away(r) && connect_daemon(sink) == 0)
		r = send_line(sink, line, len, note);
	return is_away(r) ? -EAGAIN : r;
}
