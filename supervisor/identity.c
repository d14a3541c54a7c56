/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

#include "core/cleanup.h"
#include "supervisor/actor.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum { PRUNE_FIRST = 16384 };

struct image {
	uint64_t key; /* where the stack starts; see image_key() */
	uint64_t exec_id;
	uint64_t parent_exec_id;
	bool live;
	UT_hash_handle hh;
};

struct identity {
	pthread_mutex_t lock;
	struct image *images;
	uint64_t last_id;
	unsigned int prune_at;
};

struct identity *identity_new(void)
{
	struct identity *identity = calloc(1, sizeof(*identity));

	if (identity) {
		pthread_mutex_init(&identity->lock, NULL);
		identity->prune_at = PRUNE_FIRST;
	}
	return identity;
}

void identity_free(struct identity *identity)
{
	struct image *image;
	struct image *next;

	if (!identity)
		return;
	HASH_ITER(hh, identity->images, image, next) {
		HASH_DEL(identity->images, image);
		free(image);
	}
	pthread_mutex_destroy(&identity->lock);
	free(identity);
}

/* A process that hides its memory map from us is told apart by when it began. */
static uint64_t image_key(const struct proc_stat *stat, pid_t pid)
{
	if (stat->start_stack)
		return stat->start_stack;
	return (1ULL << 63) | (uint64_t)pid << 40 | (stat->start_time & ((1ULL << 40) - 1));
}

/* Forgets images that no process has any more. Called with the lock held. */
static void prune(struct session *session, struct identity *identity)
{
	AUTO_DIR DIR *dir = opendir("/proc");
	const struct dirent *entry;
	struct image *image;
	struct image *next;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = (pid_t)atoi(entry->d_name);
		struct proc_stat stat;
		uint64_t key;

		if (pid <= 0 || proc_stat(session, pid, &stat) < 0)
			continue;
		key = image_key(&stat, pid);
		HASH_FIND(hh, identity->images, &key, sizeof(key), image);
		if (image)
			image->live = true;
	}
	HASH_ITER(hh, identity->images, image, next) {
		if (!image->live) { /* cppcheck-suppress uninitvar */
			HASH_DEL(identity->images, image);
			free(image);
		} else {
			image->live = false;
		}
	}
	identity->prune_at = HASH_COUNT(identity->images) + PRUNE_FIRST;
}

/* Called with the lock held. */
static struct image *add(struct session *session, uint64_t key, uint64_t parent)
{
	struct identity *identity = session->identity;
	struct image *image;

	HASH_FIND(hh, identity->images, &key, sizeof(key), image);
	if (!image) {
		if (HASH_COUNT(identity->images) >= identity->prune_at)
			prune(session, identity);
		image = calloc(1, sizeof(*image));
		if (!image)
			return NULL;
		image->key = key;
		HASH_ADD(hh, identity->images, key, sizeof(image->key), image);
	}
	image->exec_id = ++identity->last_id;
	image->parent_exec_id = parent;
	return image;
}

uint64_t identity_exec(struct session *session, pid_t pid, uint64_t parent_exec_id)
{
	struct identity *identity = session->identity;
	struct proc_stat stat;
	struct image *image;
	uint64_t id;

	if (proc_stat(session, pid, &stat) < 0)
		return 0;
	pthread_mutex_lock(&identity->lock);
	image = add(session, image_key(&stat, pid), parent_exec_id);
	id = image ? image->exec_id : 0;
	pthread_mutex_unlock(&identity->lock);
	return id;
}

uint64_t identity_of(struct session *session, pid_t pid, uint64_t *ret_parent)
{
	struct proc_stat stat;

	*ret_parent = 0;
	return proc_stat(session, pid, &stat) < 0 ? 0
						  : identity_known(session, pid, &stat, ret_parent);
}

uint64_t identity_known(struct session *session, pid_t pid, const struct proc_stat *stat,
			uint64_t *ret_parent)
{
	struct identity *identity = session->identity;
	const uint64_t key = image_key(stat, pid);
	struct image *image;
	uint64_t id = 0;

	*ret_parent = 0;
	pthread_mutex_lock(&identity->lock);
	HASH_FIND(hh, identity->images, &key, sizeof(key), image);
	/* Execs that the policy leaves in the kernel are first seen here. */
	if (!image)
		image = add(session, key, 0);
	if (image) {
		id = image->exec_id;
		*ret_parent = image->parent_exec_id;
	}
	pthread_mutex_unlock(&identity->lock);
	return id;
}

uint64_t identity_count(struct identity *identity)
{
	uint64_t count;

	pthread_mutex_lock(&identity->lock);
	count = identity->last_id;
	pthread_mutex_unlock(&identity->lock);
	return count;
}
