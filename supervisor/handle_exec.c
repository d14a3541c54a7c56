/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* execve, execveat */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "core/cleanup.h"
#include "supervisor/exec.h"
#include "supervisor/file.h"
#include "supervisor/handlers.h"
#include "supervisor/image.h"
#include "supervisor/mapping.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum {
	SCRIPT_DEPTH = 5, /* fs/exec.c: interpreters that are scripts themselves */
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
 * The dynamic loader is mapped by the kernel, with the program: it is asked about as a library. One
 * that is missing, the kernel has its own error for.
 */
static bool permit_loader(struct call *call, const char *loader, struct reply *reply)
{
	AUTO_OBJECT struct object object = OBJECT_INIT;

	return resolve_object(call, AT_FDCWD, loader, 0, 0, &object) < 0 ||
	       mapping_permit(call, object.name, loader, reply);
}

/*
 * Decides on `object` and every interpreter behind it. True: *object is the image that the kernel
 * will run, *ret_script (owned by the caller) the script it was started for, or -1.
 */
static bool permit_chain(struct call *call, struct object *object, const char *arg,
			 int *ret_script, struct reply *reply)
{
	struct image image;

	for (unsigned int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		struct ask ask = ask_exec(call, object, arg);
		struct object next = OBJECT_INIT;
		int error;

		if (!call_permit(call, &ask, reply))
			return false;
		image_read(call->session, object, &image);
		if (image.kind == IMAGE_LOADED)
			return permit_loader(call, image.helper, reply);
		if (image.kind != IMAGE_SCRIPT)
			return true;
		error = resolve_object(call, AT_FDCWD, image.helper, 0, 0, &next);
		if (error < 0) {
			*reply = unresolved(call, &next, image.helper, error);
			object_release(&next);
			return false;
		}
		if (*ret_script < 0)
			*ret_script = TAKE_FD(object->fd);
		object_release(object);
		*object = next;
		arg = image.helper;
	}
	*reply = reply_error(ELOOP);
	return false;
}

static struct reply do_exec(struct call *call, int dirfd, uint64_t path_addr, int flags)
{
	AUTO_OBJECT struct object object = OBJECT_INIT;
	AUTO_CLOSE int script = -1;
	struct exec_plan *plan;
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
	plan = exec_plan_new();
	if (!plan)
		return reply_error(ENOMEM);
	plan->image = TAKE_FD(object.fd);
	plan->script = TAKE_FD(script);
	return reply_exec(plan);
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
