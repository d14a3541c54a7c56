/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/proxy_request.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ----------------------------------------------------------------------- both protocols */

static bool is_printable(unsigned char byte)
{
	return byte > ' ' && byte < 0x7f && byte != '\\';
}

/* "HOST:PORT" for a record. */
static void write_asked(struct proxy_request *ret, const unsigned char *host, size_t len,
			unsigned int port)
{
	enum { TAIL = 16 }; /* room for the port */
	size_t at = 0;

	for (size_t i = 0; i < len && at + 4 + TAIL < sizeof(ret->asked); i++)
		at += (size_t)snprintf(ret->asked + at, sizeof(ret->asked) - at,
				       is_printable(host[i]) ? "%c" : "\\x%02x", host[i]);
	snprintf(ret->asked + at, sizeof(ret->asked) - at, ":%u", port);
}

static void set_v4(struct in6_addr *ret, const unsigned char bytes[4])
{
	memset(ret, 0, sizeof(*ret));
	memset(&ret->s6_addr[10], 0xff, 2);
	memcpy(&ret->s6_addr[12], bytes, 4);
}

/* Four decimal numbers, as inet_pton(3) has it: nothing that another reader takes for another one. */
static bool read_address(const char *text, struct in6_addr *ret)
{
	unsigned char v4[4];

	if (inet_pton(AF_INET, text, v4) == 1) {
		set_v4(ret, v4);
		return true;
	}
	return inet_pton(AF_INET6, text, ret) == 1;
}

/* A name or an address in letters. */
static enum proxy_word read_host(const unsigned char *host, size_t len, struct proxy_request *ret)
{
	char text[HOST_NAME_SIZE];

	ret->host[0] = '\0';
	if (len == 0 || len >= sizeof(text) || memchr(host, '\0', len))
		return PROXY_NO_HOST;
	memcpy(text, host, len);
	text[len] = '\0';
	if (read_address(text, &ret->address))
		return PROXY_CONNECT;
	return host_name_normalise(text, len, ret->host) < 0 ? PROXY_NO_HOST : PROXY_CONNECT;
}

/* -------------------------------------------------------------------------------- HTTP */

/* Where the line that begins at `at` ends: its CR. `len`: it does not. */
static size_t line_end(const unsigned char *data, size_t len, size_t at)
{
	while (at < len && data[at] != '\r')
		at++;
	return at;
}

/* RFC 9112, 2.2: a line ends in CRLF; a NUL, a bare CR or a bare LF is no part of a head. The end of the
 * head, 0: it is not there, or *ret_bad. */
static size_t head_end(const unsigned char *data, size_t len, bool *ret_bad)
{
	size_t start = 0;

	*ret_bad = false;
	for (size_t i = 0; i < len; i++) {
		const unsigned char byte = data[i];
		const bool ends = byte == '\n' && i > 0 && data[i - 1] == '\r';

		if (byte == '\0' || (byte == '\n' && !ends) ||
		    (i > 0 && data[i - 1] == '\r' && byte != '\n')) {
			*ret_bad = true;
			return 0;
		}
		if (!ends)
			continue;
		if (i == start + 1 && start > 0)
			return i + 1;
		start = i + 1;
	}
	return 0;
}

/* One to five digits. */
static bool read_port(const unsigned char *text, size_t len, uint16_t *ret)
{
	unsigned int port = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (text[i] - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* "NAME:PORT", "192.0.2.1:PORT", "[2001:db8::1]:PORT" */
static enum proxy_word read_authority(const unsigned char *text, size_t len, struct proxy_request *ret)
{
	const unsigned char *colon = memrchr(text, ':', len);
	size_t host_len = colon ? (size_t)(colon - text) : 0;
	const unsigned char *host = text;
	const bool brackets = host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']';

	if (!colon || !read_port(colon + 1, len - host_len - 1, &ret->port))
		return PROXY_MALFORMED;
	host += brackets;
	host_len -= brackets ? 2 : 0;
	write_asked(ret, text, (size_t)(colon - text), ret->port);
	/* What stands in brackets has colons, and nothing else has. */
	if (brackets != (memchr(host, ':', host_len) != NULL))
		return PROXY_NO_HOST;
	return read_host(host, host_len, ret);
}

static bool is_version(const unsigned char *text, size_t len)
{
	return len == 8 && !memcmp(text, "HTTP/1.", 7) && (text[7] == '0' || text[7] == '1');
}

static bool is_method(const unsigned char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < 'A' || text[i] > 'Z')
			return false;
	return len > 0;
}

static enum proxy_word read_http(const unsigned char *data, size_t len, struct proxy_request *ret)
{
	static const char connect[] = "CONNECT";
	const size_t end = line_end(data, len, 0);
	const unsigned char *first = memchr(data, ' ', end);
	const unsigned char *second;
	bool bad;

	ret->protocol = PROXY_HTTP;
	ret->len = head_end(data, len, &bad);
	if (bad || !is_method(data, first ? (size_t)(first - data) : end))
		return PROXY_MALFORMED;
	if (ret->len == 0)
		return len < PROXY_HEAD_MAX ? PROXY_INCOMPLETE : PROXY_MALFORMED;
	if (!first)
		return PROXY_MALFORMED;
	second = memchr(first + 1, ' ', end - (size_t)(first + 1 - data));
	if (!second || !is_version(second + 1, end - (size_t)(second + 1 - data)))
		return PROXY_MALFORMED;
	if ((size_t)(first - data) != strlen(connect) || memcmp(data, connect, strlen(connect)) != 0)
		return PROXY_METHOD;
	return read_authority(first + 1, (size_t)(second - first - 1), ret);
}

/* ------------------------------------------------------------------------------- SOCKS5 */

enum {
	SOCKS_VERSION = 5,
	SOCKS_NO_PASSWORD = 0,
	SOCKS_CONNECT = 1,
	SOCKS_V4 = 1,
	SOCKS_NAME = 3,
	SOCKS_V6 = 4,
	SOCKS_FIXED = 4, /* bytes in front of the address */
};

static enum proxy_word read_greeting(const unsigned char *data, size_t len,
				     struct proxy_request *ret)
{
	if (len < 2 || len < 2u + data[1])
		return PROXY_INCOMPLETE;
	ret->len = 2u + data[1];
	return memchr(data + 2, SOCKS_NO_PASSWORD, data[1]) ? PROXY_GREETING : PROXY_PASSWORD;
}

static enum proxy_word read_socks(const unsigned char *data, size_t len, struct proxy_request *ret)
{
	char text[INET6_ADDRSTRLEN];
	const unsigned char *host = data + SOCKS_FIXED;
	size_t host_len;
	enum proxy_word word = PROXY_CONNECT;

	if (len < SOCKS_FIXED + 1)
		return PROXY_INCOMPLETE;
	switch (data[3]) {
	case SOCKS_V4:
		host_len = 4;
		break;
	case SOCKS_V6:
		host_len = 16;
		break;
	case SOCKS_NAME:
		host_len = *host++;
		break;
	default:
		return PROXY_MALFORMED;
	}
	ret->len = (size_t)(host - data) + host_len + 2;
	if (data[2] != 0)
		return PROXY_MALFORMED;
	if (len < ret->len)
		return PROXY_INCOMPLETE;
	ret->port = (uint16_t)(host[host_len] << 8 | host[host_len + 1]);
	ret->host[0] = '\0';
	if (data[3] == SOCKS_NAME) {
		word = read_host(host, host_len, ret);
		write_asked(ret, host, host_len, ret->port);
	} else {
		if (data[3] == SOCKS_V4)
			set_v4(&ret->address, host);
		else
			memcpy(&ret->address, host, host_len);
		inet_ntop(data[3] == SOCKS_V4 ? AF_INET : AF_INET6, host, text, sizeof(text));
		write_asked(ret, (const unsigned char *)text, strlen(text), ret->port);
	}
	return data[1] == SOCKS_CONNECT ? word : PROXY_METHOD;
}

enum proxy_word proxy_request_read(const unsigned char *data, size_t len, int greeted,
				   struct proxy_request *ret)
{
	ret->protocol = PROXY_UNKNOWN;
	ret->len = 0;
	if (len == 0)
		return PROXY_INCOMPLETE;
	if (data[0] != SOCKS_VERSION)
		return greeted ? PROXY_MALFORMED : read_http(data, len, ret);
	ret->protocol = PROXY_SOCKS;
	return greeted ? read_socks(data, len, ret) : read_greeting(data, len, ret);
}
