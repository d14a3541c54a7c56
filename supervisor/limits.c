/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/limits.h"

#include <errno.h>
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
	int own_io;
	struct memory_files *files;
	uint64_t processors;
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

/* For the limit disk. */
static int open_disk(struct limits *limits, struct error *err)
{
	limits->files = memory_files_new();
	limits->own_io = tree_use_open();
	if (limits->own_io < 0)
		return error_set(err, -limits->own_io,
				 "limits.disk needs /proc/PID/io, which this kernel does not show");
	return limits->files ? 0 : error_set(err, ENOMEM, "limits");
}

int limits_new(const struct policy *policy, struct limits **ret, struct error *err)
{
	struct limits *limits = calloc(1, sizeof(*limits));
	bool any = false;
	int error;

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
	if (!any)
		return 0;
	if (policy_limit(policy, LIMIT_DISK) && (error = open_disk(limits, err)) < 0)
		return error;
	limits->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return limits->timer < 0 ? error_set(err, errno, "limits") : 0;
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

struct memory_files *limits_files(const struct limits *limits)
{
	return limits->files;
}

static uint64_t used(const struct limits *limits, size_t i, const struct tree_process *list,
		     size_t count, uint64_t own_bytes)
{
	struct nameless_list open;
	uint64_t use;

	if (kinds[i] == LIMIT_CPU)
		return tree_use_cpu(list, count);
	tree_use_nameless(list, count, &open);
	if (kinds[i] == LIMIT_MEMORY) {
		use = tree_use_memory(list, count, &open, limits->limits[i]->value);
	} else {
		use = tree_use_written(list, count, limits->own_io, own_bytes);
		if (use != UINT64_MAX)
			use += memory_files_growth(limits->files, &open);
	}
	free(open.files);
	return use;
}

bool limits_passed(struct limits *limits, uint64_t own_bytes, enum policy_limit_kind *ret)
{
	AUTO_FREE struct tree_process *list = NULL;
	const size_t count = tree_list(getpid(), &list);
	uint64_t pause = LONGEST_NS;

	for (size_t i = 0; i < KIND_COUNT; i++) {
		const struct policy_limit *limit = limits->limits[i];
		uint64_t use;
		uint64_t left;

		if (!limit)
			continue;
		use = used(limits, i, list, count, own_bytes);
		*ret = kinds[i];
		if (use > limit->value)
			return true;
		left = (limit->value - use) /
		       (kinds[i] == LIMIT_CPU ? limits->processors : BYTES_PER_NS);
		if (left < pause)
			pause = left;
	}
	set_timer(limits, pause > SHORTEST_NS ? pause : SHORTEST_NS);
	return false;
}
