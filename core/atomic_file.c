/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"

void atomic_file_close(struct atomic_file *file)
{
	close_fd(&file->dir_fd);
	close_fd(&file->fd);
	free(file->path);
	free(file->temporary);
	*file = ATOMIC_FILE_CLOSED;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			return n == 0 ? -EIO : -errno;
		}
	}
	return 0;
}

/* Away from the standard descriptors, which may be closed and would be the tool's. */
static int move_up(int fd)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	close_fd(&fd);
	return high;
}

static int open_folder(struct atomic_file *file, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	AUTO_FREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	AUTO_FREE char *real = folder ? realpath(folder, NULL) : NULL;

	if (!folder || !real)
		return folder ? -errno : -ENOMEM;
	if (!*name)
		return -EISDIR;
	if (asprintf(&file->path, "%s/%s", strcmp(real, "/") != 0 ? real : "", name) < 0) {
		file->path = NULL;
		return -ENOMEM;
	}
	file->name = strrchr(file->path, '/') + 1;
	if (asprintf(&file->temporary, ".%s.%d", file->name, getpid()) < 0) {
		file->temporary = NULL;
		return -ENOMEM;
	}
	file->dir_fd = move_up(open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (file->dir_fd < 0 || faccessat(file->dir_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return -errno;
	return 0;
}

/*
 * The name that a link at `path` leads to, also when nothing stands there. Returns it, a copy of `path`
 * where there is no link, or NULL with errno.
 */
static char *follow_links(const char *path)
{
	AUTO_FREE char *name = strdup(path);

	for (int links = 0; name; links++) {
		char target[PATH_MAX];
		const char *slash = strrchr(name, '/');
		ssize_t len = readlink(name, target, sizeof(target) - 1);
		char *next;

		if (len < 0)
			return TAKE_PTR(name);
		target[len] = '\0';
		if (links == 40) {
			errno = ELOOP;
			return NULL;
		}
		if (asprintf(&next, "%.*s%s",
			     target[0] != '/' && slash ? (int)(slash - name) + 1 : 0, name,
			     target) < 0)
			return NULL;
		free(name);
		name = next;
	}
	return NULL;
}

int atomic_file_open(struct atomic_file *ret, const char *path, struct error *err)
{
	struct atomic_file file = ATOMIC_FILE_CLOSED;
	AUTO_FREE char *target = NULL;
	struct stat st;
	int r;

	*ret = file;
	if (!*path)
		return error_set(err, ENOENT, "cannot write ''");
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* Like /dev/stdout: realpath(3) says nothing of it. A FIFO must have a reader. */
		file.fd = move_up(open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
		r = file.fd < 0 || fcntl(file.fd, F_SETFL, 0) < 0 ? -errno : 0;
	} else {
		target = follow_links(path);
		r = target ? open_folder(&file, target) : -errno;
	}
	if (r < 0) {
		atomic_file_close(&file);
		return error_set(err, -r, "cannot write '%s'", path);
	}
	*ret = file;
	return 0;
}

int atomic_file_write(const struct atomic_file *file, const void *bytes, size_t len)
{
	AUTO_CLOSE int fd = -1;
	int r;

	if (file->fd >= 0)
		return write_all(file->fd, bytes, len);
	unlinkat(file->dir_fd, file->temporary, 0);
	fd = openat(file->dir_fd, file->temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_all(fd, bytes, len);
	if (r == 0 && renameat(file->dir_fd, file->temporary, file->dir_fd, file->name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(file->dir_fd, file->temporary, 0);
	return r;
}
