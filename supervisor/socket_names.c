/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/socket_names.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct name {
	ino_t inode;
	uint64_t used; /* 0: free */
	char bound[SOCKET_NAME_SIZE];
	char given[SOCKET_NAME_SIZE];
};

struct socket_names {
	pthread_mutex_t lock;
	uint64_t clock;
	struct name entries[SOCKET_NAMES_MAX];
};

struct socket_names *socket_names_new(void)
{
	struct socket_names *names = calloc(1, sizeof(*names));

	if (names)
		pthread_mutex_init(&names->lock, NULL);
	return names;
}

void socket_names_free(struct socket_names *names)
{
	if (!names)
		return;
	pthread_mutex_destroy(&names->lock);
	free(names);
}

void socket_names_put(struct socket_names *names, ino_t inode, const char *bound, const char *given)
{
	struct name *oldest = &names->entries[0];

	pthread_mutex_lock(&names->lock);
	for (size_t i = 0; i < SOCKET_NAMES_MAX; i++) {
		struct name *entry = &names->entries[i];

		if (entry->used && entry->inode == inode) { /* a number used again */
			oldest = entry;
			break;
		}
		if (entry->used < oldest->used)
			oldest = entry;
	}
	oldest->inode = inode;
	oldest->used = ++names->clock;
	snprintf(oldest->bound, sizeof(oldest->bound), "%s", bound);
	snprintf(oldest->given, sizeof(oldest->given), "%s", given);
	pthread_mutex_unlock(&names->lock);
}

bool socket_names_get(struct socket_names *names, ino_t inode, const char *bound,
		      char given[SOCKET_NAME_SIZE])
{
	struct name *found = NULL;

	pthread_mutex_lock(&names->lock);
	for (size_t i = 0; i < SOCKET_NAMES_MAX; i++) {
		struct name *entry = &names->entries[i];

		if (!entry->used || strcmp(entry->bound, bound) != 0)
			continue;
		if (!found || entry->inode == inode || entry->used > found->used)
			found = entry;
		if (entry->inode == inode)
			break;
	}
	if (found) {
		found->used = ++names->clock;
		memcpy(given, found->given, SOCKET_NAME_SIZE);
	}
	pthread_mutex_unlock(&names->lock);
	return found != NULL;
}
