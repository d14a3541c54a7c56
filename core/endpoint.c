/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

bool endpoint_is_v4(const struct endpoint *endpoint)
{
	return IN6_IS_ADDR_V4MAPPED(&endpoint->address);
}

bool endpoint_is_unspecified(const struct endpoint *endpoint)
{
	static const unsigned char any[4];

	if (endpoint_is_v4(endpoint))
		return !memcmp(&endpoint->address.s6_addr[12], any, sizeof(any));
	return IN6_IS_ADDR_UNSPECIFIED(&endpoint->address);
}

static void set_v4(struct endpoint *endpoint, const struct in_addr *address)
{
	memset(&endpoint->address, 0, sizeof(endpoint->address));
	endpoint->address.s6_addr[10] = 0xff;
	endpoint->address.s6_addr[11] = 0xff;
	memcpy(&endpoint->address.s6_addr[12], address, sizeof(*address));
	endpoint->family = AF_INET;
}

/* ipv6(7): the scope counts where the address alone does not say which link is meant. */
static bool needs_scope(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_MC_LINKLOCAL(address) ||
	       IN6_IS_ADDR_MC_NODELOCAL(address);
}

/* unix(7): a pathname ends at its NUL or at the length; a leading NUL is an abstract name. */
static int from_unix(struct endpoint *ret, const struct sockaddr_un *un, socklen_t len)
{
	size_t name_len;

	if (len > sizeof(*un) || len <= offsetof(struct sockaddr_un, sun_path))
		return -EINVAL;
	name_len = len - offsetof(struct sockaddr_un, sun_path);
	if (un->sun_path[0] == '\0') {
		ret->transport = TRANSPORT_UNIX_ABSTRACT;
		ret->path_len = name_len - 1;
		memcpy(ret->path, un->sun_path + 1, ret->path_len);
	} else {
		ret->transport = TRANSPORT_UNIX;
		ret->path_len = strnlen(un->sun_path, name_len);
		memcpy(ret->path, un->sun_path, ret->path_len);
	}
	ret->path[ret->path_len] = '\0';
	return 0;
}

int endpoint_from_sockaddr(struct endpoint *ret, const struct sockaddr_storage *addr, socklen_t len,
			   enum transport transport)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;

	ret->transport = TRANSPORT_OTHER;
	ret->family = AF_UNSPEC;
	memset(&ret->address, 0, sizeof(ret->address));
	ret->scope_id = 0;
	ret->port = 0;
	ret->path_len = 0;
	ret->path[0] = '\0';

	if (len < sizeof(sa_family_t) || len > sizeof(*addr))
		return -EINVAL;
	ret->family = addr->ss_family;
	switch (addr->ss_family) {
	case AF_INET:
		if (len < sizeof(*in))
			return -EINVAL;
		set_v4(ret, &in->sin_addr);
		ret->port = ntohs(in->sin_port);
		break;
	case AF_INET6:
		/* ipv6(7): the kernel takes an address without the scope as well. */
		if (len < offsetof(struct sockaddr_in6, sin6_scope_id))
			return -EINVAL;
		ret->address = in6->sin6_addr;
		ret->port = ntohs(in6->sin6_port);
		if (len >= sizeof(*in6) && needs_scope(&in6->sin6_addr))
			ret->scope_id = in6->sin6_scope_id;
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			ret->family = AF_INET;
		break;
	case AF_UNIX:
		return from_unix(ret, (const struct sockaddr_un *)addr, len);
	default:
		return -EAFNOSUPPORT;
	}
	ret->transport = transport;
	return 0;
}

static int parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long port;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	port = strtoul(text, &end, 10);
	/* "0443": octal to some readers. */
	if (*end || port > UINT16_MAX || (*text == '0' && text[1]))
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

/* "ADDRESS" or "ADDRESS%SCOPE", where the scope is a link's name or number. */
static int parse_v6(struct endpoint *ret, char *host)
{
	char *scope = strchr(host, '%');
	char *end;

	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, host, &ret->address) != 1)
		return -EINVAL;
	ret->family = IN6_IS_ADDR_V4MAPPED(&ret->address) ? AF_INET : AF_INET6;
	if (!scope)
		return 0;
	if (!needs_scope(&ret->address))
		return -EINVAL;
	ret->scope_id = if_nametoindex(scope);
	if (ret->scope_id == 0 && *scope >= '1' && *scope <= '9') {
		unsigned long number = strtoul(scope, &end, 10);

		if (*end == '\0' && number <= UINT32_MAX)
			ret->scope_id = (uint32_t)number;
	}
	return ret->scope_id ? 0 : -EINVAL;
}

static int parse_inet(struct endpoint *ret, const char *text)
{
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE];
	const char *start = text;
	const char *end;
	struct in_addr v4;

	if (*text == '[') {
		start = text + 1;
		end = strchr(start, ']');
		if (!end || end[1] != ':')
			return -EINVAL;
	} else {
		end = strrchr(text, ':');
		if (!end)
			return -EINVAL;
	}
	if ((size_t)(end - start) >= sizeof(host))
		return -EINVAL;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';

	if (*text != '[') {
		if (inet_pton(AF_INET, host, &v4) != 1)
			return -EINVAL;
		set_v4(ret, &v4);
		return parse_port(end + 1, &ret->port);
	}
	if (parse_v6(ret, host) < 0)
		return -EINVAL;
	return parse_port(end + 2, &ret->port);
}

static int parse_unix(struct endpoint *ret, const char *text)
{
	ret->family = AF_UNIX;
	ret->transport = *text == '@' ? TRANSPORT_UNIX_ABSTRACT : TRANSPORT_UNIX;
	if (*text != '@' && *text != '/')
		return -EINVAL;
	text += *text == '@';
	ret->path_len = strlen(text);
	if (ret->path_len >= sizeof(ret->path))
		return -EINVAL;
	memcpy(ret->path, text, ret->path_len + 1);
	return 0;
}

int endpoint_parse(struct endpoint *ret, const char *text)
{
	struct endpoint endpoint = {.transport = TRANSPORT_TCP};
	int error;

	if (!strncmp(text, "unix:", 5)) {
		error = parse_unix(&endpoint, text + 5);
	} else if (!strncmp(text, "udp:", 4)) {
		endpoint.transport = TRANSPORT_UDP;
		error = parse_inet(&endpoint, text + 4);
	} else {
		error = parse_inet(&endpoint, strncmp(text, "tcp:", 4) ? text : text + 4);
	}
	if (error == 0)
		*ret = endpoint;
	return error;
}

/* "unix:@name"; the bytes of a name that may not stand in text as they are, as "\x00". */
static void format_abstract(const struct endpoint *endpoint, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "unix:@");

	for (size_t i = 0; i < endpoint->path_len && at < size; i++) {
		const char byte = endpoint->path[i];

		at += (size_t)snprintf(buf + at, size - at, byte ? "%c" : "\\x%02x", byte);
	}
}

char *endpoint_format(const struct endpoint *endpoint, char *buf, size_t size)
{
	const char *proto = endpoint->transport == TRANSPORT_UDP ? "udp" : "tcp";
	char host[INET6_ADDRSTRLEN];
	char scope[12] = "";

	switch (endpoint->transport) {
	case TRANSPORT_UNIX:
		snprintf(buf, size, "unix:%s", endpoint->path);
		return buf;
	case TRANSPORT_UNIX_ABSTRACT:
		format_abstract(endpoint, buf, size);
		return buf;
	case TRANSPORT_OTHER:
		snprintf(buf, size, "family:%d", endpoint->family);
		return buf;
	case TRANSPORT_TCP:
	case TRANSPORT_UDP:
		break;
	}
	if (endpoint_is_v4(endpoint)) {
		inet_ntop(AF_INET, &endpoint->address.s6_addr[12], host, sizeof(host));
		snprintf(buf, size, "%s:%s:%u", proto, host, endpoint->port);
	} else {
		if (endpoint->scope_id)
			snprintf(scope, sizeof(scope), "%%%u", endpoint->scope_id);
		inet_ntop(AF_INET6, &endpoint->address, host, sizeof(host));
		snprintf(buf, size, "%s:[%s%s]:%u", proto, host, scope, endpoint->port);
	}
	return buf;
}
