/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "policy/private.h"

/* Text of at most `size` bytes, cut at the end. */
struct line {
	char *buf;
	size_t size;
	size_t len;
};

static void add_byte(struct line *line, char byte)
{
	if (line->len + 1 < line->size)
		line->buf[line->len++] = byte;
}

static void add_text(struct line *line, const char *text)
{
	while (*text)
		add_byte(line, *text++);
}

static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+",
			    text[i]) || !text[i])
			return false;
	return len > 0 && text[0] == '/';
}

/* A name as a pattern for itself within a double-quoted YAML text. */
static void add_quoted(struct line *line, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];
		char hex[8];

		if (byte < 0x20 || byte >= 0x7f) {
			snprintf(hex, sizeof(hex), "\\\\x%02x", byte);
			add_text(line, hex);
		} else if (byte == '"') {
			add_text(line, "\\\"");
		} else if (byte == '\\') {
			add_text(line, "\\\\\\\\");
		} else {
			if (strchr("*?[]{},~!$", byte))
				add_text(line, "\\\\");
			add_byte(line, (char)byte);
		}
	}
}

static void add_path(struct line *line, const char *path)
{
	if (is_plain(path, strlen(path))) {
		add_text(line, path);
		return;
	}
	add_byte(line, '"');
	add_quoted(line, path, strlen(path));
	add_byte(line, '"');
}

static void add_named(struct line *line, const char *host, const struct endpoint *endpoint)
{
	char port[8];

	add_text(line, endpoint->transport == TRANSPORT_UDP ? "udp:" : "");
	add_text(line, host);
	snprintf(port, sizeof(port), ":%u", endpoint->port);
	add_text(line, port);
}

static void add_endpoint(struct line *line, const char *host, const struct endpoint *endpoint)
{
	char text[INET6_ADDRSTRLEN + 16];

	add_byte(line, '"');
	if (host) {
		add_named(line, host, endpoint);
		add_byte(line, '"');
		return;
	}
	switch (endpoint->transport) {
	case TRANSPORT_UNIX:
		add_text(line, "unix:");
		add_quoted(line, endpoint->path, strlen(endpoint->path));
		break;
	case TRANSPORT_UNIX_ABSTRACT:
		add_text(line, "unix:@");
		add_quoted(line, endpoint->path, endpoint->path_len);
		break;
	case TRANSPORT_TCP:
	case TRANSPORT_UDP:
	case TRANSPORT_OTHER:
		endpoint_format(endpoint, text, sizeof(text));
		add_text(line, strncmp(text, "tcp:", 4) ? text : text + 4);
		break;
	}
	add_byte(line, '"');
}

char *policy_suggest_grant(const struct access *access, char *buf, size_t size)
{
	const unsigned int right = policy_right_of(access->class, access->op);
	struct line line = {buf, size, 0};

	if (size == 0)
		return buf;
	buf[0] = '\0';
	if (!right)
		return buf;
	switch (access->class) {
	case CLASS_FILE:
		add_text(&line, "files: {");
		add_text(&line, access_op_name(access->op));
		add_text(&line, ": [");
		add_path(&line, access->path);
		break;
	case CLASS_EXEC:
		add_text(&line, "exec: {allow: [");
		add_path(&line, access->path);
		break;
	default:
		add_text(&line, right == RIGHT_BIND ? "network: {bind: ["
							 : "network: {connect: [");
		add_endpoint(&line, right == RIGHT_CONNECT ? access->host : NULL,
			     access->endpoint);
		break;
	}
	add_text(&line, "]}");
	buf[line.len] = '\0';
	return buf;
}

char *policy_suggest(const struct policy *policy, const struct access *access, char *buf,
		     size_t size)
{
	struct query query;

	if (size == 0)
		return buf;
	buf[0] = '\0';
	if (!policy_ask(policy, access, &query) || query.hidden || query.denied ||
	    policy_decide(policy, access).decision != DECISION_DENY)
		return buf;
	return policy_suggest_grant(access, buf, size);
}

char *policy_suggest_exception(const struct access *access, char *buf, size_t size)
{
	struct line line = {buf, size, 0};
	char text[2 * PATH_MAX];
	struct line inner = {text, sizeof(text), 0};

	if (size == 0)
		return buf;
	if (access->class == CLASS_NETWORK) {
		add_endpoint(&inner, access->host, access->endpoint);
	} else {
		add_byte(&inner, '"');
		add_quoted(&inner, access->path, strlen(access->path));
		add_byte(&inner, '"');
	}
	text[inner.len] = '\0';
	add_text(&line, "\"!");
	add_text(&line, text + 1);
	buf[line.len] = '\0';
	return buf;
}
