/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_STREAM_H
#define PROCTOR_AUDIT_STREAM_H

#include "audit/sink.h"

/*
 * Sinks whose other side takes its time: pipes, terminals, sockets. No write(2) here blocks; what
 * waits is a poll(2) that ends when its patience is over.
 */

/* Waits until the sink takes more. Returns 0 or, as for sink_write(), -ETIMEDOUT. */
int stream_wait(struct sink *sink);

/* As sink_write() and sink_offer(), for SINK_STREAM and SINK_SOCKET. */
int stream_write(struct sink *sink, const char *line, size_t len);
int stream_offer(struct sink *sink, const char *line, size_t len, int wait_ms);

#endif
