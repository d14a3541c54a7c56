/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/subject.h"

#include <errno.h>
#include <fcntl.h>

#include "supervisor/tracee.h"

void subject_release(struct subject *subject)
{
	object_release(&subject->object);
}

static bool permit(struct call *call, enum access_op op, struct subject *subject,
		   struct reply *reply)
{
	object_proc_path(subject->object.fd, subject->proc_path);
	return file_permit(call, op, &subject->object, subject->path[0] ? subject->path : NULL, 0,
			   reply);
}

bool subject_read_path(struct call *call, uint64_t addr, int flags, int known, bool null,
		       struct subject *ret, struct reply *reply)
{
	if (flags & ~known) {
		*reply = reply_error(EINVAL);
		return false;
	}
	ret->path[0] = '\0';
	return (null && !addr && (flags & AT_EMPTY_PATH)) ||
	       file_read_path(call, addr, ret->path, reply) == 0;
}

static int resolve(struct call *call, int dirfd, int flags, struct subject *subject)
{
	int follow = 0;

	if (flags & AT_SYMLINK_NOFOLLOW)
		follow |= RESOLVE_LAST_NOFOLLOW;
	if (flags & AT_EMPTY_PATH)
		follow |= RESOLVE_EMPTY_PATH;
	return resolve_object(call, dirfd, subject->path, follow, 0, &subject->object);
}

bool subject_resolve(struct call *call, enum access_op op, int dirfd, int flags,
		     struct subject *subject, struct reply *reply)
{
	int error = resolve(call, dirfd, flags, subject);

	if (error == 0)
		return permit(call, op, subject, reply);
	*reply = file_unresolved(call, op, &subject->object, subject->path, error);
	return false;
}

bool subject_look(struct call *call, int dirfd, int flags, struct subject *subject,
		  struct reply *reply)
{
	const struct object *object = &subject->object;
	const char *arg = subject->path[0] ? subject->path : NULL;
	int error = resolve(call, dirfd, flags, subject);

	if (error == -EACCES && object->fd >= 0) {
		*reply = file_unresolved(call, OP_READ, object, subject->path, error);
		return false;
	}
	if (error < 0 && object->name[0] != '/') {
		*reply = tracee_failed(call, error);
		return false;
	}
	object_proc_path(object->fd, subject->proc_path);
	return file_permit_look(call, object, arg, -error, reply);
}

bool subject_take_path(struct call *call, enum access_op op, int dirfd, uint64_t addr, int flags,
		       int known, struct subject *ret, struct reply *reply)
{
	return subject_read_path(call, addr, flags, known, false, ret, reply) &&
	       subject_resolve(call, op, dirfd, flags, ret, reply);
}

bool subject_is_file(const struct subject *subject, int dirfd, int flags)
{
	return !subject->path[0] && (flags & AT_EMPTY_PATH) && dirfd >= 0;
}

bool subject_take_file(struct call *call, enum access_op op, int fd, struct subject *ret,
		       struct reply *reply)
{
	int error = resolve_open_file(call, fd, &ret->object);

	ret->path[0] = '\0';
	if (error == 0)
		return permit(call, op, ret, reply);
	*reply = tracee_failed(call, error);
	return false;
}
