/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_hosts.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cleanup.h"
#include "core/host_name.h"

enum { ENTRIES_MAX = 100000 };

struct entry {
	struct in6_addr address;
	char *name;
};

struct net_hosts {
	pthread_mutex_t lock;
	const char *path;
	struct stat read; /* of the file as it was read */
	struct entry *entries;
	size_t count;
	size_t room;
};

struct net_hosts *net_hosts_new(const char *path)
{
	struct net_hosts *hosts = calloc(1, sizeof(*hosts));

	if (hosts) {
		pthread_mutex_init(&hosts->lock, NULL);
		hosts->path = path;
	}
	return hosts;
}

static void clear(struct net_hosts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++)
		free(hosts->entries[i].name);
	hosts->count = 0;
}

void net_hosts_free(struct net_hosts *hosts)
{
	if (!hosts)
		return;
	clear(hosts);
	free(hosts->entries);
	pthread_mutex_destroy(&hosts->lock);
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

static bool is_as_read(const struct net_hosts *hosts, const struct stat *stat)
{
	return stat->st_ino == hosts->read.st_ino && stat->st_size == hosts->read.st_size &&
	       stat->st_mtim.tv_sec == hosts->read.st_mtim.tv_sec &&
	       stat->st_mtim.tv_nsec == hosts->read.st_mtim.tv_nsec;
}

/* With the lock held. */
static void refresh(struct net_hosts *hosts)
{
	AUTO_FILE FILE *file = NULL;
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	struct stat now;

	if (stat(hosts->path, &now) < 0) {
		clear(hosts);
		memset(&hosts->read, 0, sizeof(hosts->read));
		return;
	}
	if (is_as_read(hosts, &now) || !S_ISREG(now.st_mode))
		return;
	file = fopen(hosts->path, "re");
	if (!file)
		return;
	clear(hosts);
	hosts->read = now;
	while (getline(&line, &size, file) >= 0)
		parse_line(hosts, line);
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

size_t net_hosts_addresses(struct net_hosts *hosts, const char *name, struct in6_addr *ret,
			   size_t max)
{
	static const struct in6_addr v4 = {.s6_addr = {[10] = 0xff, 0xff, 127, 0, 0, 1}};
	size_t count = 0;

	pthread_mutex_lock(&hosts->lock);
	refresh(hosts);
	for (size_t i = 0; i < hosts->count && count < max; i++)
		if (!strcmp(hosts->entries[i].name, name))
			ret[count++] = hosts->entries[i].address;
	pthread_mutex_unlock(&hosts->lock);
	if (count > 0 || max < 2 || !is_localhost(name))
		return count;
	ret[0] = v4;
	ret[1] = in6addr_loopback;
	return 2;
}

bool net_hosts_find_name(struct net_hosts *hosts, const struct in6_addr *address,
			 bool (*found)(const char *name, void *context), void *context)
{
	bool done = false;

	pthread_mutex_lock(&hosts->lock);
	refresh(hosts);
	for (size_t i = 0; i < hosts->count && !done; i++)
		if (!memcmp(&hosts->entries[i].address, address, sizeof(*address)))
			done = found(hosts->entries[i].name, context);
	pthread_mutex_unlock(&hosts->lock);
	return done || (is_loopback(address) && found("localhost", context));
}
