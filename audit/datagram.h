/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_DATAGRAM_H
#define PROCTOR_AUDIT_DATAGRAM_H

#include "audit/sink.h"

/*
 * The system's loggers: one datagram a line, to syslog (RFC 3164; the line behind "@cee:", which
 * rsyslog and syslog-ng take apart into fields) or to the journal in its own protocol
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL), the line being MESSAGE. sd_journal_send(3) and syslog(3) say
 * nothing when nobody listens, and a record that must be there would be lost; so we send ourselves.
 */

/* `path` NULL or "": where the system's daemon listens. As sink_open(). */
int datagram_open(struct sink *sink, enum sink_kind kind, const char *path, struct error *err);

/* As sink_write() and sink_offer(). A daemon that is started anew meanwhile is found again. */
int datagram_write(struct sink *sink, const char *line, size_t len, const struct sink_note *note);
int datagram_offer(struct sink *sink, const char *line, size_t len, const struct sink_note *note,
		   int wait_ms);

#endif
