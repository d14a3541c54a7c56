/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_CAPTURE_H
#define PROCTOR_SUPERVISOR_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/*
 * What the tool writes to standard output and standard error, kept up to a limit and passed on to
 * ours by a thread. Without a capture the tool has the caller's own descriptors; with it, pipes.
 */
struct capture;

enum { CAPTURE_OUT, CAPTURE_ERR, CAPTURE_COUNT };

/* `limit`: bytes of each that are kept. Returns 0 and *ret, or a negative errno and *err. */
int capture_new(size_t limit, bool pass_on, struct capture **ret, struct error *err);

/* In the tool's process: puts the pipes in the place of 1 and 2. 0 or a negative errno. */
int capture_enter(const struct capture *capture);

/* In the supervisor, once the tool's process was forked: closes the tool's ends and starts the thread. */
int capture_start(struct capture *capture, struct error *err);

/*
 * When the tool's tree has ended: passes on what is still in the pipes. `hurry`: gives up on a reader
 * of ours that takes nothing for a second.
 */
void capture_finish(struct capture *capture, bool hurry);

/* What was kept, `which` being CAPTURE_OUT or CAPTURE_ERR; valid until capture_free(). */
const char *capture_bytes(const struct capture *capture, int which, size_t *ret_len,
			  bool *ret_truncated);

/* NULL is fine. */
void capture_free(struct capture *capture);

#endif
