/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_METRICS_HTTP_H
#define PROCTOR_CLI_METRICS_HTTP_H

#include <stddef.h>

/* The process behind metrics_server.h. */

/* Shared: what the supervisor has written, when it is asked. Pages that nobody needs are not there. */
struct metrics_area {
	char text[16 * 1024 * 1024];
};

/* The question is its number, an unsigned int. */
struct metrics_answer {
	unsigned int number;
	size_t len; /* of the text; SIZE_MAX: there is none */
};

/*
 * Serves GET /metrics at `listener`, until it is killed, or the other end of `answer` is closed. Says over
 * `answer` first of all that it is ready (one NUL byte), or why not.
 */
_Noreturn void metrics_http_serve(int listener, int answer, struct metrics_area *area);

#endif
