/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_hosts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/host_name.h"

enum { ENTRIES_MAX = 100000 };

struct entry {
	struct in6_addr address;
	char *name;
};

struct net_hosts {
	struct entry *entries;
	size_t count;
	size_t room;
};

void net_hosts_free(struct net_hosts *hosts)
{
	if (!hosts)
		return;
	for (size_t i = 0; i < hosts->count; i++)
		free(hosts->entries[i].name);
	free(hosts->entries);
	free(hosts);
}

static bool parse_address(const char *text, struct in6_addr *ret)
{
	struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET6, text, ret) == 1)
		return true;
	if (inet_pton(AF_INET, text, &mapped.s6_addr[12]) != 1)
		return false;
	*ret = mapped;
	return true;
}

static void add(struct net_hosts *hosts, const struct in6_addr *address, const char *written)
{
	char name[HOST_NAME_SIZE];

	if (host_name_normalise(written, strlen(written), name) < 0 || hosts->count == ENTRIES_MAX)
		return;
	if (hosts->count == hosts->room) {
		const size_t room = hosts->room ? 2 * hosts->room : 16;
		struct entry *entries = reallocarray(hosts->entries, room, sizeof(*entries));

		if (!entries)
			return;
		hosts->entries = entries;
		hosts->room = room;
	}
	hosts->entries[hosts->count].address = *address;
	hosts->entries[hosts->count].name = strdup(name);
	hosts->count += hosts->entries[hosts->count].name != NULL;
}

static void parse_line(struct net_hosts *hosts, char *line)
{
	static const char blanks[] = " \t\r\n";
	struct in6_addr address;
	char *rest = line;
	char *word;

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, blanks, &rest);
	if (!word || !parse_address(word, &address))
		return;
	while ((word = strtok_r(NULL, blanks, &rest)))
		add(hosts, &address, word);
}

struct net_hosts *net_hosts_new(const char *path)
{
	struct net_hosts *hosts = calloc(1, sizeof(*hosts));
	AUTO_FILE FILE *file = fopen(path, "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;

	while (hosts && file && getline(&line, &size, file) >= 0)
		parse_line(hosts, line);
	return hosts;
}

static bool is_localhost(const char *name)
{
	static const char suffix[] = ".localhost";
	const size_t len = strlen(name);

	return !strcmp(name, suffix + 1) ||
	       (len > strlen(suffix) && !strcmp(name + len - strlen(suffix), suffix));
}

static bool is_loopback(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LOOPBACK(address) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

size_t net_hosts_addresses(const struct net_hosts *hosts, const char *name, struct in6_addr *ret,
			   size_t max)
{
	static const struct in6_addr v4 = {.s6_addr = {[10] = 0xff, 0xff, 127, 0, 0, 1}};
	size_t count = 0;

	for (size_t i = 0; i < hosts->count && count < max; i++)
		if (!strcmp(hosts->entries[i].name, name))
			ret[count++] = hosts->entries[i].address;
	if (count > 0 || max < 2 || !is_localhost(name))
		return count;
	ret[0] = v4;
	ret[1] = in6addr_loopback;
	return 2;
}

bool net_hosts_find_name(const struct net_hosts *hosts, const struct in6_addr *address,
			 bool (*found)(const char *name, void *context), void *context)
{
	bool done = false;

	for (size_t i = 0; i < hosts->count && !done; i++)
		if (!memcmp(&hosts->entries[i].address, address, sizeof(*address)))
			done = found(hosts->entries[i].name, context);
	return done || (is_loopback(address) && found("localhost", context));
}
