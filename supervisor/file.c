/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

int file_read_path(struct call *call, uint64_t addr, char path[PATH_MAX], struct reply *ret)
{
	ssize_t len = tracee_read_string(call, addr, path, PATH_MAX);

	if (len >= 0)
		return 0;
	*ret = tracee_failed(call, (int)len);
	return (int)len;
}

bool file_is_own(struct call *call, const struct object *object)
{
	return object->fd >= 0 && object_is_nameless(object) &&
	       tracee_holds(call, &object->stat);
}

bool file_permit(struct call *call, enum access_op op, const struct object *object,
		 const char *arg, int missing, struct reply *ret)
{
	const struct ask ask = {
		.class = CLASS_FILE,
		.ops = {op},
		.op_count = 1,
		.path = object->name,
		.rewritten = object->rewritten,
		.own = file_is_own(call, object),
		.missing = missing,
		.arg = arg,
	};

	return call_permit(call, &ask, ret);
}

bool file_permit_look(struct call *call, const struct object *object, const char *arg, int missing,
		      struct reply *ret)
{
	const struct ask ask = {
		.class = CLASS_FILE,
		.ops = {OP_READ},
		.op_count = 1,
		.path = object->name,
		.rewritten = object->rewritten,
		.missing = missing,
		.arg = arg,
	};

	return call_permit_look(call, &ask, ret);
}

struct reply file_unresolved(struct call *call, enum access_op op, const struct object *object,
			     const char *arg, int error)
{
	const struct ask ask = {
		.class = CLASS_FILE,
		.ops = {op},
		.op_count = 1,
		.path = object->name,
		.arg = arg,
	};
	struct reply reply;

	if (error == -EACCES && object->fd >= 0) /* resolve_object() says why */
		return call_refuse(call, &ask, EACCES, "a /proc that is not the caller's");
	if (object->name[0] != '/')
		return tracee_failed(call, error);
	file_permit(call, op, object, arg, -error, &reply);
	return reply.kind == REPLY_ERROR ? reply : reply_error(-error);
}

bool file_entry_exists(const struct object *entry, struct stat *ret_stat)
{
	char name[NAME_MAX + 2];

	/* Without the trailing slash, which would follow a link; "/" is the root itself. */
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(entry->last, "/"), entry->last);
	if (!name[0])
		strcpy(name, ".");
	return fstatat(entry->parent, name, ret_stat, AT_SYMLINK_NOFOLLOW) == 0;
}

int file_take_umask(struct call *call)
{
	const int known = atomic_load(&call->session->umask);
	struct proc_status status;
	int error;

	if (known >= 0) {
		umask((mode_t)known);
		return 0;
	}
	error = proc_status(call->session, call->request.tid, &status);
	if (error < 0)
		return error;
	umask(status.umask);
	return 0;
}

/* tty_nr of proc_pid_stat(5) -> device -> its name in /dev (Documentation/admin-guide/devices.txt). */
static int tty_path(dev_t tty, char *path, size_t size)
{
	enum { TTY_MAJOR = 4, PTS_FIRST = 136, PTS_LAST = 143, SERIAL_FIRST = 64 };
	const unsigned int class = major(tty);
	const unsigned int number = minor(tty);

	if (class >= PTS_FIRST && class <= PTS_LAST)
		snprintf(path, size, "/dev/pts/%u", number + (class - PTS_FIRST) * 256);
	else if (class == TTY_MAJOR && number < SERIAL_FIRST)
		snprintf(path, size, "/dev/tty%u", number);
	else if (class == TTY_MAJOR)
		snprintf(path, size, "/dev/ttyS%u", number - SERIAL_FIRST);
	else
		return -ENXIO;
	return 0;
}

/* proc_pid_stat(5): tty_nr. */
static int tty_device(const struct call *call, dev_t *ret)
{
	struct proc_stat process;
	unsigned int nr;
	int error = proc_stat(call->session, call->request.tid, &process);

	if (error < 0)
		return error;
	if (process.tty == 0)
		return -ENXIO;
	nr = (unsigned int)process.tty;
	*ret = makedev(nr >> 8 & 0xfff, (nr & 0xff) | (nr >> 12 & 0xfff00));
	return 0;
}

int file_tty_path(const struct call *call, char *path, size_t size)
{
	dev_t tty;
	int error = tty_device(call, &tty);

	return error < 0 ? error : tty_path(tty, path, size);
}

int file_open_tty(struct call *call, int flags)
{
	AUTO_CLOSE int fd = -1;
	struct stat stat;
	char path[32];
	dev_t tty;
	int error = tty_device(call, &tty);

	if (error == 0)
		error = tty_path(tty, path, sizeof(path));
	if (error < 0)
		return error;
	fd = open(path, flags | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) < 0 || !S_ISCHR(stat.st_mode) || stat.st_rdev != tty)
		return -ENXIO;
	return TAKE_FD(fd);
}
