/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_TOP_SCREEN_H
#define PROCTOR_CLI_TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/top_session.h"
#include "core/error.h"

/* What is to be seen, and what the user has chosen. */
struct top_view {
	struct top_session *const *sessions;
	size_t count;
	size_t chosen;   /* of them */
	uint64_t back;   /* attempts behind the last one, at the top of their list */
	bool paused;
};

/*
 * Takes the terminal that standard input and output are. 0, or a negative number and *err: it has no
 * terminal, or one that ncurses does not know.
 */
int top_screen_open(struct error *err);

/* Gives it back as it was. */
void top_screen_close(void);

enum top_key { TOP_NONE, TOP_QUIT, TOP_UP, TOP_DOWN, TOP_OLDER, TOP_NEWER, TOP_NEWEST, TOP_PAUSE, TOP_REDRAW };

/* Waits for a key, at most so long. */
enum top_key top_screen_key(int timeout_ms);

/* Draws all of it, however small the terminal is. Names can do nothing to it. */
void top_screen_draw(const struct top_view *view);

#endif
