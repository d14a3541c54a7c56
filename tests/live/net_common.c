/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/live/net_common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

_Noreturn void give_up(const char *what)
{
	perror(what);
	exit(99);
}

const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}

void report(const char *what, long result)
{
	if (result < 0)
		printf("%s -> %s\n", what, error_name(errno));
	else
		printf("%s -> %ld\n", what, result);
	fflush(stdout);
}

static void parse_v4(struct address *ret, const char *text)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ret->addr;
	char host[64] = "";
	unsigned int port;

	if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 ||
	    inet_pton(AF_INET, host, &in->sin_addr) != 1) {
		errno = EINVAL;
		give_up(text);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	ret->len = sizeof(*in);
}

static void parse_v6(struct address *ret, const char *text)
{
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)&ret->addr;
	char host[64] = "";
	unsigned int port;
	char *scope;

	if (sscanf(text, "[%63[^]]]:%u", host, &port) != 2)
		give_up(text);
	scope = strchr(host, '%');
	if (scope) {
		*scope = '\0';
		in->sin6_scope_id = (uint32_t)strtoul(scope + 1, NULL, 10);
	}
	if (inet_pton(AF_INET6, host, &in->sin6_addr) != 1)
		give_up(text);
	in->sin6_family = AF_INET6;
	in->sin6_port = htons((uint16_t)port);
	ret->len = sizeof(*in);
}

/* "%00" is a NUL; `abstract` puts one in front. */
static void parse_unix(struct address *ret, const char *text, int abstract)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->addr;
	size_t len = abstract ? 1 : 0;

	un->sun_family = AF_UNIX;
	for (; *text && len < sizeof(un->sun_path); text++) {
		if (!strncmp(text, "%00", 3)) {
			un->sun_path[len++] = '\0';
			text += 2;
		} else {
			un->sun_path[len++] = *text;
		}
	}
	if (!abstract && len < sizeof(un->sun_path))
		len++; /* the NUL */
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void address_parse(struct address *ret, const char *text)
{
	struct sockaddr_nl *nl = (struct sockaddr_nl *)&ret->addr;

	memset(ret, 0, sizeof(*ret));
	if (!strcmp(text, "-"))
		return;
	if (!strcmp(text, "unspec")) {
		ret->len = sizeof(struct sockaddr_in);
	} else if (!strncmp(text, "unspec:", 7)) {
		parse_v4(ret, text + 7);
		ret->addr.ss_family = AF_UNSPEC;
	} else if (!strncmp(text, "unix:", 5)) {
		parse_unix(ret, text + 5, 0);
	} else if (!strncmp(text, "abs:", 4)) {
		parse_unix(ret, text + 4, 1);
	} else if (sscanf(text, "netlink:%u:%u", &nl->nl_pid, &nl->nl_groups) == 2) {
		nl->nl_family = AF_NETLINK;
		ret->len = sizeof(*nl);
	} else if (!strncmp(text, "family:", 7)) {
		ret->addr.ss_family = (sa_family_t)atoi(text + 7);
		ret->len = sizeof(struct sockaddr_in);
	} else if (*text == '[') {
		parse_v6(ret, text);
	} else {
		parse_v4(ret, text);
	}
}

static void format_port(char *buf, size_t size, uint16_t port)
{
	enum {
		EPHEMERAL = 32768
	}; /* net.ipv4.ip_local_port_range; the test's servers stay below */

	if (port >= EPHEMERAL)
		snprintf(buf, size, "*");
	else
		snprintf(buf, size, "%u", port);
}

const char *address_text(const struct address *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->addr;
	const struct sockaddr_un *un = (const struct sockaddr_un *)&address->addr;
	static char text[256];
	char host[INET6_ADDRSTRLEN];
	char port[8];
	size_t at;

	switch (address->len < sizeof(sa_family_t) ? AF_UNSPEC : address->addr.ss_family) {
	case AF_INET:
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		format_port(port, sizeof(port), ntohs(in->sin_port));
		snprintf(text, sizeof(text), "%s:%s len %u", host, port, address->len);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		format_port(port, sizeof(port), ntohs(in6->sin6_port));
		snprintf(text, sizeof(text), "[%s]:%s len %u", host, port, address->len);
		break;
	case AF_UNIX:
		at = (size_t)snprintf(text, sizeof(text), "unix len %u ", address->len);
		for (size_t i = offsetof(struct sockaddr_un, sun_path); i < address->len; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%c",
					       ((const char *)un)[i] ? ((const char *)un)[i] : '@');
		break;
	default:
		snprintf(text, sizeof(text), "family %d len %u", address->addr.ss_family,
			 address->len);
	}
	return text;
}
