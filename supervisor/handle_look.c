/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that only look at a name, notified where names are hidden or rewritten: stat, access,
 * readlink and their like. What they say is what the kernel says of the pinned object. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "supervisor/handlers.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/names.h"
#include "supervisor/session.h"
#include "supervisor/subject.h"
#include "supervisor/tracee.h"

/* Writes what the call returns through a pointer, if `result` is no error. */
static struct reply give(struct call *call, int64_t result, uint64_t addr, const void *data,
			 size_t size)
{
	int error;

	if (result < 0)
		return reply_error(errno);
	error = tracee_write(call, addr, data, size);
	return error < 0 ? tracee_failed(call, error) : reply_value(result);
}

/* True when nothing but the empty path is wrong with a call that was tried with one. */
static bool only_empty(long result, struct reply *reply)
{
	if (result == 0 || errno == ENOENT)
		return true;
	*reply = reply_error(errno);
	return false;
}

/* --------------------------------------------------------------------------------- stat */

struct looked_at {
	int dirfd;
	uint64_t path;
	int flags;     /* AT_* */
	uint64_t out;
};

static struct reply do_stat(struct call *call, const struct looked_at *look)
{
	const int sync = look->flags & (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC);
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;
	struct stat stat;

	if (!only_empty(syscall(SYS_newfstatat, AT_FDCWD, "", &stat, look->flags & ~AT_EMPTY_PATH),
			&reply) ||
	    !subject_read_path(call, look->path, look->flags, look->flags, true, &subject, &reply) ||
	    !subject_look(call, look->dirfd, look->flags, &subject, &reply))
		return reply;
	return give(call, syscall(SYS_newfstatat, subject.object.fd, "", &stat, AT_EMPTY_PATH | sync),
		    look->out, &stat, sizeof(stat));
}

struct reply handle_stat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_stat(call, &(struct looked_at){AT_FDCWD, args[0], 0, args[1]});
}

struct reply handle_lstat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_stat(call, &(struct looked_at){AT_FDCWD, args[0], AT_SYMLINK_NOFOLLOW, args[1]});
}

struct reply handle_newfstatat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_stat(call,
		       &(struct looked_at){(int)args[0], args[1], (int)args[3], args[2]});
}

struct reply handle_statx(struct call *call)
{
	const uint64_t *args = call->request.args;
	const int flags = (int)args[2];
	const unsigned int mask = (unsigned int)args[3];
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct statx found;
	struct reply reply;

	memset(&found, 0, sizeof(found));
	if (!only_empty(syscall(SYS_statx, AT_FDCWD, "", flags & ~AT_EMPTY_PATH, mask, &found),
			&reply) ||
	    !subject_read_path(call, args[1], flags, flags, true, &subject, &reply) ||
	    !subject_look(call, (int)args[0], flags, &subject, &reply))
		return reply;
	return give(call,
		    syscall(SYS_statx, subject.object.fd, "",
			    AT_EMPTY_PATH | (flags & AT_STATX_SYNC_TYPE), mask, &found),
		    args[4], &found, sizeof(found));
}

/* statfs(2) */
struct reply handle_statfs(struct call *call)
{
	const uint64_t *args = call->request.args;
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct statfs found;
	struct reply reply;

	if (!subject_read_path(call, args[0], 0, 0, false, &subject, &reply) ||
	    !subject_look(call, AT_FDCWD, 0, &subject, &reply))
		return reply;
	return give(call, fstatfs(subject.object.fd, &found), args[1], &found, sizeof(found));
}

/* ------------------------------------------------------------------------------- access */

static struct reply do_access(struct call *call, int dirfd, uint64_t path, int mode, int flags)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;
	long result;

	result = flags ? syscall(SYS_faccessat2, AT_FDCWD, "", mode, flags & ~AT_EMPTY_PATH)
		       : syscall(SYS_faccessat, AT_FDCWD, "", mode);
	if (!only_empty(result, &reply) ||
	    !subject_read_path(call, path, flags, flags, false, &subject, &reply) ||
	    !subject_look(call, dirfd, flags, &subject, &reply))
		return reply;
	return reply_result(flags & AT_EACCESS
				    ? syscall(SYS_faccessat2, AT_FDCWD, subject.proc_path, mode,
					      AT_EACCESS)
				    : syscall(SYS_faccessat, AT_FDCWD, subject.proc_path, mode));
}

struct reply handle_access(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_access(call, AT_FDCWD, args[0], (int)args[1], 0);
}

struct reply handle_faccessat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_access(call, (int)args[0], args[1], (int)args[2], 0);
}

struct reply handle_faccessat2(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_access(call, (int)args[0], args[1], (int)args[2], (int)args[3]);
}

/* ----------------------------------------------------------------------------- readlink */

/* What the link says to the caller: "self" is its own, and a place is shown by the caller's name. */
static ssize_t link_text(struct call *call, const struct object *link, char text[PATH_MAX])
{
	struct session *session = call->session;
	ssize_t len;

	if (!strcmp(link->name, "/proc/self"))
		return snprintf(text, PATH_MAX, "%d", call_tgid(call));
	if (!strcmp(link->name, "/proc/thread-self"))
		return snprintf(text, PATH_MAX, "%d/task/%d", call_tgid(call), call->request.tid);
	len = readlinkat(link->fd, "", text, PATH_MAX - 1);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	if (link->stat.st_dev == session->proc_dev && names_given(session, text))
		return (ssize_t)strlen(text);
	return len;
}

static struct reply do_readlink(struct call *call, int dirfd, uint64_t path, uint64_t out, int size)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	const int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
	char text[PATH_MAX];
	struct reply reply;
	ssize_t len;

	if (size <= 0)
		return reply_error(EINVAL);
	if (!subject_read_path(call, path, flags, flags, false, &subject, &reply) ||
	    !subject_look(call, dirfd, flags, &subject, &reply))
		return reply;
	if (!S_ISLNK(subject.object.stat.st_mode))
		return reply_error(subject.path[0] ? EINVAL : ENOENT);
	len = link_text(call, &subject.object, text);
	if (len < 0)
		return reply_error((int)-len);
	len = len < size ? len : size;
	return give(call, len, out, text, (size_t)len);
}

struct reply handle_readlink(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_readlink(call, AT_FDCWD, args[0], args[1], (int)args[2]);
}

struct reply handle_readlinkat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_readlink(call, (int)args[0], args[1], args[2], (int)args[3]);
}

/* ------------------------------------------------------------------------------ handles */

/* name_to_handle_at(2); open_by_handle_at(2) is refused. */
struct reply handle_name_to_handle_at(struct call *call)
{
	enum { HEADER = sizeof(struct file_handle), UNIQUE_ID = 1 /* AT_HANDLE_MNT_ID_UNIQUE */ };
	const uint64_t *args = call->request.args;
	const int flags = (int)args[4];
	const int follow = (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW) |
			   (flags & AT_EMPTY_PATH);
	union {
		struct file_handle handle;
		char bytes[HEADER + MAX_HANDLE_SZ];
	} found = {.bytes = {0}};
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	uint64_t mount = 0;
	struct reply reply;
	int error;
	long result;

	if (!only_empty(syscall(SYS_name_to_handle_at, AT_FDCWD, "", &found, &mount,
				flags & ~AT_EMPTY_PATH),
			&reply) ||
	    !subject_read_path(call, args[1], follow, follow, false, &subject, &reply) ||
	    !subject_look(call, (int)args[0], follow, &subject, &reply))
		return reply;
	error = tracee_read(call, args[2], &found, HEADER);
	if (error < 0)
		return tracee_failed(call, error);
	if (found.handle.handle_bytes > MAX_HANDLE_SZ)
		return reply_error(EINVAL);
	result = syscall(SYS_name_to_handle_at, subject.object.fd, "", &found, &mount,
			 (flags & ~AT_SYMLINK_FOLLOW) | AT_EMPTY_PATH);
	if (result < 0 && errno != EOVERFLOW)
		return reply_error(errno);
	reply = result < 0 ? reply_error(errno) : reply_value(0);
	error = tracee_write(call, args[2], &found,
			     HEADER + (result < 0 ? 0 : found.handle.handle_bytes));
	if (error == 0)
		error = tracee_write(call, args[3], &mount,
				     flags & UNIQUE_ID ? sizeof(mount) : sizeof(int));
	return error < 0 ? tracee_failed(call, error) : reply;
}
