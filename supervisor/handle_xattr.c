/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes (xattr(7)) and inode attributes, set and removed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/handlers.h"
#include "supervisor/host.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/subject.h"
#include "supervisor/tracee.h"

/* The name, and for setting the value, copied once. */
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

/* What is set or removed where. */
struct change {
	bool set;
	int dirfd; /* or the descriptor itself */
	bool by_file;
	uint64_t path;
	int flags; /* AT_* */
	uint64_t name;
	struct kernel_xattr_args args; /* for setting */
};

/* Copies name and value, in the order in which the kernel finds fault. 0 or a negative errno of the
 * call. */
static int take_attribute(struct call *call, const struct change *change, struct attribute *ret)
{
	ssize_t len;

	ret->size = change->args.size;
	ret->flags = (int)change->args.flags;
	if (change->set && (ret->flags & ~(XATTR_CREATE | XATTR_REPLACE)))
		return -EINVAL;
	len = tracee_read_string(call, change->name, ret->name, sizeof(ret->name));
	if (len == -ENAMETOOLONG || len == 0)
		return -ERANGE;
	if (len < 0 || !change->set || ret->size == 0)
		return len < 0 ? (int)len : 0;
	if (ret->size > XATTR_SIZE_MAX)
		return -E2BIG;
	ret->value = malloc(ret->size);
	if (!ret->value)
		return -ENOMEM;
	return tracee_read(call, change->args.value, ret->value, ret->size);
}

static struct reply attribute_failed(struct call *call, int error)
{
	if (error == -ERANGE || error == -E2BIG || error == -ENOMEM)
		return reply_error(-error);
	return tracee_failed(call, error);
}

static struct reply change_file(const struct change *change, const struct attribute *attribute,
				int fd)
{
	return reply_result(change->set ? fsetxattr(fd, attribute->name, attribute->value,
						    attribute->size, attribute->flags)
					: fremovexattr(fd, attribute->name));
}

static struct reply change_path(const struct change *change, const struct attribute *attribute,
				const char *path)
{
	return reply_result(change->set ? setxattr(path, attribute->name, attribute->value,
						   attribute->size, attribute->flags)
					: removexattr(path, attribute->name));
}

/* An empty path that counts from the working folder is EBADF in some kernels for removing (not for
 * setting); asked with a name that no folder has an attribute of. */
static bool takes_no_folder(const struct subject *subject, const struct change *change)
{
	return !change->set && !subject->path[0] && (change->flags & AT_EMPTY_PATH) &&
	       change->dirfd == AT_FDCWD &&
	       syscall(PROCTOR_SYS_removexattrat, AT_FDCWD, "", AT_EMPTY_PATH, "none") < 0 &&
	       errno == EBADF;
}

static struct reply do_xattr(struct call *call, const struct change *change)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	AUTO_ATTRIBUTE struct attribute attribute = {.value = NULL};
	struct reply reply;
	int error;

	if (change->flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return reply_error(EINVAL);
	error = take_attribute(call, change, &attribute);
	if (error < 0)
		return attribute_failed(call, error);
	if (change->by_file) {
		if (!subject_take_file(call, OP_ATTR, change->dirfd, &subject, &reply))
			return reply;
		return change_file(change, &attribute, subject.object.fd);
	}
	if (!subject_read_path(call, change->path, change->flags, change->flags, true, &subject,
			       &reply))
		return reply;
	/* An empty path is the open file, which an O_PATH descriptor is not. */
	if (subject_is_file(&subject, change->dirfd, change->flags)) {
		if (!subject_take_file(call, OP_ATTR, change->dirfd, &subject, &reply))
			return reply;
		return change_file(change, &attribute, subject.object.fd);
	}
	if (takes_no_folder(&subject, change))
		return reply_error(EBADF);
	if (!subject_resolve(call, OP_ATTR, change->dirfd, change->flags, &subject, &reply))
		return reply;
	return change_path(change, &attribute, subject.proc_path);
}

/* setxattr(2) and its like: path, name, value, size, flags; removexattr(2): path, name. */
static struct reply by_name(struct call *call, bool set, bool by_file, int flags)
{
	const uint64_t *args = call->request.args;
	struct change change = {
		.set = set,
		.dirfd = by_file ? (int)args[0] : AT_FDCWD,
		.by_file = by_file,
		.path = args[0],
		.flags = flags,
		.name = args[1],
	};

	if (set) {
		const uint64_t size = args[3];

		change.args = (struct kernel_xattr_args){
			.value = args[2],
			.size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
			.flags = (uint32_t)args[4],
		};
	}
	return do_xattr(call, &change);
}

struct reply handle_setxattr(struct call *call)
{
	return by_name(call, true, false, 0);
}

struct reply handle_lsetxattr(struct call *call)
{
	return by_name(call, true, false, AT_SYMLINK_NOFOLLOW);
}

struct reply handle_fsetxattr(struct call *call)
{
	return by_name(call, true, true, 0);
}

struct reply handle_removexattr(struct call *call)
{
	return by_name(call, false, false, 0);
}

struct reply handle_lremovexattr(struct call *call)
{
	return by_name(call, false, false, AT_SYMLINK_NOFOLLOW);
}

struct reply handle_fremovexattr(struct call *call)
{
	return by_name(call, false, true, 0);
}

/* setxattrat(2), 6.13: dirfd, path, flags, name, struct xattr_args, size */
struct reply handle_setxattrat(struct call *call)
{
	const uint64_t *args = call->request.args;
	struct change change = {
		.set = true,
		.dirfd = (int)args[0],
		.path = args[1],
		.flags = (int)args[2],
		.name = args[3],
	};
	int error;

	if (!host_has_call(PROCTOR_SYS_setxattrat))
		return reply_error(ENOSYS);
	error = tracee_read_struct(call, args[4], args[5], &change.args, sizeof(change.args));
	if (error < 0)
		return attribute_failed(call, error);
	return do_xattr(call, &change);
}

/* removexattrat(2), 6.13: dirfd, path, flags, name */
struct reply handle_removexattrat(struct call *call)
{
	const uint64_t *args = call->request.args;

	if (!host_has_call(PROCTOR_SYS_removexattrat))
		return reply_error(ENOSYS);
	return do_xattr(call, &(struct change){
				      .dirfd = (int)args[0],
				      .path = args[1],
				      .flags = (int)args[2],
				      .name = args[3],
			      });
}

/* file_setattr(2), 6.17: what FS_IOC_FSSETXATTR sets, by path: dirfd, path, struct file_attr, size,
 * flags */
struct reply handle_file_setattr(struct call *call)
{
	const uint64_t *args = call->request.args;
	const int flags = (int)args[4];
	const int nr = PROCTOR_SYS_file_setattr;
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct kernel_file_attr attr;
	struct reply reply;
	int error;

	if (!host_has_call(nr))
		return reply_error(ENOSYS);
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return reply_error(EINVAL);
	error = tracee_read_struct(call, args[2], args[3], &attr, sizeof(attr));
	if (error < 0)
		return attribute_failed(call, error);
	/* What the kernel finds wrong in the attributes comes before the path. */
	if (syscall(nr, AT_FDCWD, "", &attr, sizeof(attr), 0) < 0 && errno == EINVAL)
		return reply_error(EINVAL);
	if (!subject_read_path(call, args[1], flags, flags, true, &subject, &reply))
		return reply;
	if (subject_is_file(&subject, (int)args[0], flags)) {
		if (!subject_take_file(call, OP_ATTR, (int)args[0], &subject, &reply))
			return reply;
		return reply_result(syscall(nr, subject.object.fd, "", &attr, sizeof(attr),
					    AT_EMPTY_PATH));
	}
	if (!subject_resolve(call, OP_ATTR, (int)args[0], flags, &subject, &reply))
		return reply;
	return reply_result(syscall(nr, AT_FDCWD, subject.proc_path, &attr, sizeof(attr), 0));
}
