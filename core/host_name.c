/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/host_name.h"

#include <ctype.h>
#include <errno.h>
#include <idn2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 63, WRITTEN_MAX = 1024 };

static bool is_label_byte(unsigned char byte)
{
	return byte < 0x80 && (isalnum(byte) || byte == '-' || byte == '_');
}

static bool is_label(const char *label, size_t len)
{
	if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_label_byte((unsigned char)label[i]))
			return false;
	return true;
}

/* Such a label at the end makes an address of the whole for inet_aton(3) and for browsers. */
static bool is_number(const char *label)
{
	if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return label[2 + strspn(label + 2, "0123456789abcdefABCDEF")] == '\0';
	return label[strspn(label, "0123456789")] == '\0';
}

static bool is_name(const char *name)
{
	const char *label = name;

	if (strlen(name) >= HOST_NAME_SIZE)
		return false;
	for (;;) {
		const size_t len = strcspn(label, ".");

		if (!is_label(label, len))
			return false;
		if (label[len] == '\0')
			return !is_number(label);
		label += len + 1;
	}
}

/* Only what is not ASCII, or claims to stand for it, concerns IDNA. */
static bool needs_idna(const char *name)
{
	for (const char *at = name; *at; at++) {
		if ((unsigned char)*at >= 0x80)
			return true;
		if ((at == name || at[-1] == '.') && !strncasecmp(at, "xn--", 4))
			return true;
	}
	return false;
}

int host_name_normalise(const char *text, size_t len, char ret[HOST_NAME_SIZE])
{
	char written[WRITTEN_MAX + 1];
	const char *name = written;
	char *converted = NULL;
	int result = -EINVAL;
	size_t name_len;

	if (len == 0 || len > WRITTEN_MAX || memchr(text, '\0', len))
		return -EINVAL;
	memcpy(written, text, len);
	written[len] = '\0';
	if (needs_idna(written)) {
		if (idn2_lookup_u8((const uint8_t *)written, (uint8_t **)&converted,
				   IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
			return -EINVAL;
		name = converted;
	}
	name_len = strlen(name);
	if (name_len > 1 && name[name_len - 1] == '.')
		name_len--;
	if (name_len < HOST_NAME_SIZE) {
		char lower[HOST_NAME_SIZE] = "";

		for (size_t i = 0; i < name_len; i++)
			lower[i] = (char)tolower((unsigned char)name[i]);
		lower[name_len] = '\0';
		if (is_name(lower)) {
			memcpy(ret, lower, name_len + 1);
			result = 0;
		}
	}
	idn2_free(converted);
	return result;
}

static int parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long port;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	port = strtoul(text, &end, 10);
	if (*end || end - text > 5 || port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

int endpoint_parse_named(struct endpoint *ret, char host[HOST_NAME_SIZE], const char *text)
{
	const bool udp = !strncmp(text, "udp:", 4);
	const char *name = text + (udp || !strncmp(text, "tcp:", 4) ? 4 : 0);
	const char *colon = strrchr(name, ':');
	uint16_t port;

	if (endpoint_parse(ret, text) == 0) {
		host[0] = '\0';
		return 0;
	}
	if (!colon || parse_port(colon + 1, &port) < 0 ||
	    host_name_normalise(name, (size_t)(colon - name), host) < 0)
		return -EINVAL;
	*ret = (struct endpoint){
		.transport = udp ? TRANSPORT_UDP : TRANSPORT_TCP,
		.family = AF_UNSPEC,
		.port = port,
	};
	return 0;
}
