/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_TERMINAL_H
#define PROCTOR_CLI_TERMINAL_H

#include <stddef.h>
#include <stdio.h>

/*
 * Prints a name that the tool may have chosen so that it can do nothing to a
 * terminal or to the reader's eye: each byte of what utf8_is_hidden() names
 * (newlines, escape sequences, bidirectional controls...) and each byte that is
 * not UTF-8 as \xNN. Of a text longer than `max` bytes the first part is
 * printed, followed by U+2026.
 */
void terminal_print(FILE *out, const char *text, size_t max);

/*
 * Makes what is written to `fd` arrive, although the tool, which shares it, may have made it
 * non-blocking and full, or stopped the terminal's output. Returns the file's status flags as they
 * were, to be set again when all is written.
 */
int terminal_reclaim(int fd);

#endif
