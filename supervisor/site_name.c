/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/site_name.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------ TLS */

enum {
	RECORD_HEADER = 5,
	RECORD_HANDSHAKE = 22,
	CLIENT_HELLO = 1,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ENCRYPTED_HELLO = 0xfe0d,
	NAME_OF_HOST = 0,
};

/* What is left of a structure. Reading beyond its end makes it bad, and stays so. */
struct view {
	const unsigned char *at;
	size_t left;
	bool bad;
};

static uint32_t take_number(struct view *view, size_t bytes)
{
	uint32_t value = 0;

	if (view->bad || view->left < bytes) {
		view->bad = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | view->at[i];
	view->at += bytes;
	view->left -= bytes;
	return value;
}

static struct view take_bytes(struct view *view, size_t count)
{
	struct view part = {.at = view->at, .left = count};

	if (view->bad || view->left < count) {
		view->bad = true;
		return (struct view){.bad = true};
	}
	view->at += count;
	view->left -= count;
	return part;
}

/* A vector with its length in front, of so many bytes. */
static struct view take_vector(struct view *view, size_t bytes)
{
	return take_bytes(view, take_number(view, bytes));
}

/*
 * The handshake message that begins the connection, put together from its records in `message`. Its
 * length, header included; 0 with *ret: it is not all there, or it is none.
 */
static size_t gather_hello(const unsigned char *data, size_t len,
			   unsigned char message[SITE_BYTES_MAX], enum site_answer *ret)
{
	struct view input = {.at = data, .left = len};
	size_t have = 0;

	*ret = SITE_NEITHER;
	for (;;) {
		struct view head = input;
		const uint32_t type = take_number(&head, 1);
		const uint32_t version = take_number(&head, 2);
		const uint32_t size = take_number(&head, 2);
		size_t wanted;

		if ((input.left > 0 && input.at[0] != RECORD_HANDSHAKE) ||
		    (input.left > 1 && input.at[1] != 3))
			return 0;
		if (head.bad)
			break;
		/* RFC 8446, 5.1: at most 2^14 bytes, and none of handshake may be empty. */
		if (type != RECORD_HANDSHAKE || version >> 8 != 3 || size == 0 || size > 1 << 14)
			return 0;
		if (head.left < size)
			break;
		if (size > SITE_BYTES_MAX - have)
			return 0;
		memcpy(message + have, head.at, size);
		have += size;
		take_bytes(&head, size);
		input = head;
		if (message[0] != CLIENT_HELLO)
			return 0;
		if (have < 4)
			continue;
		wanted = 4 + ((size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3]);
		if (have == wanted)
			return have;
		/* Nothing may stand behind it: who knows which of both would be read. */
		if (have > wanted || wanted > SITE_BYTES_MAX)
			return 0;
	}
	*ret = SITE_INCOMPLETE;
	return 0;
}

/* The one host name of the extension; others are no form that a server knows. */
static enum site_answer read_server_name(struct view extension, char ret[HOST_NAME_SIZE])
{
	struct view list = take_vector(&extension, 2);
	const uint32_t type = take_number(&list, 1);
	const struct view name = take_vector(&list, 2);

	if (extension.bad || extension.left || list.bad || list.left || type != NAME_OF_HOST ||
	    host_name_normalise((const char *)name.at, name.left, ret) < 0)
		return SITE_NEITHER;
	return SITE_NAMED;
}

static enum site_answer read_extensions(struct view extensions, char ret[HOST_NAME_SIZE])
{
	enum site_answer answer = SITE_NAMELESS;
	bool encrypted = false;

	while (extensions.left > 0) {
		const uint32_t type = take_number(&extensions, 2);
		const struct view extension = take_vector(&extensions, 2);

		if (extensions.bad)
			return SITE_NEITHER;
		encrypted = encrypted || type == EXTENSION_ENCRYPTED_HELLO;
		if (type != EXTENSION_SERVER_NAME)
			continue;
		/* A second one could be the one that counts. */
		answer = answer == SITE_NAMELESS ? read_server_name(extension, ret) : SITE_NEITHER;
		if (answer == SITE_NEITHER)
			return answer;
	}
	return encrypted ? SITE_ENCRYPTED : answer;
}

static enum site_answer read_hello(const unsigned char *data, size_t len, char ret[HOST_NAME_SIZE])
{
	unsigned char message[SITE_BYTES_MAX];
	enum site_answer answer;
	const size_t size = gather_hello(data, len, message, &answer);
	struct view hello = {.at = message, .left = size};
	struct view extensions;

	if (size == 0)
		return answer;
	take_number(&hello, 4);
	take_bytes(&hello, 2 + 32); /* version, random */
	take_vector(&hello, 1);     /* session id */
	take_vector(&hello, 2);     /* cipher suites */
	take_vector(&hello, 1);     /* compression methods */
	if (hello.bad)
		return SITE_NEITHER;
	if (hello.left == 0)
		return SITE_NAMELESS;
	extensions = take_vector(&hello, 2);
	return hello.bad || hello.left ? SITE_NEITHER : read_extensions(extensions, ret);
}

/* ----------------------------------------------------------------------------- HTTP */

struct line {
	const char *text;
	size_t len;
};

/* The next line, without its CR LF. False: there is none that is whole. */
static bool take_line(const unsigned char *data, size_t len, size_t *at, struct line *ret)
{
	const unsigned char *end = memchr(data + *at, '\n', len - *at);

	if (!end)
		return false;
	ret->text = (const char *)data + *at;
	ret->len = (size_t)(end - data) - *at;
	*at += ret->len + 1;
	if (ret->len > 0 && ret->text[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

/* "GET ", as far as it is there. */
static bool looks_like_http(const unsigned char *data, size_t len)
{
	enum { METHOD_MAX = 20 };

	for (size_t i = 0; i < len && i <= METHOD_MAX; i++) {
		if (data[i] == ' ')
			return i > 0;
		if (data[i] < 'A' || data[i] > 'Z')
			return false;
	}
	return len <= METHOD_MAX;
}

/* "METHOD /path HTTP/1.x". A whole URL or an authority in the place of the path names a site too. */
static bool is_plain_request(const struct line *line)
{
	static const char version[] = " HTTP/1.";
	const char *target = memchr(line->text, ' ', line->len);
	const size_t tail = strlen(version) + 1;

	return target && line->len > tail && (target[1] == '/' || target[1] == '*') &&
	       !memchr(line->text, '\r', line->len) && !memchr(line->text, '\0', line->len) &&
	       !memcmp(line->text + line->len - tail, version, tail - 1);
}

static enum site_answer read_host(struct line value, char ret[HOST_NAME_SIZE])
{
	const char *colon;

	while (value.len > 0 && (*value.text == ' ' || *value.text == '\t')) {
		value.text++;
		value.len--;
	}
	while (value.len > 0 &&
	       (value.text[value.len - 1] == ' ' || value.text[value.len - 1] == '\t'))
		value.len--;
	colon = memchr(value.text, ':', value.len);
	if (colon) {
		for (const char *at = colon + 1; at < value.text + value.len; at++)
			if (*at < '0' || *at > '9')
				return SITE_NEITHER;
		value.len = (size_t)(colon - value.text);
	}
	return host_name_normalise(value.text, value.len, ret) < 0 ? SITE_NEITHER : SITE_NAMED;
}

/* A field's name ends right at the colon (RFC 9112, 5.1), and a line is not continued (5.2). */
static bool is_field(const struct line *line)
{
	const char *colon = memchr(line->text, ':', line->len);

	return colon && colon > line->text && colon[-1] != ' ' && colon[-1] != '\t' &&
	       line->text[0] != ' ' && line->text[0] != '\t' &&
	       !memchr(line->text, '\r', line->len) && !memchr(line->text, '\0', line->len);
}

static enum site_answer read_request(const unsigned char *data, size_t len, char ret[HOST_NAME_SIZE])
{
	static const char host[] = "Host:";
	enum site_answer answer = SITE_NAMELESS;
	struct line line;
	size_t at = 0;

	if (!take_line(data, len, &at, &line))
		return SITE_INCOMPLETE;
	if (!is_plain_request(&line))
		return SITE_NEITHER;
	for (;;) {
		if (!take_line(data, len, &at, &line))
			return SITE_INCOMPLETE;
		if (line.len == 0)
			return answer;
		if (!is_field(&line))
			return SITE_NEITHER;
		if (line.len < strlen(host) || strncasecmp(line.text, host, strlen(host)) != 0)
			continue;
		/* A second one could be the one that counts. */
		if (answer != SITE_NAMELESS)
			return SITE_NEITHER;
		line.text += strlen(host);
		line.len -= strlen(host);
		answer = read_host(line, ret);
		if (answer == SITE_NEITHER)
			return answer;
	}
}

enum site_answer site_name_read(const unsigned char *data, size_t len, char ret[HOST_NAME_SIZE],
				enum site_protocol *ret_protocol)
{
	char name[HOST_NAME_SIZE];
	enum site_answer answer;

	*ret_protocol = SITE_UNKNOWN;
	if (len == 0)
		return SITE_INCOMPLETE;
	if (data[0] == RECORD_HANDSHAKE) {
		*ret_protocol = SITE_TLS;
		answer = read_hello(data, len, name);
	} else if (looks_like_http(data, len)) {
		*ret_protocol = SITE_HTTP;
		answer = read_request(data, len, name);
	} else {
		return SITE_NEITHER;
	}
	if (answer == SITE_NAMED)
		memcpy(ret, name, strlen(name) + 1);
	return answer;
}
