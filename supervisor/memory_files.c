/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/memory_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/cleanup.h"

struct memory_file {
	struct file_id id;
	uint64_t before; /* bytes when it was first opened */
	int fd;          /* O_PATH: its size can be asked for, and its number is not given again */
	struct memory_file *next;
};

struct memory_files {
	pthread_mutex_t lock;
	void *by_id; /* tsearch(3) */
	struct memory_file *first;
};

struct memory_files *memory_files_new(void)
{
	struct memory_files *files = calloc(1, sizeof(*files));

	if (files)
		pthread_mutex_init(&files->lock, NULL);
	return files;
}

static int by_id(const void *left, const void *right)
{
	const struct memory_file *a = left;
	const struct memory_file *b = right;

	return file_id_compare(&a->id, &b->id);
}

static void forget(struct memory_files *files, struct memory_file *file)
{
	tdelete(file, &files->by_id, by_id);
	close(file->fd);
	free(file);
}

void memory_files_free(struct memory_files *files)
{
	if (!files)
		return;
	while (files->first) {
		struct memory_file *file = files->first;

		files->first = file->next;
		forget(files, file);
	}
	pthread_mutex_destroy(&files->lock);
	free(files);
}

/* The last quarter of our descriptors is for other work: without any, nothing could be looked at. */
static bool is_spare(int fd)
{
	return fd >= sysconf(_SC_OPEN_MAX) / 4 * 3;
}

static int note(struct memory_files *files, int fd, const struct stat *stat)
{
	struct memory_file key = {.id = {stat->st_dev, stat->st_ino}};
	struct memory_file *file;
	char path[32];

	if (tfind(&key, &files->by_id, by_id))
		return 0;
	file = malloc(sizeof(*file));
	if (!file)
		return -ENOMEM;
	*file = key;
	file->before = file_bytes(stat);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file->fd = open(path, O_PATH | O_CLOEXEC);
	if (file->fd < 0 || is_spare(file->fd) || !tsearch(file, &files->by_id, by_id)) {
		const int error = file->fd < 0 ? errno : is_spare(file->fd) ? EMFILE : ENOMEM;

		close_fd(&file->fd);
		free(file);
		return -error;
	}
	file->next = files->first;
	files->first = file;
	return 0;
}

int memory_files_add(struct memory_files *files, int fd)
{
	struct statfs system;
	struct stat stat;
	int error;

	if (fstat(fd, &stat) < 0 || fstatfs(fd, &system) < 0)
		return -errno;
	if (!S_ISREG(stat.st_mode) || system.f_type != TMPFS_MAGIC)
		return 0;
	pthread_mutex_lock(&files->lock);
	error = note(files, fd, &stat);
	pthread_mutex_unlock(&files->lock);
	return error;
}

static uint64_t growth(const struct memory_file *file, const struct stat *stat)
{
	return file_bytes(stat) > file->before ? file_bytes(stat) - file->before : 0;
}

uint64_t memory_files_growth(struct memory_files *files, const struct nameless_list *open,
			     uint64_t *ret_deleted)
{
	struct memory_file **link;
	uint64_t named = 0;

	*ret_deleted = 0;
	pthread_mutex_lock(&files->lock);
	link = &files->first;
	while (*link) {
		struct memory_file *file = *link;
		struct stat stat;
		const bool known = fstat(file->fd, &stat) == 0;

		if (!known || (!stat.st_nlink && !nameless_list_has(open, &file->id))) {
			*link = file->next;
			forget(files, file);
			continue;
		}
		*(stat.st_nlink ? &named : ret_deleted) += growth(file, &stat);
		link = &file->next;
	}
	pthread_mutex_unlock(&files->lock);
	return named;
}
