/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* execve, execveat */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "core/cleanup.h"
#include "supervisor/exec.h"
#include "supervisor/exec_redirect.h"
#include "supervisor/file.h"
#include "supervisor/handlers.h"
#include "supervisor/image.h"
#include "supervisor/kernel_abi.h"
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

/* An exec on its way through its interpreters. */
struct chain {
	struct call *call;
	struct exec_plan *plan;
	struct object object;       /* what is executed at this step */
	struct program_digest *digest; /* of it, if asked for */
	char arg[PATH_MAX];         /* its name as written */
	char to[PATH_MAX];          /* what stands in for it */
	bool interpreted;
};

/* A script's contents are read again by its interpreter: they must be such that the tool cannot change
 * them. */
static bool may_change(struct call *call, const char *name)
{
	static const enum access_op ops[] = {OP_MODIFY, OP_CREATE, OP_DELETE};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		const struct ask ask = {
			.class = CLASS_FILE,
			.ops = {ops[i]},
			.op_count = 1,
			.path = name,
		};

		if (call_would_permit(call, &ask))
			return true;
	}
	return false;
}

/* The object is replaced by what stands in for it: a name that no link leads away from. */
static bool stand_in(struct chain *chain, struct reply *reply)
{
	struct exec_plan *plan = chain->plan;
	struct object other = OBJECT_INIT;
	int error = resolve_object(chain->call, AT_FDCWD, chain->to, 0, RESOLVE_NO_SYMLINKS, &other);

	if (error < 0) {
		object_release(&other);
		*reply = reply_error(-error);
		return false;
	}
	object_release(&chain->object);
	chain->object = other;
	chain->digest->hex[0] = '\0';
	close_fd(&plan->script);
	strcpy(chain->arg, chain->to);
	free(plan->redirect);
	plan->redirect = strdup(chain->to);
	/* An interpreter is not what the tool named: it has to be given the arguments by us. */
	exec_argv_release(&plan->redirect_argv);
	if (plan->redirect && (!chain->interpreted ||
			       exec_argv_copy(&plan->redirect_argv, &plan->argv) == 0))
		return true;
	*reply = reply_error(ENOMEM);
	return false;
}

/* Asks about the step, and about what stands in for it. */
static bool permit_step(struct chain *chain, struct reply *reply)
{
	const struct policy *policy = chain->call->session->policy;
	struct ask ask = ask_exec(chain->call, &chain->object, chain->arg);
	int rewritten = 0;

	ask.exec_argv = (const char *const *)chain->plan->argv.items;
	if (policy_rewrites(policy, CLASS_EXEC) || policy_rewrites(policy, CLASS_FILE))
		rewritten = policy_rewrite_path(policy, CLASS_EXEC, chain->object.name, chain->to, NULL);
	if (rewritten > 0) {
		ask.rewritten = true;
		ask.to = chain->to;
	}
	if (call_needs_digest(chain->call, &ask) &&
	    program_digest_make(chain->call->session, chain->object.fd, chain->digest) == 0)
		ask.sha256 = chain->digest->hex;
	if (!call_permit(chain->call, &ask, reply))
		return false;
	return rewritten <= 0 || stand_in(chain, reply);
}

/* To the interpreter of the script that the object is. False: *reply says why not. */
static bool go_on(struct chain *chain, const struct image *image, struct reply *reply)
{
	struct exec_plan *plan = chain->plan;
	struct object next = OBJECT_INIT;
	int error = resolve_object(chain->call, AT_FDCWD, image->helper, 0, 0, &next);

	if (error < 0) {
		*reply = unresolved(chain->call, &next, image->helper, error);
		object_release(&next);
		return false;
	}
	if (plan->argv.items &&
	    exec_argv_interpret(&plan->argv, image->helper,
				image->argument[0] ? image->argument : NULL, chain->arg) < 0) {
		object_release(&next);
		*reply = reply_error(ENOMEM);
		return false;
	}
	if (plan->script < 0)
		plan->script = TAKE_FD(chain->object.fd);
	object_release(&chain->object);
	chain->object = next;
	chain->interpreted = true;
	snprintf(chain->arg, sizeof(chain->arg), "%s", image->helper);
	return true;
}

/* Decides on what is executed and every interpreter behind it. True: plan->image is the image that the
 * kernel will run, plan->script the script that it is started for, if any. */
static bool permit_chain(struct chain *chain, struct reply *reply)
{
	const struct ask refused = ask_exec(chain->call, &chain->object, NULL);
	struct image image;

	for (unsigned int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		image_read(chain->call->session, &chain->object, &image);
		chain->digest = image.kind == IMAGE_SCRIPT ? &chain->plan->script_digest
							   : &chain->plan->digest;
		if (!permit_step(chain, reply))
			return false;
		if (chain->plan->redirect)
			image_read(chain->call->session, &chain->object, &image);
		if (image.kind != IMAGE_SCRIPT)
			return image.kind != IMAGE_LOADED ||
			       permit_loader(chain->call, image.helper, reply);
		if (chain->digest->hex[0] && may_change(chain->call, chain->object.name)) {
			*reply = call_refuse(chain->call, &refused, EACCES,
					     "a script with a digest that the tool may change");
			return false;
		}
		if (!go_on(chain, &image, reply))
			return false;
	}
	*reply = reply_error(ELOOP);
	return false;
}

/* True when the arguments have to be known: a rule asks for them, or an interpreter that is rewritten
 * would have to be given them. */
static bool wants_argv(const struct session *session)
{
	return session->asks_args || policy_rewrites(session->policy, CLASS_EXEC);
}

/* The name that a script is given by, where the tool gave a descriptor (fs/exec.c: alloc_bprm). */
static void name_of_descriptor(struct chain *chain, int dirfd, bool at)
{
	char name[PATH_MAX + 32];

	if (!at || dirfd == AT_FDCWD || chain->arg[0] == '/')
		return;
	snprintf(name, sizeof(name), "/dev/fd/%d%s%s", dirfd, chain->arg[0] ? "/" : "", chain->arg);
	snprintf(chain->arg, sizeof(chain->arg), "%.*s", PATH_MAX - 1, name);
}

static struct reply do_exec(struct call *call, int dirfd, uint64_t path_addr, int flags)
{
	const bool at = call->row->nr == SYS_execveat;
	struct chain chain = {.call = call, .plan = exec_plan_new(), .object = OBJECT_INIT};
	struct reply reply;
	int follow = 0;
	int error;

	if (!chain.plan)
		return reply_error(ENOMEM);
	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
		reply = reply_error(EINVAL);
		goto out;
	}
	if (file_read_path(call, path_addr, chain.arg, &reply) < 0)
		goto out;
	if (flags & AT_EMPTY_PATH)
		follow |= RESOLVE_EMPTY_PATH;
	if (flags & AT_SYMLINK_NOFOLLOW)
		follow |= RESOLVE_LAST_NOFOLLOW;
	error = resolve_object(call, dirfd, chain.arg, follow, 0, &chain.object);
	if (error < 0) {
		reply = unresolved(call, &chain.object, chain.arg, error);
		goto out;
	}
	if (wants_argv(call->session)) {
		error = exec_argv_read(call, call->request.args[at ? 2 : 1], &chain.plan->argv);
		if (error < 0) {
			reply = error == -E2BIG ? reply_error(E2BIG) : tracee_failed(call, error);
			goto out;
		}
	}
	name_of_descriptor(&chain, dirfd, at);
	if (!permit_chain(&chain, &reply))
		goto out;
	chain.plan->image = TAKE_FD(chain.object.fd);
	reply = reply_exec(TAKE_PTR(chain.plan));
out:
	object_release(&chain.object);
	exec_plan_free(chain.plan);
	return reply;
}

struct reply handle_execve(struct call *call)
{
	if (exec_is_redirected(call))
		return reply_decided();
	return do_exec(call, AT_FDCWD, call->request.args[0], 0);
}

struct reply handle_execveat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_exec(call, (int)args[0], args[1], (int)args[4]);
}
