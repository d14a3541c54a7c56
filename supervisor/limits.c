/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/limits.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/memory_files.h"
#include "supervisor/tree_use.h"

/* How fast a tree comes closer to a limit at most: that long nobody needs to look. */
enum {
	BYTES_PER_NS = 4, /* a page takes a processor about a microsecond */
	SHORTEST_NS = 10 * 1000 * 1000,
	LONGEST_NS = 500 * 1000 * 1000,
};

static const enum policy_limit_kind kinds[] = {LIMIT_CPU, LIMIT_MEMORY, LIMIT_DISK};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

struct limits {
	const struct policy_limit *limits[KIND_COUNT]; /* NULL: not set */
	int timer; /* -1: no limit is set */
	const struct policy_limit *disk;
	atomic_ullong reserved; /* bytes of disk; see limits_reserve() */
	int own_io;
	struct memory_files *files;
	uint64_t processors;
	uint64_t segments; /* bytes that one of this process id left behind once */
};

const char *limit_name(enum policy_limit_kind kind)
{
	switch (kind) {
	case LIMIT_WALL:
		return "wall";
	case LIMIT_CPU:
		return "cpu";
	case LIMIT_MEMORY:
		return "memory";
	case LIMIT_PROCESSES:
		return "processes";
	case LIMIT_OPEN_FILES:
		return "open_files";
	case LIMIT_FILE_SIZE:
		return "file_size";
	case LIMIT_DISK:
		return "disk";
	case LIMIT_OUTPUT:
		return "output";
	case LIMIT_COUNT:
		break;
	}
	return "";
}

int limits_new(const struct policy *policy, struct limits **ret, struct error *err)
{
	struct limits *limits = calloc(1, sizeof(*limits));
	bool any = false;

	*ret = limits;
	if (!limits)
		return error_set(err, ENOMEM, "limits");
	limits->timer = -1;
	limits->own_io = -1;
	limits->processors = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	for (size_t i = 0; i < KIND_COUNT; i++) {
		limits->limits[i] = policy_limit(policy, kinds[i]);
		any = any || limits->limits[i];
	}
	limits->timer = any ? timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) : -1;
	if (any && limits->timer < 0)
		return error_set(err, errno, "limits");
	if (!policy_limit(policy, LIMIT_MEMORY) && !policy_limit(policy, LIMIT_DISK))
		return 0;
	limits->segments = tree_use_segments();
	if (limits->segments == UINT64_MAX)
		return error_set(err, errno, "limits: /proc/sysvipc/shm");
	limits->files = memory_files_new();
	if (!limits->files)
		return error_set(err, ENOMEM, "limits");
	limits->disk = policy_limit(policy, LIMIT_DISK);
	if (limits->disk)
		limits->own_io = tree_use_open();
	if (limits->disk && limits->own_io < 0)
		return error_set(err, -limits->own_io,
				 "limits.disk needs /proc/PID/io, which this kernel does not show");
	return 0;
}

void limits_free(struct limits *limits)
{
	if (!limits)
		return;
	close_fd(&limits->timer);
	close_fd(&limits->own_io);
	memory_files_free(limits->files);
	free(limits);
}

int limits_fd(const struct limits *limits)
{
	return limits->timer;
}

static void set_timer(const struct limits *limits, uint64_t ns)
{
	const struct itimerspec due = {.it_value = {.tv_nsec = (long)ns}};

	if (limits->timer >= 0)
		timerfd_settime(limits->timer, 0, &due, NULL);
}

void limits_start(struct limits *limits)
{
	set_timer(limits, SHORTEST_NS);
}

int limits_add_file(struct limits *limits, int fd)
{
	return limits->files ? memory_files_add(limits->files, fd) : 0;
}

const struct policy_limit *limits_reserve(struct limits *limits, uint64_t bytes)
{
	if (!limits->disk)
		return NULL;
	if (bytes > limits->disk->value)
		return limits->disk;
	return atomic_fetch_add(&limits->reserved, bytes) > limits->disk->value - bytes ?
		       limits->disk :
		       NULL;
}

/* What the tree uses now. */
struct use {
	struct tree_process *list;
	size_t count;
	bool unknown; /* some of it cannot be told, as where we are out of descriptors */
	struct nameless_list open;
	uint64_t segments;
	uint64_t grown;         /* files in memory, those that have a name... */
	uint64_t grown_deleted; /* ...and those of `open` that had one */
	uint64_t own_bytes;     /* see limits_passed() */
};

static uint64_t used(const struct limits *limits, const struct policy_limit *limit,
		     enum policy_limit_kind kind, const struct use *use)
{
	uint64_t written;

	/* Nobody takes that for little. */
	if (!use->list || use->unknown)
		return UINT64_MAX;
	switch (kind) {
	case LIMIT_CPU:
		return tree_use_cpu(use->list, use->count);
	case LIMIT_MEMORY:
		return tree_use_memory(use->list, use->count,
				       use->grown + use->open.bytes + use->segments,
				       limit->value);
	default:
		written = tree_use_written(use->list, use->count, limits->own_io, use->own_bytes);
		return written == UINT64_MAX ? written :
					       written + use->grown + use->grown_deleted;
	}
}

static void look(const struct limits *limits, struct use *ret)
{
	ret->count = tree_list(getpid(), &ret->list);
	/* Processor time is in the list. */
	if (!limits->files)
		return;
	ret->segments = tree_use_segments();
	ret->unknown = ret->segments == UINT64_MAX ||
		       !tree_use_nameless(ret->list, ret->count, &ret->open);
	if (ret->unknown)
		return;
	ret->segments -= limits->segments < ret->segments ? limits->segments : ret->segments;
	ret->grown = memory_files_growth(limits->files, &ret->open, &ret->grown_deleted);
}

static void use_release(struct use *use)
{
	free(use->list);
	free(use->open.files);
}

bool limits_passed(struct limits *limits, uint64_t own_bytes, enum policy_limit_kind *ret)
{
	__attribute__((cleanup(use_release))) struct use use = {.own_bytes = own_bytes};
	uint64_t pause = LONGEST_NS;

	look(limits, &use);
	for (size_t i = 0; i < KIND_COUNT; i++) {
		const struct policy_limit *limit = limits->limits[i];
		uint64_t sum;
		uint64_t left;

		if (!limit)
			continue;
		sum = used(limits, limit, kinds[i], &use);
		*ret = kinds[i];
		if (sum > limit->value)
			return true;
		left = (limit->value - sum) /
		       (kinds[i] == LIMIT_CPU ? limits->processors : BYTES_PER_NS);
		if (left < pause)
			pause = left;
	}
	set_timer(limits, pause > SHORTEST_NS ? pause : SHORTEST_NS);
	return false;
}
