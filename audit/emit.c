/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/emit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

#define ELLIPSIS "\xe2\x80\xa6"

/* The longest escape of one character: a surrogate pair. */
enum { ESCAPE_MAX = 12, FIRST_SIZE = 4096 };

void emit_reset(struct emitter *out)
{
	out->len = 0;
	out->failed = false;
	out->comma = false;
}

void emit_free(struct emitter *out)
{
	free(out->data);
	*out = (struct emitter){0};
}

/* Room for `more` bytes; NULL when there is none. */
static char *reserve(struct emitter *out, size_t more)
{
	size_t size = out->size ? out->size : FIRST_SIZE;
	char *data;

	if (out->failed)
		return NULL;
	if (out->data && out->size - out->len >= more)
		return out->data + out->len;
	while (size - out->len < more)
		size *= 2;
	data = realloc(out->data, size);
	if (!data) {
		out->failed = true;
		return NULL;
	}
	out->data = data;
	out->size = size;
	return out->data + out->len;
}

void emit_raw(struct emitter *out, const char *bytes, size_t len)
{
	char *room = reserve(out, len);

	if (!room)
		return;
	memcpy(room, bytes, len);
	out->len += len;
}

static void put_char(struct emitter *out, char c)
{
	emit_raw(out, &c, 1);
}

static void begin_value(struct emitter *out)
{
	if (out->comma)
		put_char(out, ',');
	out->comma = true;
}

void emit_open(struct emitter *out, char bracket)
{
	begin_value(out);
	put_char(out, bracket);
	out->comma = false;
}

void emit_close(struct emitter *out, char bracket)
{
	put_char(out, bracket);
	out->comma = true;
}

void emit_key(struct emitter *out, const char *key)
{
	begin_value(out);
	put_char(out, '"');
	emit_raw(out, key, strlen(key));
	emit_raw(out, "\":", 2);
	out->comma = false;
}

void emit_null(struct emitter *out)
{
	begin_value(out);
	emit_raw(out, "null", 4);
}

void emit_bool(struct emitter *out, bool value)
{
	begin_value(out);
	emit_raw(out, value ? "true" : "false", value ? 4 : 5);
}

void emit_uint(struct emitter *out, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	begin_value(out);
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	emit_raw(out, digits + at, sizeof(digits) - at);
}

void emit_int(struct emitter *out, int64_t value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRId64, value);

	begin_value(out);
	emit_raw(out, text, (size_t)len);
}

void emit_seconds(struct emitter *out, uint64_t ns)
{
	const uint64_t second = 1000000000;
	char text[40];
	int len = snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64, ns / second, ns % second);

	begin_value(out);
	emit_raw(out, text, (size_t)len);
}

static char *put_unit(char *out, unsigned int unit)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '\\';
	*out++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*out++ = digits[unit >> shift & 15];
	return out;
}

static char *put_escape(char *out, uint32_t character)
{
	static const char letters[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	};

	if (character < sizeof(letters) && letters[character]) {
		*out++ = '\\';
		*out++ = letters[character];
		return out;
	}
	if (character < 0x10000)
		return put_unit(out, character);
	character -= 0x10000;
	out = put_unit(out, 0xd800 | character >> 10);
	return put_unit(out, 0xdc00 | (character & 0x3ff));
}

/* One character or one stray byte of `bytes`, `left` at least 1; returns bytes used. */
static size_t put_character(char **out, const char *bytes, size_t left)
{
	uint32_t character;
	size_t length;

	length = utf8_decode(bytes, left, &character);
	if (length == 0) {
		*out = put_unit(*out, 0xdc00 | (unsigned char)bytes[0]);
		return 1;
	}
	if (character == '"' || character == '\\') {
		*(*out)++ = '\\';
		*(*out)++ = (char)character;
	} else if (utf8_is_hidden(character)) {
		*out = put_escape(*out, character);
	} else {
		for (size_t i = 0; i < length; i++)
			*(*out)++ = bytes[i];
	}
	return length;
}

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/*
 * The text of a string between its quotes, `limit` bytes of it at most. Returns
 * the bytes of `bytes` that were written.
 */
static size_t put_text(struct emitter *out, const char *bytes, size_t len, size_t limit)
{
	size_t used = 0;
	size_t written = 0;

	while (used < len) {
		char escaped[ESCAPE_MAX];
		char *end = escaped;
		size_t run = used;
		size_t step;

		while (run < len && is_plain(bytes[run]) && written + (run - used) < limit)
			run++;
		emit_raw(out, bytes + used, run - used);
		written += run - used;
		used = run;
		if (used == len || written >= limit)
			break;
		step = put_character(&end, bytes + used, len - used);
		if (written + (size_t)(end - escaped) > limit)
			break;
		emit_raw(out, escaped, (size_t)(end - escaped));
		written += (size_t)(end - escaped);
		used += step;
	}
	return used;
}

void emit_bytes(struct emitter *out, const char *bytes, size_t len, size_t max)
{
	size_t kept = len < max ? len : max;

	/* Not within a character: step back to its first byte, if it is one. */
	if (kept < len) {
		size_t start = kept;
		uint32_t character;

		while (start > 0 && kept - start < 4 && (bytes[start] & 0xc0) == 0x80)
			start--;
		if (utf8_decode(bytes + start, len - start, &character) > kept - start)
			kept = start;
	}
	begin_value(out);
	put_char(out, '"');
	put_text(out, bytes, kept, SIZE_MAX);
	if (kept < len)
		emit_raw(out, ELLIPSIS, strlen(ELLIPSIS));
	put_char(out, '"');
}

void emit_list(struct emitter *out, const char *const *strings, size_t max)
{
	size_t start = out->len;

	emit_open(out, '[');
	for (; *strings && out->len - start < max; strings++) {
		size_t len = strlen(*strings);
		size_t room = max - (out->len - start);

		begin_value(out);
		put_char(out, '"');
		if (put_text(out, *strings, len, room) < len)
			emit_raw(out, ELLIPSIS, strlen(ELLIPSIS));
		put_char(out, '"');
	}
	if (*strings) {
		char more[48];
		size_t left = 0;

		while (strings[left])
			left++;
		snprintf(more, sizeof(more), ELLIPSIS " %zu more", left);
		begin_value(out);
		put_char(out, '"');
		emit_raw(out, more, strlen(more));
		put_char(out, '"');
	}
	emit_close(out, ']');
}
