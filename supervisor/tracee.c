/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/session.h"

enum { STRUCT_MAX = 4096 }; /* the kernel takes no more than a page */

int tracee_read(struct call *call, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = {.iov_base = buf, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)addr, .iov_len = len};
	ssize_t got;

	if (len == 0)
		return 0;
	got = process_vm_readv(call->request.tid, &local, 1, &remote, 1, 0);
	if (got == (ssize_t)len)
		return 0;
	return got < 0 ? -errno : -EFAULT;
}

int tracee_read_struct(struct call *call, uint64_t addr, uint64_t size, void *ret, size_t known)
{
	unsigned char bytes[STRUCT_MAX];
	int error;

	if (size < known)
		return -EINVAL;
	if (size > sizeof(bytes))
		return -E2BIG;
	error = tracee_read(call, addr, bytes, size);
	if (error < 0)
		return error;
	memcpy(ret, bytes, known);
	for (size_t i = known; i < size; i++) {
		if (bytes[i])
			return -E2BIG;
	}
	return 0;
}

int tracee_write(struct call *call, uint64_t addr, const void *buf, size_t len)
{
	struct iovec local = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)addr, .iov_len = len};
	ssize_t put;

	if (len == 0)
		return 0;
	put = process_vm_writev(call->request.tid, &local, 1, &remote, 1, 0);
	if (put == (ssize_t)len)
		return 0;
	return put < 0 ? -errno : -EFAULT;
}

/* process_vm_readv(2) transfers whole iovec elements: one element a page, so that a string that
 * ends before an unmapped page is read up to there. */
static ssize_t read_string(struct call *call, uint64_t addr, char *buf, size_t size)
{
	const size_t page = 4096;
	struct iovec remote[3];
	struct iovec local = {.iov_base = buf, .iov_len = size};
	unsigned int pieces = 0;
	size_t left = size;
	ssize_t got;
	size_t len;

	for (; left && pieces < 3; pieces++) {
		size_t piece = page - addr % page;

		piece = piece < left ? piece : left;
		remote[pieces].iov_base = (void *)(uintptr_t)addr;
		remote[pieces].iov_len = piece;
		addr += piece;
		left -= piece;
	}
	got = process_vm_readv(call->request.tid, &local, 1, remote, pieces, 0);
	if (got < 0)
		return -errno;
	len = strnlen(buf, (size_t)got);
	if (len < (size_t)got)
		return (ssize_t)len;
	return (size_t)got == size ? -ENAMETOOLONG : -EFAULT;
}

ssize_t tracee_read_string(struct call *call, uint64_t addr, char *buf, size_t size)
{
	enum { MOSTLY_ENOUGH = 256 };
	ssize_t len;

	if (size > MOSTLY_ENOUGH) {
		len = read_string(call, addr, buf, MOSTLY_ENOUGH);
		if (len != -ENAMETOOLONG)
			return len;
	}
	return read_string(call, addr, buf, size);
}

ssize_t tracee_read_long(struct call *call, uint64_t addr, char *buf, size_t size)
{
	const size_t page = 4096;
	size_t done = 0;

	while (done < size) {
		size_t piece = page - (addr + done) % page;
		const char *end;
		int error;

		piece = piece < size - done ? piece : size - done;
		error = tracee_read(call, addr + done, buf + done, piece);
		if (error < 0)
			return error;
		end = memchr(buf + done, '\0', piece);
		if (end)
			return end - buf;
		done += piece;
	}
	return -ENAMETOOLONG;
}

const char **tracee_read_argv(struct call *call, uint64_t addr)
{
	enum { ARGS_MAX = 256, ARG_SIZE = 4096, BYTES_MAX = 64 * 1024 };
	const size_t table = (ARGS_MAX + 1) * sizeof(char *);
	const char **args = malloc(table + BYTES_MAX);
	char *next = (char *)args + table;
	size_t left = BYTES_MAX;
	size_t count = 0;

	while (args && count < ARGS_MAX && left > 1) {
		uint64_t string = 0;
		size_t room = left < ARG_SIZE ? left : ARG_SIZE;
		ssize_t len;

		if (tracee_read(call, addr + count * sizeof(string), &string, sizeof(string)) < 0 ||
		    !string)
			break;
		len = tracee_read_string(call, string, next, room);
		if (len == -ENAMETOOLONG) {
			len = (ssize_t)room - 1;
			next[len] = '\0';
		}
		if (len < 0)
			break;
		args[count++] = next;
		next += len + 1;
		left -= (size_t)len + 1;
	}
	if (args)
		args[count] = NULL;
	return args;
}

/* By what is kept. -ESRCH: that is another thread, or was. */
static int getfd_by_kept(struct session *session, pid_t tid, int fd)
{
	int copy = -ESRCH;

	pthread_rwlock_rdlock(&session->kept_lock);
	if (session->kept_pidfd >= 0 && session->kept_tid == tid) {
		copy = pidfd_getfd(session->kept_pidfd, fd, 0);
		copy = copy < 0 ? -errno : copy;
	}
	pthread_rwlock_unlock(&session->kept_lock);
	return copy;
}

static void keep(struct session *session, pid_t tid, int pidfd)
{
	pthread_rwlock_wrlock(&session->kept_lock);
	close_fd(&session->kept_pidfd);
	session->kept_pidfd = pidfd;
	session->kept_tid = tid;
	pthread_rwlock_unlock(&session->kept_lock);
}

/* Where a thread can be named as such. */
static int getfd_of_thread(struct call *call, int fd)
{
	const pid_t tid = call->request.tid;
	int copy = getfd_by_kept(call->session, tid, fd);
	int pidfd;

	if (copy != -ESRCH)
		return copy;
	pidfd = pidfd_open(tid, PIDFD_THREAD);
	if (pidfd < 0)
		return -errno;
	copy = pidfd_getfd(pidfd, fd, 0);
	if (copy < 0)
		copy = -errno;
	keep(call->session, tid, pidfd);
	return copy;
}

int tracee_getfd(struct call *call, int fd)
{
	AUTO_CLOSE int pidfd = -1;
	pid_t pid;
	int copy;

	if (fd < 0)
		return -EBADF;
	if (call->session->host.pidfd_thread)
		return getfd_of_thread(call, fd);
	pid = call_tgid(call);
	if (pid == 0)
		return -ESRCH;
	/* A thread may have a descriptor table of its own (CLONE_FILES left out); without
	 * PIDFD_THREAD only the leader's can be reached, so make sure that it is the same. */
	if (pid != call->request.tid &&
	    syscall(SYS_kcmp, pid, call->request.tid, 2 /* KCMP_FILES */, 0, 0) != 0)
		return -EPERM;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		return -errno;
	copy = pidfd_getfd(pidfd, fd, 0);
	return copy < 0 ? -errno : copy;
}

int tracee_open_path(struct call *call, int fd)
{
	char path[64];
	int pinned;

	if (fd == AT_FDCWD)
		snprintf(path, sizeof(path), "%d/cwd", call->request.tid);
	else if (fd >= 0)
		snprintf(path, sizeof(path), "%d/fd/%d", call->request.tid, fd);
	else
		return -EBADF;
	pinned = openat(call->session->proc, path, O_PATH | O_CLOEXEC);
	if (pinned >= 0)
		return pinned;
	if (errno == ENOENT && fd != AT_FDCWD)
		return -EBADF;
	return -errno;
}

int tracee_open_folder(struct call *call, int fd)
{
	/* Faster than through /proc. */
	if (fd >= 0 && call->session->host.pidfd_thread)
		return getfd_of_thread(call, fd);
	return tracee_open_path(call, fd);
}

static bool is_open_in(struct call *call, int folder, const char *number, const struct stat *object)
{
	AUTO_CLOSE int copy = -1;
	struct stat stat;

	if (fstatat(folder, number, &stat, 0) < 0 || stat.st_ino != object->st_ino ||
	    stat.st_dev != object->st_dev)
		return false;
	copy = tracee_getfd(call, atoi(number));
	return copy >= 0 && !(fcntl(copy, F_GETFL) & O_PATH);
}

bool tracee_holds(struct call *call, const struct stat *object)
{
	AUTO_DIR DIR *dir = NULL;
	const struct dirent *entry;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "%d/fd", call->request.tid);
	fd = openat(call->session->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir)
		close(fd);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' &&
		    is_open_in(call, dirfd(dir), entry->d_name, object))
			return true;
	}
	return false;
}

struct reply tracee_failed(struct call *call, int error)
{
	const struct ask ask = {
		.class = call->row->class,
		.ops = {call->row->op},
		.op_count = 1,
	};

	switch (error) {
	case -EFAULT:
	case -EBADF:
	case -ENAMETOOLONG:
	case -ENOTDIR:
	case -ENOENT:
	case -EINVAL:
		return reply_error(-error);
	default:
		if (!call_valid(call))
			return reply_none();
		return call_refuse(call, &ask, EACCES, "the caller cannot be read");
	}
}

bool tracee_is_alone(const struct call *call)
{
	struct stat stat;
	char path[32];

	snprintf(path, sizeof(path), "%d/task", call->request.tid);
	/* "." and "..", and one for each thread */
	return !atomic_load(&call->session->files_shared) &&
	       fstatat(call->session->proc, path, &stat, 0) == 0 && stat.st_nlink == 3;
}
