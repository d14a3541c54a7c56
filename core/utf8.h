/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_UTF8_H
#define PROCTOR_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the first character of `text`, of which `len` (at least 1) bytes may
 * be read. Returns its length in bytes and sets *ret, or returns 0 when the
 * bytes are not UTF-8 as RFC 3629 has it (overlong forms, surrogates and what
 * is above U+10FFFF are not); *ret is then untouched.
 */
size_t utf8_decode(const char *text, size_t len, uint32_t *ret);

/*
 * True for a character that must not reach a terminal or a reader's eye as it
 * is: C0 and C1 controls, DEL, line separators, bidirectional controls and
 * others that take no room.
 */
bool utf8_is_hidden(uint32_t character);

#endif
