/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/cleanup.h"

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

/* wchar of proc_pid_io(5). */
static uint64_t written_by(const char *path)
{
	AUTO_FILE FILE *file = fopen(path, "re");
	char line[128];
	uint64_t bytes = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "wchar: %" SCNu64, &bytes) == 1)
			break;
	}
	return bytes;
}

/*
 * A process takes over the counts of children that it waits for. So what the supervisor shows, less
 * what its own threads did, is the tree's.
 */
static uint64_t written_by_children(void)
{
	AUTO_DIR DIR *dir = opendir("/proc/self/task");
	uint64_t own = 0;
	uint64_t all;
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[sizeof("/proc/self/task//io") + sizeof(entry->d_name)];

		snprintf(path, sizeof(path), "/proc/self/task/%s/io", entry->d_name);
		if (entry->d_name[0] != '.')
			own += written_by(path);
	}
	all = written_by("/proc/self/io");
	return all > own ? all - own : 0;
}

void usage_take(struct usage *ret)
{
	struct rusage used;

	*ret = (struct usage){0};
	if (getrusage(RUSAGE_CHILDREN, &used) == 0) {
		ret->user_s = seconds(&used.ru_utime);
		ret->system_s = seconds(&used.ru_stime);
		ret->max_rss_bytes = (uint64_t)used.ru_maxrss * 1024;
	}
	/* Its own /proc files are closed to a process that is not dumpable. */
	prctl(PR_SET_DUMPABLE, 1);
	ret->bytes_written = written_by_children();
}
