/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* open, openat, openat2, creat */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/path.h"
#include "supervisor/file.h"
#include "supervisor/handlers.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/limits.h"
#include "supervisor/names.h"
#include "supervisor/pool.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum { CREATE_TRIES = 64 }; /* of a name that others make and remove meanwhile */

struct open_request {
	int dirfd;
	int flags;
	mode_t mode;
	uint64_t resolve;
	const char *path;
	int held; /* what open_for_reading() has opened of a FIFO, -1: nothing; not owned */
};

static bool makes_unnamed(int flags)
{
	return (flags & O_TMPFILE) == O_TMPFILE;
}

static struct ask ask_open(struct call *call, const struct open_request *request,
			   const struct object *object)
{
	const int access = request->flags & O_ACCMODE;
	struct ask ask = {
		.class = CLASS_FILE,
		.path = object->name,
		.rewritten = object->rewritten,
		.own = file_is_own(call, object),
		.arg = request->path,
		.open_flags = &request->flags,
	};

	if (makes_unnamed(request->flags)) {
		ask.ops[ask.op_count++] = OP_CREATE;
		return ask;
	}
	if (access != O_WRONLY || (request->flags & O_PATH))
		ask.ops[ask.op_count++] = OP_READ;
	if ((access != O_RDONLY || (request->flags & O_TRUNC)) && !(request->flags & O_PATH))
		ask.ops[ask.op_count++] = OP_MODIFY;
	return ask;
}

static struct reply unresolved(struct call *call, const struct open_request *request,
			       const struct object *object, int error)
{
	struct ask ask = ask_open(call, request, object);
	struct reply reply;

	if (error == -EACCES && object->fd >= 0) /* resolve_object() says why */
		return call_refuse(call, &ask, EACCES, "a /proc that is not the caller's");
	/* RESOLVE_* stopped the kernel somewhere on the way. */
	if (object->name[0] != '/')
		return request->resolve ? reply_error(-error) : tracee_failed(call, error);
	ask.missing = -error;
	if (request->flags & O_PATH)
		call_permit_look(call, &ask, &reply);
	else
		call_permit(call, &ask, &reply);
	return reply.kind == REPLY_ERROR ? reply : reply_error(-error);
}

static bool is_dev_tty(const struct stat *stat)
{
	return S_ISCHR(stat->st_mode) && stat->st_rdev == makedev(5, 0);
}

/*
 * O_NOFOLLOW stays to be seen in the flags of an open file (F_GETFL), and /proc/self/fd is a link: the
 * pinned object is opened by its name instead, if it still has that. Else -1.
 */
static int open_by_name(const struct session *session, const struct open_request *request,
			const struct object *object, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)((flags & ~O_TRUNC) | O_NOFOLLOW | O_NONBLOCK),
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	AUTO_CLOSE int fd = -1;
	char buf[PATH_MAX];
	const char *place = names_place(session, object->name, buf);
	struct stat stat;

	if (place)
		fd = (int)syscall(SYS_openat2, AT_FDCWD, place, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &stat) < 0 || stat.st_dev != object->stat.st_dev ||
	    stat.st_ino != object->stat.st_ino)
		return -1;
	if (!(request->flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags) < 0)
		return -1;
	return TAKE_FD(fd);
}

static int open_file(struct call *call, const struct open_request *request,
		     const struct object *object, int flags)
{
	int named = -1;
	int fd;

	if ((request->flags & O_NOFOLLOW) && !makes_unnamed(flags))
		named = open_by_name(call->session, request, object, flags);
	if (named >= 0 && !(flags & O_TRUNC))
		return named;
	fd = object_open(call->session, object, flags, request->mode);
	if (named < 0)
		return fd;
	if (fd < 0) {
		close(named);
		return fd;
	}
	close(fd); /* it has truncated the file */
	return named;
}

/*
 * From the moment when `held` was opened a writer need not wait for a reader any more, as none needs
 * to for an open that waits: the one that natively ended the wait may have come, written and gone
 * before we wait in earnest. True when it has.
 */
static bool writer_was_there(int held)
{
	struct pollfd fifo = {.fd = held, .events = POLLIN};

	return held >= 0 && poll(&fifo, 1, 0) > 0;
}

/* What is held, as the open that waits would have given it. */
static int take_held(int held, int flags)
{
	int fd = fcntl(held, F_DUPFD_CLOEXEC, 0);

	return fd < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : fd;
}

static bool is_held(int held, const struct object *object)
{
	struct stat stat;

	return held >= 0 && fstat(held, &stat) == 0 && stat.st_ino == object->stat.st_ino &&
	       stat.st_dev == object->stat.st_dev;
}

/* Opens what may have to be waited for. The descriptor, or a negative errno. */
static int open_waiting(struct call *call, const struct open_request *request,
			const struct object *object, int flags)
{
	const bool waits = !(flags & O_NONBLOCK) && is_held(request->held, object);
	const int held = waits ? request->held : -1;
	int fd;

	if (writer_was_there(held))
		return take_held(held, flags);
	blocking_also(call, held);
	blocking_begin(call);
	fd = is_dev_tty(&object->stat) ? file_open_tty(call, flags)
				       : object_open(call->session, object, flags, 0);
	blocking_end(call);
	return fd == -EINTR && writer_was_there(held) ? take_held(held, flags) : fd;
}

/* Carries the open out on the pinned object. The descriptor, or a negative errno. */
static int open_pinned(struct call *call, const struct open_request *request,
		       struct object *object)
{
	/* O_NOCTTY: the terminal must not become ours. */
	int flags = (request->flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_NOCTTY;
	const mode_t type = object->stat.st_mode & S_IFMT;

	if (makes_unnamed(flags)) {
		int error = file_take_umask(call);

		if (error < 0)
			return error;
		flags |= request->flags & O_EXCL; /* it may not be given a name */
	}
	if (type == S_IFREG || type == S_IFDIR)
		return open_file(call, request, object, flags);
	return open_waiting(call, request, object, flags);
}

/* Notified only where names are hidden or rewritten. */
static struct reply open_path_only(struct call *call, const struct open_request *request,
				   struct object *object)
{
	const struct ask ask = ask_open(call, request, object);
	struct reply reply;
	int fd;

	if (!call_permit_look(call, &ask, &reply))
		return reply;
	if (request->flags & O_NOFOLLOW)
		return reply_path(TAKE_FD(object->fd), request->flags & O_CLOEXEC);
	/* What it was pinned with is to be seen in its flags (F_GETFL): opened anew. */
	fd = object_open(call->session, object,
			 O_PATH | O_CLOEXEC | (request->flags & O_DIRECTORY), 0);
	return fd < 0 ? reply_error(-fd) : reply_path(fd, request->flags & O_CLOEXEC);
}

static struct reply open_existing(struct call *call, const struct open_request *request,
				  struct object *object)
{
	struct ask ask = ask_open(call, request, object);
	struct reply reply;
	int fd;

	if (request->flags & O_PATH)
		return open_path_only(call, request, object);
	if ((request->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		ask.missing = EEXIST;
	else if (S_ISDIR(object->stat.st_mode) && (request->flags & O_CREAT) &&
		 !makes_unnamed(request->flags))
		ask.missing = EISDIR;
	else if (S_ISLNK(object->stat.st_mode))
		ask.missing = ELOOP;
	if (!call_permit(call, &ask, &reply))
		return reply;
	fd = open_pinned(call, request, object);
	if (fd == -EINTR)
		return blocking_interrupted();
	if (fd < 0)
		return reply_error(-fd);
	return reply_fd(fd, request->flags & O_CLOEXEC);
}

/* Nothing stands at the entry: makes it. -EEXIST when something does by now. */
static int make_entry(struct call *call, const struct open_request *request,
		      const struct object *entry, struct reply *ret)
{
	struct ask ask = ask_open(call, request, entry);
	int fd;

	ask.ops[0] = OP_CREATE;
	ask.op_count = 1;
	if (!call_permit(call, &ask, ret))
		return 0;
	fd = file_take_umask(call);
	if (fd == 0)
		fd = openat(entry->parent, entry->last, /* O_EXCL follows no link */
			    request->flags | O_CREAT | O_EXCL | O_NOCTTY, request->mode & 07777);
	if (fd < 0 && errno == EEXIST)
		return -EEXIST;
	*ret = fd < 0 ? reply_error(errno) : reply_fd(fd, request->flags & O_CLOEXEC);
	return 0;
}

/* The entry where a dangling chain of links ends is where O_CREAT makes the file. */
static int find_entry(struct call *call, const struct open_request *request,
		      struct object *entry)
{
	const bool follow = !(request->flags & (O_EXCL | O_NOFOLLOW));
	char target[PATH_MAX];
	int error = resolve_entry(call, request->dirfd, request->path, request->resolve, entry);

	for (unsigned int links = 0; error == 0; links++) {
		struct object next = OBJECT_INIT;
		ssize_t len;

		if (strchr(entry->last, '/'))
			return -EISDIR;
		len = readlinkat(entry->parent, entry->last, target, sizeof(target) - 1);
		if (len < 0)
			return 0;
		if (request->flags & O_EXCL)
			return -EEXIST;
		if (!follow || links >= PATH_LINKS_MAX || request->resolve)
			return -ELOOP;
		target[len] = '\0';
		error = resolve_entry_at(call, entry->parent, target, &next);
		object_release(entry);
		*entry = next;
	}
	return error;
}

/*
 * Where neither links nor names of the policy's are on the way, one look finds what is to be opened or the
 * place where it is to be made: `object` is pinned, or `entry` alone. False: it takes the long way.
 */
static bool find_plainly(struct call *call, const struct open_request *request, struct object *object,
			 struct object *entry)
{
	const char *last = entry->last;
	int error;

	if (names_matter(call->session) || request->resolve ||
	    resolve_entry(call, request->dirfd, request->path, 0, entry) < 0)
		return false;
	if (!last[0] || strchr(last, '/') || !strcmp(last, ".") || !strcmp(last, ".."))
		return false;
	error = resolve_child(call->session, entry->parent, last, object);
	return error == -ENOENT || (error == 0 && !S_ISLNK(object->stat.st_mode));
}

/* O_CREAT. False: *ret is not set. */
static bool open_or_make(struct call *call, const struct open_request *request, struct reply *ret)
{
	AUTO_OBJECT struct object object = OBJECT_INIT;
	AUTO_OBJECT struct object entry = OBJECT_INIT;

	if (!find_plainly(call, request, &object, &entry))
		return false;
	if (object.fd < 0)
		return make_entry(call, request, &entry, ret) == 0;
	*ret = open_existing(call, request, &object);
	return true;
}

static struct reply open_resolved(struct call *call, const struct open_request *request)
{
	const int flags = request->flags;
	const size_t len = strlen(request->path);
	/* "name/": never made, and EISDIR whatever stands there. */
	const bool makes = (flags & O_CREAT) && !(flags & O_PATH) && !makes_unnamed(flags);
	const bool slash = makes && len > 0 && request->path[len - 1] == '/';
	int follow = flags & O_DIRECTORY ? RESOLVE_DIRECTORY : 0;

	if ((flags & O_NOFOLLOW) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		follow |= RESOLVE_LAST_NOFOLLOW;
	for (unsigned int tries = 0; tries < CREATE_TRIES; tries++) {
		AUTO_OBJECT struct object object = OBJECT_INIT;
		AUTO_OBJECT struct object entry = OBJECT_INIT;
		struct reply reply;
		int error;
		int found;

		if (makes && open_or_make(call, request, &reply))
			return reply;
		error = slash ? -ENOENT
			      : resolve_object(call, request->dirfd, request->path, follow,
					       request->resolve, &object);
		if (error == 0)
			return open_existing(call, request, &object);
		if (!(flags & O_CREAT) || (flags & O_PATH) || request->path[0] == '\0' ||
		    (error != -ENOENT && error != -ELOOP && error != -ENOTDIR))
			return unresolved(call, request, &object, error);
		found = find_entry(call, request, &entry);
		/* A link to "name/" is EISDIR, wherever that leads. */
		if (error != -ENOENT && found != -EISDIR)
			return unresolved(call, request, &object, error);
		if (found < 0)
			return unresolved(call, request, &entry, found);
		if (make_entry(call, request, &entry, &reply) == 0)
			return reply;
	}
	return reply_error(EAGAIN);
}

/* Flags that the kernel refuses are refused before anything is looked up: an empty path is only
 * looked at when they are valid. */
static int check_flags(const struct open_request *request)
{
	const struct open_how how = {
		.flags = (uint64_t)request->flags & ~(uint64_t)O_CLOEXEC,
		.mode = request->mode,
		.resolve = request->resolve,
	};

	if (syscall(SYS_openat2, AT_FDCWD, "", &how, sizeof(how)) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/* Flags that an open for nothing but reading may have. */
static bool only_reads(int flags)
{
	return !(flags & (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_PATH |
			  (O_TMPFILE & ~O_DIRECTORY)));
}

/*
 * What most opens are: a file is read, and its name needs no resolving. The policy is asked about
 * the name as it stands, and the kernel opens it only if no link is on the way: then it is the
 * object's canonical name. All else, denials included, takes the long way.
 */
static struct reply open_for_reading(struct call *call, struct open_request *request)
{
	struct access access = {.class = CLASS_FILE, .op = OP_READ};
	AUTO_CLOSE int held = -1;
	char buf[PATH_MAX];
	int fd;

	if (!request->resolve && only_reads(request->flags))
		access.path = plain_name(request->path, buf);
	/* With ".." on the way, the kernel would tell whether a hidden folder is there. */
	if (access.path != request->path && names_matter(call->session))
		access.path = NULL;
	if (!access.path || !call_allows_quietly(call, &access))
		return open_resolved(call, request);
	fd = open_plain_name(call->session, request->path, access.path, request->flags, &held);
	request->held = held;
	if (fd == -ELOOP)
		return open_resolved(call, request);
	return fd < 0 ? reply_error(-fd) : reply_fd(fd, request->flags & O_CLOEXEC);
}

static int check_combination(const struct open_request *request)
{
	struct open_request probe = *request;

	if (!(request->flags & O_DIRECTORY) ||
	    !(request->flags & (O_CREAT | O_TMPFILE) & ~O_DIRECTORY))
		return 0;
	probe.mode &= 07777;
	probe.flags &= O_ACCMODE | O_CREAT | O_TMPFILE;
	return check_flags(&probe);
}

static bool may_write(const struct open_request *request, const struct reply *reply)
{
	return reply->kind == REPLY_FD && (request->flags & O_ACCMODE) != O_RDONLY;
}

/* For the limits memory and disk. */
static struct reply count_writes(struct call *call, struct reply reply)
{
	int error = limits_add_file(call->session->limits, reply.fd);

	if (error == 0)
		return reply;
	close(reply.fd);
	return reply_error(-error);
}

static struct reply do_open(struct call *call, struct open_request request, uint64_t addr)
{
	char path[PATH_MAX];
	struct reply reply;
	int error;

	if (file_read_path(call, addr, path, &reply) < 0)
		return reply;
	request.path = path;
	request.held = -1;
	/* open(2): with O_PATH other flags are ignored, and mode without O_CREAT or O_TMPFILE. */
	if (request.flags & O_PATH)
		request.flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	error = check_combination(&request);
	if (error < 0)
		return reply_error(-error);
	reply = open_for_reading(call, &request);
	return may_write(&request, &reply) ? count_writes(call, reply) : reply;
}

struct reply handle_open(struct call *call)
{
	const uint64_t *args = call->request.args;
	struct open_request request = {
		.dirfd = AT_FDCWD,
		.flags = (int)args[1],
		.mode = (mode_t)args[2],
	};

	return do_open(call, request, args[0]);
}

struct reply handle_creat(struct call *call)
{
	const uint64_t *args = call->request.args;
	struct open_request request = {
		.dirfd = AT_FDCWD,
		.flags = O_CREAT | O_WRONLY | O_TRUNC,
		.mode = (mode_t)args[1],
	};

	return do_open(call, request, args[0]);
}

struct reply handle_openat(struct call *call)
{
	const uint64_t *args = call->request.args;
	struct open_request request = {
		.dirfd = (int)args[0],
		.flags = (int)args[2],
		.mode = (mode_t)args[3],
	};

	return do_open(call, request, args[1]);
}

struct reply handle_openat2(struct call *call)
{
	struct open_request request = {.dirfd = (int)call->request.args[0]};
	struct open_how how;
	int error = tracee_read_struct(call, call->request.args[2], call->request.args[3], &how,
				       sizeof(how));

	if (error == -E2BIG)
		return reply_error(E2BIG);
	if (error < 0)
		return tracee_failed(call, error);
	if (how.flags > UINT32_MAX)
		return reply_error(EINVAL);
	request.flags = (int)how.flags;
	request.mode = (mode_t)how.mode;
	request.resolve = how.resolve;
	if (how.mode > 07777)
		return reply_error(EINVAL);
	error = check_flags(&request);
	if (error < 0)
		return reply_error(-error);
	/* Cannot be injected. Callers fall back to openat, which the filter lets through. */
	if (request.flags & O_PATH)
		return reply_error(ENOSYS);
	return do_open(call, request, call->request.args[1]);
}
