/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that change what is known of a file: mode, owner, times; truncate; and umask. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include "supervisor/handlers.h"
#include "supervisor/session.h"
#include "supervisor/subject.h"
#include "supervisor/tracee.h"

/* --------------------------------------------------------------------------------- mode */

static struct reply do_chmod(struct call *call, int dirfd, uint64_t path, mode_t mode, int flags)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;

	if (!subject_take_path(call, OP_ATTR, dirfd, path, flags,
			       AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &subject, &reply))
		return reply;
	return reply_result(chmod(subject.proc_path, mode));
}

/*
 * Reading a process's umask from /proc costs more than most calls. So a first one that differs is
 * noted, before the kernel sets it: until then all processes have the one that the tool was started with.
 */
struct reply handle_umask(struct call *call)
{
	const int mask = (int)(call->request.args[0] & 0777);

	if (mask != atomic_load(&call->session->umask))
		atomic_store(&call->session->umask, -1);
	return reply_continue(call);
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

	if (!subject_take_file(call, OP_ATTR, (int)call->request.args[0], &subject, &reply))
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

	if (!subject_take_path(call, OP_ATTR, dirfd, path, flags,
			       AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &subject, &reply))
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

	if (!subject_take_file(call, OP_ATTR, (int)args[0], &subject, &reply))
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
		if (!subject_take_file(call, OP_ATTR, dirfd, &subject, &reply))
			return reply;
		return reply_result(futimens(subject.object.fd, times));
	}
	if (!subject_take_path(call, OP_ATTR, dirfd, path, flags,
			       AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &subject, &reply))
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
	/* Nothing to be done is done before anything is looked at. */
	if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
		return reply_value(0);
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

/*
 * The kernel knows the limit of whoever truncates, which here is us: the caller's holds
 * (setrlimit(2), RLIMIT_FSIZE). True: `len` is beyond it, and the signal for that is sent.
 */
static bool exceeds_file_size(struct call *call, const char *path, off_t len)
{
	const pid_t tgid = call_tgid(call);
	struct rlimit limit;
	struct stat st;

	if (tgid <= 0 || prlimit(tgid, RLIMIT_FSIZE, NULL, &limit) < 0)
		return true;
	/* What fails for another reason, or does not grow, does not get that far. */
	if ((rlim_t)len <= limit.rlim_cur || stat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
	    len <= st.st_size || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
		return false;
	if (call_valid(call))
		syscall(SYS_tgkill, tgid, call->request.tid, SIGXFSZ);
	return true;
}

struct reply handle_truncate(struct call *call)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;

	if ((int64_t)call->request.args[1] < 0)
		return reply_error(EINVAL);
	if (!subject_take_path(call, OP_MODIFY, AT_FDCWD, call->request.args[0], 0, 0, &subject, &reply))
		return reply;
	if (exceeds_file_size(call, subject.proc_path, (off_t)call->request.args[1]))
		return reply_error(EFBIG);
	return reply_result(truncate(subject.proc_path, (off_t)call->request.args[1]));
}
