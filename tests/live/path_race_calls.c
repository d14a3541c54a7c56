/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that path_race makes. */
#include "path_race.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Newer than the headers of some systems. */
enum { NR_fchmodat2 = 452, NR_setxattrat = 463, NR_getxattrat, NR_listxattrat, NR_removexattrat };
enum { NR_file_getattr = 468, NR_file_setattr };
enum { FLAG_NOATIME = 0x40, FLAG_NODUMP = 0x80, PROC_MAGIC = 0x9fa0 };

/* Operands that are addresses. */
enum { PATH = -1000, OUT, VALUE, VALUE_ARGS, OUT_ARGS, HOW, ATTR, TEXT_S, TEXT_T, TEXT_X, MOUNT };
enum { NAME_N = -900, NAME_R, OWNER, WATCHES };
enum { OUT_SIZE = 256, ATTR_SIZE = 24, HOW_SIZE = 24, ARGS_SIZE = 16, HANDLE_SIZE = 128 };

struct objects objects;

static union {
	char text[OUT_SIZE];
	struct stat stat;
	struct statx statx;
	struct statfs statfs;
	struct file_handle handle;
	uint64_t attr[3];
} out, good_handle;
static char value[16];
static int inotify = -1;
static int mount_id;

/* ------------------------------------------------------------------ what was reached */

static enum outcome tell(bool is_bad)
{
	return is_bad ? BAD : GOOD;
}

/* The bad one may be hidden from us. */
static bool is_good_one(const struct stat *stat)
{
	return stat->st_ino == objects.good_stat.st_ino && stat->st_dev == objects.good_stat.st_dev;
}

static enum outcome opened(long fd)
{
	struct stat stat;
	int result;

	if (fd < 0)
		return FAILED;
	result = fstat((int)fd, &stat);
	close((int)fd);
	return result < 0 ? FAILED : tell(!is_good_one(&stat));
}

static enum outcome only_close(long fd)
{
	if (fd >= 0)
		close((int)fd);
	return FAILED;
}

static enum outcome moved(long result)
{
	if (result == 0)
		only_close(open("s", O_CREAT | O_WRONLY, 0600));
	return FAILED;
}

/* The good one gets it again; of the bad one the first removal is seen. */
static enum outcome removed(long result)
{
	if (result == 0)
		setxattr(objects.good, "user.r", "v", 1, 0);
	return FAILED;
}

static enum outcome watched(long watch)
{
	const long good_watch = 1; /* the first that was added */

	return watch < 0 ? FAILED : tell(watch != good_watch);
}

static enum outcome by_stat(long result)
{
	return result < 0 ? FAILED : tell(!is_good_one(&out.stat));
}

static enum outcome by_statx(long result)
{
	return result < 0 ? FAILED : tell(out.statx.stx_ino != objects.good_stat.st_ino);
}

/* The bad one may be executed, the good one not. */
static enum outcome by_access(long result)
{
	if (result == 0)
		return BAD;
	return errno == EACCES ? GOOD : FAILED;
}

/* What belongs to the bad one is longer. */
static enum outcome by_length(long length)
{
	return length < 0 ? FAILED : tell(length > 10);
}

static enum outcome by_list(long length)
{
	return length < 0 ? FAILED : tell(memmem(out.text, (size_t)length, "secret", 6) != NULL);
}

static enum outcome by_attr(long result)
{
	return result < 0 ? FAILED : tell(out.attr[0] & FLAG_NODUMP);
}

static enum outcome by_file_system(long result)
{
	return result < 0 ? FAILED : tell(out.statfs.f_type == PROC_MAGIC);
}

static enum outcome by_folder(long result)
{
	struct stat stat;

	if (result < 0)
		return FAILED;
	if (fstatat(AT_FDCWD, "", &stat, AT_EMPTY_PATH) < 0 || fchdir(objects.home) < 0)
		exit(99);
	return tell(!is_good_one(&stat));
}

static enum outcome by_handle(long result)
{
	return result < 0 ? FAILED : tell(memcmp(out.text, good_handle.text, OUT_SIZE) != 0);
}

/* ------------------------------------------------------------------ the tables */

const struct path_call path_changes[] = {
	{"open", TELLS, FILES, false, opened, SYS_open, {PATH, O_RDONLY}},
	{"open.write", TELLS, FILES, false, opened, SYS_open, {PATH, O_WRONLY}},
	{"openat", TELLS, FILES, false, opened, SYS_openat, {AT_FDCWD, PATH, O_RDWR}},
	{"openat2", TELLS, FILES, false, opened, SYS_openat2, {AT_FDCWD, PATH, HOW, HOW_SIZE}},
	{"open.truncate", CHANGES, FILES, false, only_close, SYS_open, {PATH, O_RDONLY | O_TRUNC}},
	{"open.create", MAKES, NOTHING, false, only_close, SYS_open, {PATH, O_CREAT, 0600}},
	{"creat", MAKES, NOTHING, false, only_close, SYS_creat, {PATH, 0600}},
	{"mkdir", MAKES, NOTHING, true, NULL, SYS_mkdir, {PATH, 0700}},
	{"mkdirat", MAKES, NOTHING, true, NULL, SYS_mkdirat, {AT_FDCWD, PATH, 0700}},
	{"mknod", MAKES, NOTHING, true, NULL, SYS_mknod, {PATH, S_IFIFO | 0600}},
	{"mknodat", MAKES, NOTHING, true, NULL, SYS_mknodat, {AT_FDCWD, PATH, S_IFREG | 0600}},
	{"symlink", MAKES, NOTHING, true, NULL, SYS_symlink, {TEXT_X, PATH}},
	{"symlinkat", MAKES, NOTHING, true, NULL, SYS_symlinkat, {TEXT_X, AT_FDCWD, PATH}},
	{"link.to", MAKES, NOTHING, true, NULL, SYS_link, {TEXT_S, PATH}},
	{"linkat.to", MAKES, NOTHING, true, NULL, SYS_linkat, {AT_FDCWD, TEXT_S, AT_FDCWD, PATH}},
	{"rename.to", MAKES, NOTHING, true, moved, SYS_rename, {TEXT_S, PATH}},
	{"renameat.to", MAKES, NOTHING, true, moved, SYS_renameat, {AT_FDCWD, TEXT_S, AT_FDCWD, PATH}},
	{"renameat2.to", MAKES, NOTHING, true, moved, SYS_renameat2,
	 {AT_FDCWD, TEXT_S, AT_FDCWD, PATH, RENAME_NOREPLACE}},
	{"rename.from", MOVES, FILES, true, NULL, SYS_rename, {PATH, TEXT_T}},
	{"renameat.from", MOVES, FILES, true, NULL, SYS_renameat, {AT_FDCWD, PATH, AT_FDCWD, TEXT_T}},
	{"renameat2.from", MOVES, FILES, true, NULL, SYS_renameat2, {AT_FDCWD, PATH, AT_FDCWD, TEXT_T}},
	{"link.from", MOVES, FILES, true, NULL, SYS_link, {PATH, TEXT_T}},
	{"linkat.from", MOVES, FILES, false, NULL, SYS_linkat,
	 {AT_FDCWD, PATH, AT_FDCWD, TEXT_T, AT_SYMLINK_FOLLOW}},
	{"unlink", REMOVES, FILES, true, NULL, SYS_unlink, {PATH}},
	{"unlinkat", REMOVES, FILES, true, NULL, SYS_unlinkat, {AT_FDCWD, PATH}},
	{"unlinkat.folder", REMOVES, FOLDERS, true, NULL, SYS_unlinkat, {AT_FDCWD, PATH, AT_REMOVEDIR}},
	{"rmdir", REMOVES, FOLDERS, true, NULL, SYS_rmdir, {PATH}},
	{"chmod", CHANGES, FILES, false, NULL, SYS_chmod, {PATH, 0640}},
	{"fchmodat", CHANGES, FILES, false, NULL, SYS_fchmodat, {AT_FDCWD, PATH, 0640}},
	{"fchmodat2", CHANGES, FILES, false, NULL, NR_fchmodat2, {AT_FDCWD, PATH, 0640}},
	{"chown", CHANGES, FILES, false, NULL, SYS_chown, {PATH, OWNER, -1}},
	{"lchown", CHANGES, FILES, true, NULL, SYS_lchown, {PATH, OWNER, -1}},
	{"fchownat", CHANGES, FILES, false, NULL, SYS_fchownat, {AT_FDCWD, PATH, OWNER, -1}},
	{"truncate", CHANGES, FILES, false, NULL, SYS_truncate, {PATH, 1}},
	{"utime", CHANGES, FILES, false, NULL, SYS_utime, {PATH}},
	{"utimes", CHANGES, FILES, false, NULL, SYS_utimes, {PATH}},
	{"futimesat", CHANGES, FILES, false, NULL, SYS_futimesat, {AT_FDCWD, PATH}},
	{"utimensat", CHANGES, FILES, false, NULL, SYS_utimensat, {AT_FDCWD, PATH}},
	{"setxattr", CHANGES, FILES, false, NULL, SYS_setxattr, {PATH, NAME_N, VALUE, 8}},
	{"lsetxattr", CHANGES, FILES, true, NULL, SYS_lsetxattr, {PATH, NAME_N, VALUE, 8}},
	{"setxattrat", CHANGES, FILES, false, NULL, NR_setxattrat,
	 {AT_FDCWD, PATH, 0, NAME_N, VALUE_ARGS}},
	{"removexattr", CHANGES, FILES, false, removed, SYS_removexattr, {PATH, NAME_R}},
	{"lremovexattr", CHANGES, FILES, true, removed, SYS_lremovexattr, {PATH, NAME_R}},
	{"removexattrat", CHANGES, FILES, false, removed, NR_removexattrat, {AT_FDCWD, PATH, 0, NAME_R}},
	{"file_setattr", CHANGES, FILES, false, NULL, NR_file_setattr,
	 {AT_FDCWD, PATH, ATTR, ATTR_SIZE}},
	{"inotify_add_watch", TELLS, FILES, false, watched, SYS_inotify_add_watch,
	 {WATCHES, PATH, IN_DELETE_SELF}},
	{0},
};

const struct path_call path_looks[] = {
	{"open", TELLS, FILES, false, opened, SYS_open, {PATH, O_PATH}},
	{"stat", TELLS, FILES, false, by_stat, SYS_stat, {PATH, OUT}},
	{"lstat", TELLS, FILES, true, by_stat, SYS_lstat, {PATH, OUT}},
	{"newfstatat", TELLS, FILES, false, by_stat, SYS_newfstatat, {AT_FDCWD, PATH, OUT}},
	{"statx", TELLS, FILES, false, by_statx, SYS_statx, {AT_FDCWD, PATH, 0, STATX_INO, OUT}},
	{"access", TELLS, FILES, false, by_access, SYS_access, {PATH, X_OK}},
	{"faccessat", TELLS, FILES, false, by_access, SYS_faccessat, {AT_FDCWD, PATH, X_OK}},
	{"faccessat2", TELLS, FILES, false, by_access, SYS_faccessat2, {AT_FDCWD, PATH, X_OK, AT_EACCESS}},
	{"readlink", TELLS, LINKS, true, by_length, SYS_readlink, {PATH, OUT, OUT_SIZE}},
	{"readlinkat", TELLS, LINKS, true, by_length, SYS_readlinkat, {AT_FDCWD, PATH, OUT, OUT_SIZE}},
	{"getxattr", TELLS, FILES, false, by_length, SYS_getxattr, {PATH, NAME_N, OUT, OUT_SIZE}},
	{"lgetxattr", TELLS, FILES, true, by_length, SYS_lgetxattr, {PATH, NAME_N, OUT, OUT_SIZE}},
	{"getxattrat", TELLS, FILES, false, by_length, NR_getxattrat,
	 {AT_FDCWD, PATH, 0, NAME_N, OUT_ARGS}},
	{"listxattr", TELLS, FILES, false, by_list, SYS_listxattr, {PATH, OUT, OUT_SIZE}},
	{"llistxattr", TELLS, FILES, true, by_list, SYS_llistxattr, {PATH, OUT, OUT_SIZE}},
	{"listxattrat", TELLS, FILES, false, by_list, NR_listxattrat, {AT_FDCWD, PATH, 0, OUT, OUT_SIZE}},
	{"file_getattr", TELLS, FILES, false, by_attr, NR_file_getattr, {AT_FDCWD, PATH, OUT, ATTR_SIZE}},
	{"statfs", TELLS, LINKS, false, by_file_system, SYS_statfs, {PATH, OUT}},
	{"chdir", TELLS, FOLDERS, false, by_folder, SYS_chdir, {PATH}},
	{"name_to_handle_at", TELLS, FILES, false, by_handle, SYS_name_to_handle_at,
	 {AT_FDCWD, PATH, OUT, MOUNT, AT_SYMLINK_FOLLOW}},
	{0},
};

/* ------------------------------------------------------------------ making them */

static long operand(long marked, const char *path)
{
	static const uint64_t how[3] = {O_RDWR};
	static const uint64_t attr[3] = {FLAG_NOATIME};
	static struct {
		uint64_t value;
		uint32_t size;
		uint32_t flags;
	} args;

	switch (marked) {
	case PATH:
		return (long)path;
	case OUT:
		return (long)&out;
	case VALUE:
		return (long)value;
	case VALUE_ARGS:
	case OUT_ARGS:
		args.value = marked == OUT_ARGS ? (uintptr_t)&out : (uintptr_t)value;
		args.size = marked == OUT_ARGS ? OUT_SIZE : 8;
		return (long)&args;
	case HOW:
		return (long)how;
	case ATTR:
		return (long)attr;
	case TEXT_S:
		return (long)"s";
	case TEXT_T:
		return (long)"t";
	case TEXT_X:
		return (long)"x";
	case MOUNT:
		return (long)&mount_id;
	case NAME_N:
		return (long)"user.n";
	case NAME_R:
		return (long)"user.r";
	case OWNER:
		return (long)geteuid();
	case WATCHES:
		return inotify;
	default:
		return marked;
	}
}

long path_call(const struct path_call *call, const char *path)
{
	static unsigned int count;
	long args[6] = {0};

	/* Another value each time: an equal one is no change. */
	snprintf(value, sizeof(value), "%08u", ++count % 100000000U);
	for (unsigned int i = 0; i < sizeof(call->args) / sizeof(call->args[0]); i++)
		args[i] = operand(call->args[i], path);
	if (call->nr == NR_setxattrat || call->nr == NR_getxattrat)
		args[5] = ARGS_SIZE;
	memset(&out, 0, sizeof(out));
	if (call->nr == SYS_name_to_handle_at)
		out.handle.handle_bytes = HANDLE_SIZE;
	return syscall(call->nr, args[0], args[1], args[2], args[3], args[4], args[5]);
}

void path_calls_begin(void)
{
	memset(&good_handle, 0, sizeof(good_handle));
	good_handle.handle.handle_bytes = HANDLE_SIZE;
	name_to_handle_at(AT_FDCWD, objects.good, &good_handle.handle, &mount_id, AT_SYMLINK_FOLLOW);
	if (inotify >= 0)
		close(inotify);
	inotify = inotify_init1(IN_NONBLOCK);
	inotify_add_watch(inotify, objects.good, IN_DELETE_SELF);
}

void path_calls_mark(const char *path, bool is_bad)
{
	const uint64_t attr[3] = {FLAG_NODUMP};
	const char *text = is_bad ? "a value that is long" : "v";

	chmod(path, is_bad ? 0755 : 0644);
	setxattr(path, "user.n", text, strlen(text), 0);
	setxattr(path, "user.r", text, strlen(text), 0);
	if (!is_bad)
		return;
	setxattr(path, "user.secret", text, strlen(text), 0);
	syscall(NR_file_setattr, AT_FDCWD, path, attr, sizeof(attr), 0);
}
