/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that make, move and remove names: mkdir, mknod, symlink, link, unlink, rmdir, rename. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/file.h"
#include "supervisor/handlers.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

/* An entry that a call names, as the tool wrote it and as it was found. */
struct named {
	char path[PATH_MAX];
	struct object entry;
};

#define NAMED_INIT {.entry = OBJECT_INIT}

static void named_release(struct named *named)
{
	object_release(&named->entry);
}
#define AUTO_NAMED __attribute__((cleanup(named_release)))

/* Reads and resolves the entry. 0, or -1 with the reply. */
static int take_entry(struct call *call, int dirfd, uint64_t addr, enum access_op op,
		      struct named *ret, struct reply *reply)
{
	int error;

	if (file_read_path(call, addr, ret->path, reply) < 0)
		return -1;
	error = resolve_entry(call, dirfd, ret->path, 0, &ret->entry);
	if (error == 0)
		return 0;
	*reply = file_unresolved(call, op, &ret->entry, ret->path, error);
	return -1;
}

/* ------------------------------------------------------------------------------ making */

/* Pins where something new shall stand; true: it may, and the umask is the caller's. */
static bool begin_make(struct call *call, int dirfd, uint64_t addr, struct named *named,
		       struct reply *reply)
{
	struct stat stat;
	int error;

	if (take_entry(call, dirfd, addr, OP_CREATE, named, reply) < 0)
		return false;
	if (!file_permit(call, OP_CREATE, &named->entry, named->path,
			 file_entry_exists(&named->entry, &stat) ? EEXIST : 0, reply))
		return false;
	error = file_take_umask(call);
	if (error < 0)
		*reply = reply_error(-error);
	return error == 0;
}

static struct reply do_mkdir(struct call *call, int dirfd, uint64_t path, mode_t mode)
{
	AUTO_NAMED struct named named = NAMED_INIT;
	struct reply reply;

	if (!begin_make(call, dirfd, path, &named, &reply))
		return reply;
	pthread_rwlock_rdlock(&call->session->entry_lock);
	reply = reply_result(mkdirat(named.entry.parent, named.entry.last, mode));
	pthread_rwlock_unlock(&call->session->entry_lock);
	return reply;
}

struct reply handle_mkdir(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_mkdir(call, AT_FDCWD, args[0], (mode_t)args[1]);
}

struct reply handle_mkdirat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_mkdir(call, (int)args[0], args[1], (mode_t)args[2]);
}

/* Kinds that mknod(2) makes: 0, or the errno for others, which come before the path. */
static int check_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	case S_IFDIR:
		return EPERM;
	default:
		return EINVAL;
	}
}

static struct reply do_mknod(struct call *call, int dirfd, uint64_t path, mode_t mode, dev_t device)
{
	AUTO_NAMED struct named named = NAMED_INIT;
	const struct ask ask = {
		.class = CLASS_FILE,
		.ops = {OP_CREATE},
		.op_count = 1,
		.path = named.entry.name,
		.arg = named.path,
	};
	const int error = check_kind(mode);
	struct reply reply;

	if (error)
		return reply_error(error);
	if (!begin_make(call, dirfd, path, &named, &reply))
		return reply;
	if (S_ISBLK(mode) || S_ISCHR(mode))
		return call_refuse(call, &ask, EPERM, "a device node");
	return reply_result(mknodat(named.entry.parent, named.entry.last, mode, device));
}

struct reply handle_mknod(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_mknod(call, AT_FDCWD, args[0], (mode_t)args[1], args[2]);
}

struct reply handle_mknodat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_mknod(call, (int)args[0], args[1], (mode_t)args[2], args[3]);
}

static struct reply do_symlink(struct call *call, uint64_t target_addr, int dirfd, uint64_t path)
{
	AUTO_NAMED struct named named = NAMED_INIT;
	char target[PATH_MAX];
	struct reply reply;

	/* What it points to is decided when it is followed. */
	if (file_read_path(call, target_addr, target, &reply) < 0)
		return reply;
	if (!target[0])
		return reply_error(ENOENT);
	if (!begin_make(call, dirfd, path, &named, &reply))
		return reply;
	return reply_result(symlinkat(target, named.entry.parent, named.entry.last));
}

struct reply handle_symlink(struct call *call)
{
	return do_symlink(call, call->request.args[0], AT_FDCWD, call->request.args[1]);
}

struct reply handle_symlinkat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_symlink(call, args[0], (int)args[1], args[2]);
}

/* ------------------------------------------------------------------------------ linking */

struct two_paths {
	int from_dirfd;
	uint64_t from;
	int to_dirfd;
	uint64_t to;
	unsigned int flags;
};

/* A second name must not open what the first one keeps shut: the source has to be readable, and
 * have every right that the new name has. */
static bool permit_link(struct call *call, const struct object *source, const char *arg,
			const struct named *to, struct reply *reply)
{
	const struct ask ask = {
		.class = CLASS_FILE,
		.ops = {OP_CREATE},
		.op_count = 1,
		.path = source->name,
		.arg = arg,
	};

	if (!file_permit(call, OP_READ, source, arg, 0, reply))
		return false;
	return object_is_nameless(source) ||
	       call_permit_move(call, source->name, to->entry.name, false, &ask, reply);
}

static struct reply do_link(struct call *call, const struct two_paths *paths)
{
	AUTO_OBJECT struct object source = OBJECT_INIT;
	AUTO_NAMED struct named to = NAMED_INIT;
	char proc_path[PROC_FD_PATH_MAX];
	char from[PATH_MAX];
	struct reply reply;
	int follow = 0;
	int error;

	if (paths->flags & ~(unsigned int)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return reply_error(EINVAL);
	if (!(paths->flags & AT_SYMLINK_FOLLOW))
		follow |= RESOLVE_LAST_NOFOLLOW;
	if (paths->flags & AT_EMPTY_PATH)
		follow |= RESOLVE_EMPTY_PATH;
	if (file_read_path(call, paths->from, from, &reply) < 0)
		return reply;
	error = resolve_object(call, paths->from_dirfd, from, follow, 0, &source);
	if (error < 0)
		return file_unresolved(call, OP_READ, &source, from, error);
	if (!begin_make(call, paths->to_dirfd, paths->to, &to, &reply))
		return reply;
	if (!permit_link(call, &source, from, &to, &reply))
		return reply;
	return reply_result(linkat(AT_FDCWD, object_proc_path(source.fd, proc_path),
				   to.entry.parent, to.entry.last, AT_SYMLINK_FOLLOW));
}

struct reply handle_link(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_link(call, &(struct two_paths){.from_dirfd = AT_FDCWD,
						 .from = args[0],
						 .to_dirfd = AT_FDCWD,
						 .to = args[1]});
}

struct reply handle_linkat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_link(call, &(struct two_paths){.from_dirfd = (int)args[0],
						 .from = args[1],
						 .to_dirfd = (int)args[2],
						 .to = args[3],
						 .flags = (unsigned int)args[4]});
}

/* ------------------------------------------------------------------------------ removing */

static struct reply do_unlink(struct call *call, int dirfd, uint64_t path, int flags)
{
	AUTO_NAMED struct named named = NAMED_INIT;
	struct reply reply;
	struct stat stat;

	if (flags & ~AT_REMOVEDIR)
		return reply_error(EINVAL);
	if (take_entry(call, dirfd, path, OP_DELETE, &named, &reply) < 0)
		return reply;
	if (!file_permit(call, OP_DELETE, &named.entry, named.path,
			 file_entry_exists(&named.entry, &stat) ? 0 : errno, &reply))
		return reply;
	return reply_result(unlinkat(named.entry.parent, named.entry.last, flags));
}

struct reply handle_unlink(struct call *call)
{
	return do_unlink(call, AT_FDCWD, call->request.args[0], 0);
}

struct reply handle_rmdir(struct call *call)
{
	return do_unlink(call, AT_FDCWD, call->request.args[0], AT_REMOVEDIR);
}

struct reply handle_unlinkat(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_unlink(call, (int)args[0], args[1], (int)args[2]);
}

/* ------------------------------------------------------------------------------ moving */

/* One direction of a rename: `from` goes, `to` comes, with no more rights than before. */
static bool permit_rename(struct call *call, const struct named *from, const struct named *to,
			  bool is_dir, struct reply *reply)
{
	const struct ask ask = {
		.class = CLASS_FILE,
		.ops = {OP_DELETE},
		.op_count = 1,
		.path = from->entry.name,
		.arg = from->path,
	};

	return file_permit(call, OP_DELETE, &from->entry, from->path, 0, reply) &&
	       file_permit(call, OP_CREATE, &to->entry, to->path, 0, reply) &&
	       call_permit_move(call, from->entry.name, to->entry.name, is_dir, &ask, reply);
}

/* "/", "." and "..", which cannot be renamed. */
static bool is_place(const struct named *named)
{
	const char *last = named->entry.last;
	const size_t len = strcspn(last, "/");

	return len == 0 || (last[0] == '.' && (len == 1 || (len == 2 && last[1] == '.')));
}

/* What the kernel finds wrong before it looks for the entries. */
static int check_rename(const struct named *from, const struct named *to, unsigned int flags)
{
	if (is_place(from))
		return EBUSY;
	if (is_place(to))
		return flags & RENAME_NOREPLACE ? EEXIST : EBUSY;
	return 0;
}

/* What stands at both ends now decides; nothing can come between but a new target: -EEXIST. */
static int rename_decided(struct call *call, const struct named *from, const struct named *to,
			  unsigned int flags, struct reply *reply)
{
	const bool exchange = flags & RENAME_EXCHANGE;
	struct stat source;
	struct stat target;
	bool replaces;

	if (!file_entry_exists(&from->entry, &source)) {
		file_permit(call, OP_DELETE, &from->entry, from->path, errno, reply);
		return 0;
	}
	if (!permit_rename(call, from, to, S_ISDIR(source.st_mode), reply))
		return 0;
	replaces = file_entry_exists(&to->entry, &target);
	if (exchange && !replaces) {
		*reply = reply_error(ENOENT);
		return 0;
	}
	if (replaces && !exchange && !file_permit(call, OP_DELETE, &to->entry, to->path, 0, reply))
		return 0;
	if (exchange && !permit_rename(call, to, from, S_ISDIR(target.st_mode), reply))
		return 0;
	if (!replaces && !(flags & RENAME_WHITEOUT))
		flags |= RENAME_NOREPLACE;
	*reply = reply_result(renameat2(from->entry.parent, from->entry.last, to->entry.parent,
					to->entry.last, flags));
	return !replaces && reply->kind == REPLY_ERROR ? -reply->error : 0;
}

/* A file system that does not know RENAME_NOREPLACE (EINVAL): as if the target were there. */
static struct reply rename_unguarded(struct call *call, const struct named *from,
				     const struct named *to, unsigned int flags)
{
	struct reply reply;

	if (!file_permit(call, OP_DELETE, &to->entry, to->path, 0, &reply))
		return reply;
	return reply_result(renameat2(from->entry.parent, from->entry.last, to->entry.parent,
				      to->entry.last, flags));
}

static struct reply do_rename(struct call *call, const struct two_paths *paths)
{
	enum { TRIES = 64 }; /* against others who make the target meanwhile */
	AUTO_NAMED struct named from = NAMED_INIT;
	AUTO_NAMED struct named to = NAMED_INIT;
	const bool may_replace = !(paths->flags & RENAME_NOREPLACE);
	struct reply reply;
	int error;

	if ((paths->flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) ||
	    ((paths->flags & RENAME_EXCHANGE) && paths->flags != RENAME_EXCHANGE))
		return reply_error(EINVAL);
	if (take_entry(call, paths->from_dirfd, paths->from, OP_DELETE, &from, &reply) < 0 ||
	    take_entry(call, paths->to_dirfd, paths->to, OP_CREATE, &to, &reply) < 0)
		return reply;
	error = check_rename(&from, &to, paths->flags);
	if (error)
		return reply_error(error);
	pthread_rwlock_wrlock(&call->session->entry_lock);
	for (unsigned int tries = 0; tries < TRIES; tries++) {
		error = rename_decided(call, &from, &to, paths->flags, &reply);
		if (error != -EEXIST || !may_replace)
			break;
	}
	if (error == -EINVAL && may_replace)
		reply = rename_unguarded(call, &from, &to, paths->flags);
	pthread_rwlock_unlock(&call->session->entry_lock);
	return reply;
}

struct reply handle_rename(struct call *call)
{
	const uint64_t *args = call->request.args;

	return do_rename(call, &(struct two_paths){.from_dirfd = AT_FDCWD,
						   .from = args[0],
						   .to_dirfd = AT_FDCWD,
						   .to = args[1]});
}

static struct reply rename_at(struct call *call, unsigned int flags)
{
	const uint64_t *args = call->request.args;

	return do_rename(call, &(struct two_paths){.from_dirfd = (int)args[0],
						   .from = args[1],
						   .to_dirfd = (int)args[2],
						   .to = args[3],
						   .flags = flags});
}

struct reply handle_renameat(struct call *call)
{
	return rename_at(call, 0);
}

struct reply handle_renameat2(struct call *call)
{
	return rename_at(call, (unsigned int)call->request.args[4]);
}
