/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/terminal.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <termios.h>

#include "core/utf8.h"

void terminal_print(FILE *out, const char *text, size_t max)
{
	size_t len = strlen(text);
	size_t at = 0;

	while (at < len) {
		uint32_t character = 0;
		size_t length = utf8_decode(text + at, len - at, &character);
		bool shown = length > 0 && !utf8_is_hidden(character);

		if (length == 0)
			length = 1;
		if (at + length > max) {
			fputs("\xe2\x80\xa6", out);
			return;
		}
		if (shown) {
			fwrite(text + at, 1, length, out);
		} else {
			for (size_t i = 0; i < length; i++)
				fprintf(out, "\\x%02x", (unsigned char)text[at + i]);
		}
		at += length;
	}
}

int terminal_reclaim(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && (flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	(void)tcflow(fd, TCOON); /* no terminal: ENOTTY */
	return flags;
}
