/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that change what is known of a file: mode, owner, times, extended attributes; truncate. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "core/cleanup.h"
#include "supervisor/file.h"
#include "supervisor/handlers.h"
#include "supervisor/tracee.h"

/* What is changed: an object that a path names, or an open file. */
struct subject {
	struct object object;
	char path[PATH_MAX];            /* as the tool wrote it; empty: a descriptor */
	char proc_path[PROC_FD_PATH_MAX]; /* leads to the object, whatever it is */
};

#define SUBJECT_INIT {.object = OBJECT_INIT}

static void subject_release(struct subject *subject)
{
	object_release(&subject->object);
}
#define AUTO_SUBJECT __attribute__((cleanup(subject_release)))

static bool permit(struct call *call, enum access_op op, struct subject *subject,
		   struct reply *reply)
{
	object_proc_path(subject->object.fd, subject->proc_path);
	return file_permit(call, op, &subject->object, subject->path[0] ? subject->path : NULL, 0,
			   reply);
}

/* Takes what the path at `addr` leads to; `flags` are AT_*, `known` those that the call knows. */
static bool take_path(struct call *call, enum access_op op, int dirfd, uint64_t addr, int flags,
		      int known, struct subject *ret, struct reply *reply)
{
	int follow = 0;
	int error;

	if (flags & ~known) {
		*reply = reply_error(EINVAL);
		return false;
	}
	if (file_read_path(call, addr, ret->path, reply) < 0)
		return false;
	if (flags & AT_SYMLINK_NOFOLLOW)
		follow |= RESOLVE_LAST_NOFOLLOW;
	if (flags & AT_EMPTY_PATH)
		follow |= RESOLVE_EMPTY_PATH;
	error = resolve_object(call, dirfd, ret->path, follow, 0, &ret->object);
	if (error < 0) {
		*reply = file_unresolved(call, op, &ret->object, ret->path, error);
		return false;
	}
	return permit(call, op, ret, reply);
}

/* Takes the open file itself: what it may not be used for (O_PATH), the kernel says. */
static bool take_file(struct call *call, enum access_op op, int fd, struct subject *ret,
		      struct reply *reply)
{
	int error = resolve_open_file(call, fd, &ret->object);

	ret->path[0] = '\0';
	if (error < 0) {
		*reply = tracee_failed(call, error);
		return false;
	}
	return permit(call, op, ret, reply);
}

/* --------------------------------------------------------------------------------- mode */

static struct reply do_chmod(struct call *call, int dirfd, uint64_t path, mode_t mode, int flags)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;

	if (!take_path(call, OP_ATTR, dirfd, path, flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
		       &subject, &reply))
		return reply;
	return reply_result(chmod(subject.proc_path, mode));
}

struct reply handle_chmod(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_chmod(call, AT_FDCWD, args[0], (mode_t)args[1], 0);
}

struct reply handle_fchmodat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_chmod(call, (int)args[0], args[1], (mode_t)args[2], 0);
}

struct reply handle_fchmodat2(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_chmod(call, (int)args[0], args[1], (mode_t)args[2], (int)args[3]);
}

struct reply handle_fchmod(struct call *call)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;

	if (!take_file(call, OP_ATTR, (int)call->request.args[0], &subject, &reply))
		return reply;
	return reply_result(fchmod(subject.object.fd, (mode_t)call->request.args[1]));
}

/* -------------------------------------------------------------------------------- owner */

struct owner {
	uid_t uid;
	gid_t gid;
};

static struct reply do_chown(struct call *call, int dirfd, uint64_t path, struct owner owner,
			     int flags)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;

	if (!take_path(call, OP_ATTR, dirfd, path, flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
		       &subject, &reply))
		return reply;
	return reply_result(chown(subject.proc_path, owner.uid, owner.gid));
}

struct reply handle_chown(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_chown(call, AT_FDCWD, args[0],
			(struct owner){(uid_t)args[1], (gid_t)args[2]}, 0);
}

struct reply handle_lchown(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_chown(call, AT_FDCWD, args[0],
			(struct owner){(uid_t)args[1], (gid_t)args[2]}, AT_SYMLINK_NOFOLLOW);
}

struct reply handle_fchownat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_chown(call, (int)args[0], args[1],
			(struct owner){(uid_t)args[2], (gid_t)args[3]}, (int)args[4]);
}

struct reply handle_fchown(struct call *call)
{
	const uint64_t *args = call->request.args;
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;

	if (!take_file(call, OP_ATTR, (int)args[0], &subject, &reply))
		return reply;
	return reply_result(fchown(subject.object.fd, (uid_t)args[1], (gid_t)args[2]));
}

/* -------------------------------------------------------------------------------- times */

/* Sets the times of what dirfd and path name; a NULL path is dirfd itself (utimensat(2)). `times`
 * NULL: now. */
static struct reply do_utimens(struct call *call, int dirfd, uint64_t path,
			       const struct timespec *times, int flags)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;

	if (!path && dirfd != AT_FDCWD) {
		if (flags)
			return reply_error(EINVAL);
		if (!take_file(call, OP_ATTR, dirfd, &subject, &reply))
			return reply;
		return reply_result(futimens(subject.object.fd, times));
	}
	if (!take_path(call, OP_ATTR, dirfd, path, flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
		       &subject, &reply))
		return reply;
	return reply_result(utimensat(AT_FDCWD, subject.proc_path, times, 0));
}

struct reply handle_utimensat(struct call *call)
{
	const uint64_t *args = call->request.args;
	struct timespec times[2];
	int error;

	if (!args[2])
		return do_utimens(call, (int)args[0], args[1], NULL, (int)args[3]);
	error = tracee_read(call, args[2], times, sizeof(times));
	if (error < 0)
		return tracee_failed(call, error);
	return do_utimens(call, (int)args[0], args[1], times, (int)args[3]);
}

/* utimes(2) and futimesat(2): microseconds. */
static struct reply do_utimes(struct call *call, int dirfd, uint64_t path, uint64_t addr)
{
	struct timespec times[2];
	struct timeval values[2];
	int error;

	if (!addr)
		return do_utimens(call, dirfd, path, NULL, 0);
	error = tracee_read(call, addr, values, sizeof(values));
	if (error < 0)
		return tracee_failed(call, error);
	for (int i = 0; i < 2; i++) {
		if (values[i].tv_usec < 0 || values[i].tv_usec >= 1000000)
			return reply_error(EINVAL);
		times[i] = (struct timespec){values[i].tv_sec, values[i].tv_usec * 1000};
	}
	return do_utimens(call, dirfd, path, times, 0);
}

struct reply handle_utimes(struct call *call)
{
	return do_utimes(call, AT_FDCWD, call->request.args[0], call->request.args[1]);
}

struct reply handle_futimesat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_utimes(call, (int)args[0], args[1], args[2]);
}

struct reply handle_utime(struct call *call)
{
	const uint64_t *args = call->request.args;
	struct timespec times[2] = {{0}};
	struct utimbuf values;
	int error;

	if (!args[1])
		return do_utimens(call, AT_FDCWD, args[0], NULL, 0);
	error = tracee_read(call, args[1], &values, sizeof(values));
	if (error < 0)
		return tracee_failed(call, error);
	times[0].tv_sec = values.actime;
	times[1].tv_sec = values.modtime;
	return do_utimens(call, AT_FDCWD, args[0], times, 0);
}

/* ------------------------------------------------------------------- size of a named file */

struct reply handle_truncate(struct call *call)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;

	if ((int64_t)call->request.args[1] < 0)
		return reply_error(EINVAL);
	if (!take_path(call, OP_MODIFY, AT_FDCWD, call->request.args[0], 0, 0, &subject, &reply))
		return reply;
	return reply_result(truncate(subject.proc_path, (off_t)call->request.args[1]));
}

/* ------------------------------------------------------------------- extended attributes */

/* xattr(7): the name, and for setting the value, copied once. */
struct attribute {
	char name[XATTR_NAME_MAX + 1];
	void *value; /* owned */
	size_t size;
	int flags;
};

static void attribute_release(struct attribute *attribute)
{
	cleanup_free(&attribute->value);
}
#define AUTO_ATTRIBUTE __attribute__((cleanup(attribute_release)))

/* Operands as in setxattr(2) after the path. 0 or a negative errno of the call. */
static int take_attribute(struct call *call, bool with_value, struct attribute *ret)
{
	const uint64_t *args = call->request.args;
	ssize_t len = tracee_read_string(call, args[1], ret->name, sizeof(ret->name));
	int error;

	if (len == -ENAMETOOLONG || len == 0)
		return -ERANGE;
	if (len < 0 || !with_value)
		return len < 0 ? (int)len : 0;
	ret->size = args[3];
	ret->flags = (int)args[4];
	if (ret->flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (ret->size > XATTR_SIZE_MAX)
		return -E2BIG;
	if (ret->size == 0)
		return 0;
	ret->value = malloc(ret->size);
	if (!ret->value)
		return -ENOMEM;
	error = tracee_read(call, args[2], ret->value, ret->size);
	return error;
}

static struct reply attribute_failed(struct call *call, int error)
{
	if (error == -ERANGE || error == -E2BIG || error == -ENOMEM)
		return reply_error(-error);
	return tracee_failed(call, error);
}

static struct reply do_xattr(struct call *call, bool set, bool by_file, int flags)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	AUTO_ATTRIBUTE struct attribute attribute = {.value = NULL};
	const uint64_t *args = call->request.args;
	struct reply reply;
	int error = take_attribute(call, set, &attribute);

	if (error < 0)
		return attribute_failed(call, error);
	if (by_file) {
		if (!take_file(call, OP_ATTR, (int)args[0], &subject, &reply))
			return reply;
		return reply_result(set ? fsetxattr(subject.object.fd, attribute.name,
						    attribute.value, attribute.size,
						    attribute.flags)
					: fremovexattr(subject.object.fd, attribute.name));
	}
	if (!take_path(call, OP_ATTR, AT_FDCWD, args[0], flags, AT_SYMLINK_NOFOLLOW, &subject,
		       &reply))
		return reply;
	return reply_result(set ? setxattr(subject.proc_path, attribute.name, attribute.value,
					   attribute.size, attribute.flags)
				: removexattr(subject.proc_path, attribute.name));
}

struct reply handle_setxattr(struct call *call)
{
	return do_xattr(call, true, false, 0);
}

struct reply handle_lsetxattr(struct call *call)
{
	return do_xattr(call, true, false, AT_SYMLINK_NOFOLLOW);
}

struct reply handle_fsetxattr(struct call *call)
{
	return do_xattr(call, true, true, 0);
}

struct reply handle_removexattr(struct call *call)
{
	return do_xattr(call, false, false, 0);
}

struct reply handle_lremovexattr(struct call *call)
{
	return do_xattr(call, false, false, AT_SYMLINK_NOFOLLOW);
}

struct reply handle_fremovexattr(struct call *call)
{
	return do_xattr(call, false, true, 0);
}
