/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/exec_digest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "core/cleanup.h"
#include "supervisor/session.h"

enum {
	CACHE_MAX = 4096,
	/* A file's times are those of the last clock tick, at worst 10 ms ago; NFS and FAT: seconds. */
	SETTLE_SECONDS = 3,
};

/* Contents as far as stat(2) tells them apart. */
struct version {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
	struct timespec modified;
};

struct remembered {
	struct version version;
	char hex[DIGEST_HEX_SIZE];
	UT_hash_handle hh;
};

struct digest_cache {
	pthread_mutex_t lock;
	struct remembered *files;
};

struct digest_cache *digest_cache_new(void)
{
	struct digest_cache *cache = calloc(1, sizeof(*cache));

	if (cache)
		pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

static struct version version_of(const struct stat *stat)
{
	struct version version;

	memset(&version, 0, sizeof(version));
	version.dev = stat->st_dev;
	version.ino = stat->st_ino;
	version.size = stat->st_size;
	version.changed = stat->st_ctim;
	version.modified = stat->st_mtim;
	return version;
}

static bool same_version(const struct stat *a, const struct stat *b)
{
	const struct version one = version_of(a);
	const struct version other = version_of(b);

	return !memcmp(&one, &other, sizeof(one));
}

static bool recall(struct digest_cache *cache, const struct stat *stat, char hex[DIGEST_HEX_SIZE])
{
	const struct version version = version_of(stat);
	struct remembered *found;

	pthread_mutex_lock(&cache->lock);
	HASH_FIND(hh, cache->files, &version, sizeof(version), found);
	if (found)
		memcpy(hex, found->hex, DIGEST_HEX_SIZE);
	pthread_mutex_unlock(&cache->lock);
	return found != NULL;
}

static void forget_all(struct digest_cache *cache)
{
	struct remembered *file;
	struct remembered *next;

	HASH_ITER(hh, cache->files, file, next) {
		HASH_DEL(cache->files, file);
		free(file);
	}
}

static void remember(struct digest_cache *cache, const struct stat *stat,
		     const char hex[DIGEST_HEX_SIZE])
{
	const struct version version = version_of(stat);
	struct remembered *found;

	pthread_mutex_lock(&cache->lock);
	if (HASH_COUNT(cache->files) >= CACHE_MAX)
		forget_all(cache);
	HASH_FIND(hh, cache->files, &version, sizeof(version), found);
	if (!found) {
		found = calloc(1, sizeof(*found));
		if (found) {
			found->version = version;
			memcpy(found->hex, hex, DIGEST_HEX_SIZE);
			HASH_ADD(hh, cache->files, version, sizeof(version), found);
		}
	}
	pthread_mutex_unlock(&cache->lock);
}

static bool is_settled(const struct stat *stat)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return stat->st_ctim.tv_sec + SETTLE_SECONDS < now.tv_sec;
}

static int open_contents(struct session *session, int fd)
{
	char number[16];
	int copy;

	snprintf(number, sizeof(number), "%d", fd);
	copy = openat(session->self_fds, number, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return copy < 0 ? -errno : copy;
}

int program_digest_make(struct session *session, int fd, struct program_digest *ret)
{
	struct program_digest made;
	AUTO_CLOSE int contents = -1;
	struct stat after;
	int error;

	if (fstat(fd, &made.stat) < 0)
		return -errno;
	if (!S_ISREG(made.stat.st_mode))
		return -EACCES;
	made.settled = is_settled(&made.stat);
	if (!made.settled || !recall(session->digests, &made.stat, made.hex)) {
		contents = open_contents(session, fd);
		if (contents < 0)
			return contents;
		error = digest_hex_of_file(contents, made.hex);
		if (error < 0)
			return error;
		if (fstat(fd, &after) < 0 || !same_version(&made.stat, &after))
			return -EBUSY;
		if (made.settled)
			remember(session->digests, &made.stat, made.hex);
	}
	*ret = made;
	return 0;
}

/* execve(2): ETXTBSY. A kernel that does not deny writing to what runs (6.11, 6.12) lets us open it
 * for that, and then a lease tells whether somebody else has it open so. */
static bool is_kept(struct session *session, int fd)
{
	AUTO_CLOSE int writer = -1;
	AUTO_CLOSE int contents = -1;
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	writer = openat(session->self_fds, number, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (writer < 0)
		return errno == ETXTBSY || errno == EACCES || errno == EPERM || errno == EROFS;
	close_fd(&writer);
	contents = open_contents(session, fd);
	if (contents < 0 || fcntl(contents, F_SETLEASE, F_RDLCK) < 0)
		return false;
	fcntl(contents, F_SETLEASE, F_UNLCK);
	return true;
}

bool program_digest_holds(struct session *session, int fd, const struct program_digest *digest)
{
	struct program_digest now;
	struct stat stat;

	if (!is_kept(session, fd) || fstat(fd, &stat) < 0)
		return false;
	if (digest->settled && same_version(&stat, &digest->stat))
		return true;
	return program_digest_make(session, fd, &now) == 0 && !strcmp(now.hex, digest->hex);
}
