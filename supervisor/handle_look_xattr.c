/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes and inode attributes, looked at by name: see handle_look.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/handlers.h"
#include "supervisor/host.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/subject.h"
#include "supervisor/tracee.h"

/* getxattr(2) with a name, listxattr(2) without. */
struct inquiry {
	int dirfd;
	uint64_t path;
	int flags; /* AT_* */
	bool named;
	uint64_t name;
	uint64_t out;
	size_t size;
};

/* An open file, where an empty path stands for one: then nothing is looked at by name. */
static bool is_open_file(struct call *call, int dirfd, int flags, struct subject *subject,
			 struct reply *reply)
{
	int error;

	if (!subject_is_file(subject, dirfd, flags))
		return false;
	error = resolve_open_file(call, dirfd, &subject->object);
	*reply = error < 0 ? tracee_failed(call, error) : reply_none();
	return true;
}

/* For these calls an empty path is a descriptor's open file in any case, and the working folder none, in
 * the kernels that we know; asked all the same. */
static bool takes_no_folder(void)
{
	return syscall(PROCTOR_SYS_listxattrat, AT_FDCWD, "", AT_EMPTY_PATH, NULL, 0) < 0 &&
	       errno == EBADF;
}

static ssize_t inquire_file(const struct inquiry *inquiry, int fd, const char *name, void *out,
			    size_t size)
{
	return inquiry->named ? fgetxattr(fd, name, out, size) : flistxattr(fd, out, size);
}

static ssize_t inquire(const struct inquiry *inquiry, const char *path, const char *name, void *out,
		       size_t size)
{
	return inquiry->named ? getxattr(path, name, out, size) : listxattr(path, out, size);
}

static struct reply do_inquire(struct call *call, const struct inquiry *inquiry)
{
	const size_t size = inquiry->size < XATTR_SIZE_MAX ? inquiry->size : XATTR_SIZE_MAX;
	const int known = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	char name[XATTR_NAME_MAX + 1] = "";
	AUTO_FREE char *out = NULL;
	struct reply reply;
	ssize_t len = 1;
	bool by_file;
	int error;

	if (inquiry->flags & ~known)
		return reply_error(EINVAL);
	if (inquiry->named)
		len = tracee_read_string(call, inquiry->name, name, sizeof(name));
	if (len == -ENAMETOOLONG || len == 0)
		return reply_error(ERANGE);
	if (len < 0)
		return tracee_failed(call, (int)len);
	if (!subject_read_path(call, inquiry->path, inquiry->flags, known, true, &subject, &reply))
		return reply;
	by_file = is_open_file(call, inquiry->dirfd, inquiry->flags, &subject, &reply);
	if (by_file && reply.kind != REPLY_NONE)
		return reply;
	if (!by_file && !subject.path[0] && (inquiry->flags & AT_EMPTY_PATH) && takes_no_folder())
		return reply_error(EBADF);
	if (!by_file && !subject_look(call, inquiry->dirfd, inquiry->flags, &subject, &reply))
		return reply;
	out = malloc(size + 1);
	if (!out)
		return reply_error(ENOMEM);
	len = by_file ? inquire_file(inquiry, subject.object.fd, name, out, size)
		      : inquire(inquiry, subject.proc_path, name, out, size);
	if (len < 0)
		return reply_error(errno);
	error = size ? tracee_write(call, inquiry->out, out, (size_t)len) : 0;
	return error < 0 ? tracee_failed(call, error) : reply_value(len);
}

static struct reply by_name(struct call *call, bool named, int flags)
{
	const uint64_t *args = call->request.args;

	return do_inquire(call, &(struct inquiry){
					.dirfd = AT_FDCWD,
					.path = args[0],
					.flags = flags,
					.named = named,
					.name = args[1],
					.out = args[named ? 2 : 1],
					.size = args[named ? 3 : 2],
				});
}

struct reply handle_getxattr(struct call *call)
{
	return by_name(call, true, 0);
}

struct reply handle_lgetxattr(struct call *call)
{
	return by_name(call, true, AT_SYMLINK_NOFOLLOW);
}

struct reply handle_listxattr(struct call *call)
{
	return by_name(call, false, 0);
}

struct reply handle_llistxattr(struct call *call)
{
	return by_name(call, false, AT_SYMLINK_NOFOLLOW);
}

/* getxattrat(2), 6.13: dirfd, path, flags, name, struct xattr_args, size */
struct reply handle_getxattrat(struct call *call)
{
	const uint64_t *args = call->request.args;
	struct kernel_xattr_args operands;
	int error;

	if (!host_has_call(PROCTOR_SYS_getxattrat))
		return reply_error(ENOSYS);
	error = tracee_read_struct(call, args[4], args[5], &operands, sizeof(operands));
	if (error == -E2BIG || error == -EINVAL)
		return reply_error(-error);
	if (error < 0)
		return tracee_failed(call, error);
	if (operands.flags)
		return reply_error(EINVAL);
	return do_inquire(call, &(struct inquiry){
					.dirfd = (int)args[0],
					.path = args[1],
					.flags = (int)args[2],
					.named = true,
					.name = args[3],
					.out = operands.value,
					.size = operands.size,
				});
}

/* listxattrat(2), 6.13: dirfd, path, flags, list, size */
struct reply handle_listxattrat(struct call *call)
{
	const uint64_t *args = call->request.args;

	if (!host_has_call(PROCTOR_SYS_listxattrat))
		return reply_error(ENOSYS);
	return do_inquire(call, &(struct inquiry){
					.dirfd = (int)args[0],
					.path = args[1],
					.flags = (int)args[2],
					.out = args[3],
					.size = args[4],
				});
}

/* file_getattr(2), 6.17: dirfd, path, struct file_attr, size, flags */
struct reply handle_file_getattr(struct call *call)
{
	const uint64_t *args = call->request.args;
	const int flags = (int)args[4];
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct kernel_file_attr attr = {0};
	struct reply reply;
	long result;
	int error;

	if (!host_has_call(PROCTOR_SYS_file_getattr))
		return reply_error(ENOSYS);
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return reply_error(EINVAL);
	if (args[3] > 4096)
		return reply_error(E2BIG);
	if (args[3] < sizeof(attr))
		return reply_error(EINVAL);
	if (!subject_read_path(call, args[1], flags, flags, true, &subject, &reply))
		return reply;
	if (is_open_file(call, (int)args[0], flags, &subject, &reply)) {
		if (reply.kind != REPLY_NONE)
			return reply;
		result = syscall(PROCTOR_SYS_file_getattr, subject.object.fd, "", &attr,
				 sizeof(attr), AT_EMPTY_PATH);
	} else {
		if (!subject_look(call, (int)args[0], flags, &subject, &reply))
			return reply;
		result = syscall(PROCTOR_SYS_file_getattr, AT_FDCWD, subject.proc_path, &attr,
				 sizeof(attr), 0);
	}
	if (result < 0)
		return reply_error(errno);
	error = tracee_write(call, args[2], &attr, sizeof(attr));
	return error < 0 ? tracee_failed(call, error) : reply_value(0);
}
