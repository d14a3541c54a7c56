/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/canonical.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/path.h"

struct walk {
	char done[PATH_MAX];     /* resolved so far; "" is the root */
	size_t done_len;
	char rest[2 * PATH_MAX]; /* still to go */
	int links;
	struct canonical_cache *cache; /* NULL: none */
};

static bool is_known_no_link(struct canonical_cache *cache, const char *path, size_t len);

static bool is_process_folder(const char *path)
{
	if (strncmp(path, "/proc/", 6) != 0)
		return false;
	path += 6;
	return isdigit((unsigned char)*path) || !strcmp(path, "self") ||
	       !strcmp(path, "thread-self") || !strncmp(path, "self/", 5) ||
	       !strncmp(path, "thread-self/", 12);
}

static void drop_last(struct walk *walk)
{
	while (walk->done_len > 0 && walk->done[--walk->done_len] != '/')
		;
	walk->done[walk->done_len] = '\0';
}

/* Puts the target of a link before what is still to go. */
static int push_link(struct walk *walk, const char *target)
{
	char joined[2 * PATH_MAX];

	if (++walk->links > PATH_LINKS_MAX)
		return -ELOOP;
	if ((size_t)snprintf(joined, sizeof(joined), "%s/%s", target, walk->rest) >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(walk->rest, joined, strlen(joined) + 1);
	if (*target == '/')
		walk->done_len = 0;
	else
		drop_last(walk);
	walk->done[walk->done_len] = '\0';
	return 0;
}

static int step(struct walk *walk, const char *name, size_t len, bool follow)
{
	char target[PATH_MAX];
	ssize_t target_len;

	if (len == 0 || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		drop_last(walk);
		return 0;
	}
	if (walk->done_len + 1 + len >= sizeof(walk->done))
		return -ENAMETOOLONG;
	walk->done[walk->done_len++] = '/';
	memcpy(walk->done + walk->done_len, name, len);
	walk->done_len += len;
	walk->done[walk->done_len] = '\0';
	if (!follow || is_process_folder(walk->done) ||
	    (walk->cache && is_known_no_link(walk->cache, walk->done, walk->done_len)))
		return 0;
	target_len = readlink(walk->done, target, sizeof(target) - 1);
	if (target_len <= 0)
		return 0;
	target[target_len] = '\0';
	return push_link(walk, target);
}

/*
 * True when there is certainly no symbolic link on the way, nor at the end: the kernel finds that
 * out in one call. What is missing has none either.
 */
static bool has_no_link(const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	struct stat stat;
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	bool is_link;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR;
	is_link = fstat(fd, &stat) < 0 || S_ISLNK(stat.st_mode);
	close(fd);
	return !is_link;
}

/* Absolute, without "//", ".", ".." and a trailing '/'. */
static bool is_plain(const char *path)
{
	for (const char *slash = path; *slash; slash += strcspn(slash, "/")) {
		const char *name = ++slash;
		const size_t len = strcspn(name, "/");

		if (len == 0 || (len <= 2 && !strncmp(name, "..", len)))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------- the cache */

/* What stands at a name none of whose folders is a link. */
enum found { FOUND_NOTHING_YET, FOUND_LINK, FOUND_OTHER, FOUND_MISSING };

struct cached {
	const char *name;
	size_t len;
	uint64_t hash;
	enum found found;
};

struct canonical_cache {
	struct memory *memory;
	struct cached *slots;
	size_t slot_count;
	size_t used;
};

#define HASH_START UINT64_C(14695981039346656037)

struct canonical_cache *canonical_cache_new(struct memory *memory)
{
	struct canonical_cache *cache = memory_alloc(memory, sizeof(*cache));

	cache->memory = memory;
	cache->slot_count = 256;
	cache->slots = memory_alloc(memory, cache->slot_count * sizeof(*cache->slots));
	return cache;
}

static struct cached *find_slot(const struct canonical_cache *cache, const char *name, size_t len,
				uint64_t hash)
{
	size_t at = hash & (cache->slot_count - 1);

	for (; cache->slots[at].found; at = (at + 1) & (cache->slot_count - 1))
		if (cache->slots[at].hash == hash && cache->slots[at].len == len &&
		    !memcmp(cache->slots[at].name, name, len))
			break;
	return &cache->slots[at];
}

static void grow(struct canonical_cache *cache)
{
	const struct cached *old = cache->slots;
	const size_t old_count = cache->slot_count;

	cache->slot_count *= 2;
	cache->slots = memory_alloc(cache->memory, cache->slot_count * sizeof(*cache->slots));
	for (size_t i = 0; i < old_count; i++)
		if (old[i].found)
			*find_slot(cache, old[i].name, old[i].len, old[i].hash) = old[i];
}

/* `name` ends in a NUL. What cannot be looked at is left to the slow way. */
static enum found look(const char *name)
{
	char target[1];

	if (readlink(name, target, sizeof(target)) >= 0)
		return FOUND_LINK;
	if (errno == EINVAL)
		return FOUND_OTHER;
	return errno == ENOENT || errno == ENOTDIR ? FOUND_MISSING : FOUND_LINK;
}

static enum found look_cached(struct canonical_cache *cache, const char *name, size_t len,
			      uint64_t hash)
{
	struct cached *slot = find_slot(cache, name, len, hash);

	if (slot->found)
		return slot->found;
	if (2 * ++cache->used >= cache->slot_count) {
		grow(cache);
		slot = find_slot(cache, name, len, hash);
	}
	slot->name = memory_strndup(cache->memory, name, len);
	slot->len = len;
	slot->hash = hash;
	slot->found = look(slot->name);
	return slot->found;
}

static uint64_t hash_path(uint64_t hash, const char *path, size_t len)
{
	for (size_t i = 0; i < len; i++) /* FNV-1a */
		hash = (hash ^ (unsigned char)path[i]) * UINT64_C(1099511628211);
	return hash;
}

/* None of the folders of the path is a link. */
static bool is_known_no_link(struct canonical_cache *cache, const char *path, size_t len)
{
	return look_cached(cache, path, len, hash_path(HASH_START, path, len)) != FOUND_LINK;
}

/* As has_no_link(), with what is known of the folders on the way. */
static bool is_known_plain(struct canonical_cache *cache, const char *path)
{
	uint64_t hash = HASH_START;

	for (size_t len = 0; path[len];) {
		const size_t start = len++;
		enum found found;

		len += strcspn(path + len, "/");
		if (len == 1)
			return true;
		hash = hash_path(hash, path + start, len - start);
		found = look_cached(cache, path, len, hash);
		if (found != FOUND_OTHER)
			return found == FOUND_MISSING;
	}
	return true;
}

/* ---------------------------------------------------------------------------- paths */

static int follow(struct canonical_cache *cache, const char *path, enum canonical_last last,
		  char ret[PATH_MAX])
{
	struct walk walk;

	walk.done[0] = '\0';
	walk.done_len = 0;
	walk.links = 0;
	walk.cache = cache;
	memcpy(walk.rest, path, strlen(path) + 1);
	while (walk.rest[0]) {
		char name[PATH_MAX];
		size_t len = strcspn(walk.rest, "/");
		size_t next = len + strspn(walk.rest + len, "/");
		bool is_last = walk.rest[next] == '\0';
		int result;

		if (len >= sizeof(name))
			return -ENAMETOOLONG;
		memcpy(name, walk.rest, len);
		memmove(walk.rest, walk.rest + next, strlen(walk.rest + next) + 1);
		result = step(&walk, name, len, last == CANONICAL_FOLLOW || !is_last);
		if (result < 0)
			return result;
	}
	if (walk.done_len == 0)
		walk.done[walk.done_len++] = '/';
	memcpy(ret, walk.done, walk.done_len);
	ret[walk.done_len] = '\0';
	return 0;
}

int canonical_path_cached(struct canonical_cache *cache, const char *path,
			  enum canonical_last last, char ret[PATH_MAX])
{
	if (*path != '/')
		return -EINVAL;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (is_plain(path) && strncmp(path, "/proc", 5) != 0 &&
	    (cache ? is_known_plain(cache, path) : has_no_link(path))) {
		memcpy(ret, path, strlen(path) + 1);
		return 0;
	}
	return follow(cache, path, last, ret);
}

int canonical_path(const char *path, enum canonical_last last, char ret[PATH_MAX])
{
	return canonical_path_cached(NULL, path, last, ret);
}
