/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_RELAY_H
#define PROCTOR_SUPERVISOR_RELAY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Connections of the tool that end at us and go on at another socket of ours: one thread moves the bytes
 * between both with splice(2), without copying them, and passes on the ends of the streams. What breaks
 * at one end is reset at the other.
 */
struct relay;

enum { RELAY_FIRST_MAX = 32768 };

enum relay_word { RELAY_WAIT, RELAY_PASS, RELAY_REFUSE };

/*
 * Looks at what the tool sends first, before any of it goes on. What comes from the other end is never
 * held back. Called by the relay's thread.
 */
struct relay_gate {
	/*
	 * `data`: the first `len` bytes; `whole`: there will be no more. Returns RELAY_WAIT for more of
	 * them, RELAY_PASS, or RELAY_REFUSE: then the `farewell` is sent to the tool, and nothing more
	 * goes on.
	 */
	enum relay_word (*look)(struct relay_gate *gate, const unsigned char *data, size_t len,
				bool whole);
	void (*release)(struct relay_gate *gate);
	const char *farewell;
	size_t farewell_len;
};

/* Returns NULL when there is no memory. The thread starts with the first connection. */
struct relay *relay_new(void);

/*
 * Joins `tool`, accepted from the tool, and `other`, which may still be on its way to be connected. Takes
 * both, and the gate (NULL: none), also on failure. 0 or a negative errno.
 */
int relay_add(struct relay *relay, int tool, int other, struct relay_gate *gate);

/* Waits until all that the tool has sent has gone on, for so many milliseconds. NULL is fine. */
void relay_finish(struct relay *relay, int timeout_ms);

#endif
