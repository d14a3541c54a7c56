/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* execve, execveat */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/file.h"
#include "supervisor/handlers.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum {
	SCRIPT_HEAD = 256, /* BINPRM_BUF_SIZE: what the kernel reads of a file */
	SCRIPT_DEPTH = 5,  /* fs/exec.c: interpreters that are scripts themselves */
};

static struct ask ask_exec(struct call *call, const struct object *object, const char *arg)
{
	const bool at = call->row->nr == SYS_execveat;

	return (struct ask){
		.class = CLASS_EXEC,
		.ops = {OP_EXEC},
		.op_count = 1,
		.path = object->name,
		.arg = arg,
		.argv = call->request.args[at ? 2 : 1],
	};
}

static struct reply unresolved(struct call *call, const struct object *object, const char *arg,
			       int error)
{
	struct ask ask = ask_exec(call, object, arg);
	struct reply reply;

	if (object->name[0] != '/')
		return tracee_failed(call, error);
	ask.missing = -error;
	call_permit(call, &ask, &reply);
	return reply.kind == REPLY_ERROR ? reply : reply_error(-error);
}

/*
 * The interpreter of a script ("#!", execve(2)), cut out as fs/binfmt_script.c does. False for a
 * file that is no script, or that cannot be read: what really runs is verified afterwards.
 */
static bool read_interpreter(struct call *call, const struct object *object,
			     char interpreter[SCRIPT_HEAD])
{
	AUTO_CLOSE int fd = -1;
	char head[SCRIPT_HEAD + 1];
	ssize_t got;
	char *start;
	size_t len;

	if (!S_ISREG(object->stat.st_mode))
		return false;
	fd = object_open(call->session, object, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	got = pread(fd, head, SCRIPT_HEAD, 0);
	if (got < 3 || head[0] != '#' || head[1] != '!')
		return false;
	head[got] = '\0';
	start = head + 2;
	start[strcspn(start, "\n")] = '\0';
	start += strspn(start, " \t");
	len = strcspn(start, " \t");
	memcpy(interpreter, start, len);
	interpreter[len] = '\0';
	return len > 0;
}

/*
 * Decides on `object` and every interpreter behind it. True: *object is the image that the kernel
 * will run, *ret_script (owned by the caller) the script it was started for, or -1.
 */
static bool permit_chain(struct call *call, struct object *object, const char *arg,
			 int *ret_script, struct reply *reply)
{
	char interpreter[SCRIPT_HEAD];

	for (unsigned int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		struct ask ask = ask_exec(call, object, arg);
		struct object next = OBJECT_INIT;
		int error;

		if (!call_permit(call, &ask, reply))
			return false;
		if (!read_interpreter(call, object, interpreter))
			return true;
		error = resolve_object(call, AT_FDCWD, interpreter, 0, 0, &next);
		if (error < 0) {
			*reply = unresolved(call, &next, interpreter, error);
			object_release(&next);
			return false;
		}
		if (*ret_script < 0)
			*ret_script = TAKE_FD(object->fd);
		object_release(object);
		*object = next;
		arg = interpreter;
	}
	*reply = reply_error(ELOOP);
	return false;
}

static struct reply do_exec(struct call *call, int dirfd, uint64_t path_addr, int flags)
{
	AUTO_OBJECT struct object object = OBJECT_INIT;
	AUTO_CLOSE int script = -1;
	char path[PATH_MAX];
	struct reply reply;
	int follow = 0;
	int error;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return reply_error(EINVAL);
	if (file_read_path(call, path_addr, path, &reply) < 0)
		return reply;
	if (flags & AT_EMPTY_PATH)
		follow |= RESOLVE_EMPTY_PATH;
	if (flags & AT_SYMLINK_NOFOLLOW)
		follow |= RESOLVE_LAST_NOFOLLOW;
	error = resolve_object(call, dirfd, path, follow, 0, &object);
	if (error < 0)
		return unresolved(call, &object, path, error);
	if (!permit_chain(call, &object, path, &script, &reply))
		return reply;
	return reply_exec(TAKE_FD(object.fd), TAKE_FD(script));
}

struct reply handle_execve(struct call *call)
{
	return do_exec(call, AT_FDCWD, call->request.args[0], 0);
}

struct reply handle_execveat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_exec(call, (int)args[0], args[1], (int)args[4]);
}
