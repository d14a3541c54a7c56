/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/kernel_abi.h"

static const __u64 reading = PROCTOR_LANDLOCK_FS_READ_FILE | PROCTOR_LANDLOCK_FS_READ_DIR;
static const __u64 making = PROCTOR_LANDLOCK_FS_MAKE_DIR | PROCTOR_LANDLOCK_FS_MAKE_REG |
			    PROCTOR_LANDLOCK_FS_MAKE_SOCK | PROCTOR_LANDLOCK_FS_MAKE_FIFO |
			    PROCTOR_LANDLOCK_FS_MAKE_SYM | PROCTOR_LANDLOCK_FS_REFER;
static const __u64 removing = PROCTOR_LANDLOCK_FS_REMOVE_DIR | PROCTOR_LANDLOCK_FS_REMOVE_FILE |
			      PROCTOR_LANDLOCK_FS_REFER;
static const __u64 writing = PROCTOR_LANDLOCK_FS_WRITE_FILE | PROCTOR_LANDLOCK_FS_TRUNCATE;

/* No device node is ever made for the tool: these are handled and never granted. */
static const __u64 devices = PROCTOR_LANDLOCK_FS_MAKE_CHAR | PROCTOR_LANDLOCK_FS_MAKE_BLOCK;

/* Rights that Landlock knows of a file that is no folder. */
static const __u64 of_files = PROCTOR_LANDLOCK_FS_EXECUTE | PROCTOR_LANDLOCK_FS_READ_FILE |
			      PROCTOR_LANDLOCK_FS_WRITE_FILE | PROCTOR_LANDLOCK_FS_TRUNCATE;

/* What a grant of an operation is in Landlock's words. */
static const struct {
	enum access_class class;
	enum access_op op;
	__u64 access;
} rights[] = {
	{CLASS_FILE, OP_READ, reading},
	{CLASS_FILE, OP_CREATE, making},
	{CLASS_FILE, OP_MODIFY, writing},
	{CLASS_FILE, OP_DELETE, removing},
	{CLASS_EXEC, OP_EXEC, PROCTOR_LANDLOCK_FS_READ_FILE},
};

struct ruleset_builder {
	int fd;
	__u64 handled;
	__u64 access; /* of the grants that come now */
	__u64 proc;   /* granted for /proc already: for a policy, most of what it names there */
	bool later;   /* what does not exist yet is granted by the folder that it will appear in */
	int error;
};

static __u64 known_to(int abi)
{
	__u64 known = (PROCTOR_LANDLOCK_FS_MAKE_SYM << 1) - 1;

	if (abi >= LANDLOCK_ABI_REFER)
		known |= PROCTOR_LANDLOCK_FS_REFER;
	if (abi >= LANDLOCK_ABI_TRUNCATE)
		known |= PROCTOR_LANDLOCK_FS_TRUNCATE;
	return known;
}

static __u64 handled_by(const struct policy *policy)
{
	const __u64 handled = making | removing | writing | devices;

	if (!policy_allows_all(policy, CLASS_FILE, OP_READ))
		return handled | reading;
	/* Reads that no rule refuses stay in the kernel (filter.c) and should cost nothing; but for the
	 * right to truncate it would look at every open, whatever that is for (hook_file_open()). */
	return handled & ~PROCTOR_LANDLOCK_FS_TRUNCATE;
}

/* Opens the file or folder, or with `later` the nearest folder above it that there is. */
static int open_grant(const char *path, bool later)
{
	char name[PATH_MAX];
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd >= 0 || !later || strlen(path) >= sizeof(name))
		return fd;
	strcpy(name, path);
	for (char *slash = strrchr(name, '/'); fd < 0 && slash; slash = strrchr(name, '/')) {
		*slash = '\0';
		fd = open(slash == name ? "/" : name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd;
}

static void grant(const char *path, void *arg)
{
	/* "/proc/self" in a pattern is each process's own folder. */
	const bool proc = !strncmp(path, "/proc/", strlen("/proc/"));
	struct ruleset_builder *builder = arg;
	struct landlock_path_rule rule = {.allowed_access = builder->access};
	AUTO_CLOSE int fd = -1;
	struct stat stat;

	if (builder->error || (proc && !(builder->access & ~builder->proc)))
		return;
	if (proc)
		builder->proc |= builder->access;
	fd = open_grant(proc ? "/proc" : path, builder->later);
	if (fd < 0)
		return;
	if (fstat(fd, &stat) < 0) {
		builder->error = -errno;
		return;
	}
	rule.parent_fd = fd;
	rule.allowed_access &= S_ISDIR(stat.st_mode) ? builder->handled
						     : builder->handled & of_files;
	if (!rule.allowed_access)
		return;
	/* EBADFD: a pipe or socket behind the name, of which Landlock knows nothing. */
	if (syscall(SYS_landlock_add_rule, builder->fd, PROCTOR_LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 &&
	    errno != EBADFD)
		builder->error = -errno;
}

/*
 * Of the files that a rule names, one that does not exist yet can be left out: opens and changes are
 * the supervisor's. Not so of programs, which the tool itself executes.
 */
static void grant_policy(struct ruleset_builder *builder, const struct policy *policy)
{
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		builder->access = rights[i].access;
		builder->later = rights[i].class == CLASS_EXEC;
		policy_each_grant(policy, rights[i].class, rights[i].op, grant, builder);
	}
}

/* What the kernel opens for the tool by itself, whatever the policy names. */
static void grant_kernel(struct ruleset_builder *builder)
{
	/* ELF interpreters, at an exec. */
	static const char *const loaders[] = {
		"/lib64/ld-linux-x86-64.so.2",
		"/lib/ld-musl-x86_64.so.1",
	};

	builder->later = false;
	builder->access = PROCTOR_LANDLOCK_FS_READ_FILE | PROCTOR_LANDLOCK_FS_EXECUTE;
	for (size_t i = 0; i < sizeof(loaders) / sizeof(loaders[0]); i++)
		grant(loaders[i], builder);
	/* ioctl_tty(2), TIOCGPTPEER: the other end of a terminal of its own. */
	builder->access = PROCTOR_LANDLOCK_FS_READ_FILE | PROCTOR_LANDLOCK_FS_WRITE_FILE;
	grant("/dev/pts", builder);
}

int landlock_enter(const struct host *host, const struct policy *policy, bool enforce)
{
	struct landlock_ruleset_scoped attr = {0};
	struct ruleset_builder builder = {.fd = -1};
	AUTO_CLOSE int ruleset = -1;

	if (host->landlock_abi <= 0)
		return 0;
	/*
	 * Any domain keeps the tool from tracing processes outside, and with that from the way
	 * through /proc/PID/fd and /proc/PID/root of strangers, which O_PATH would find unasked.
	 * Without scopes it must handle something: what needs a privilege that the tool has not.
	 */
	if (host->landlock_abi >= LANDLOCK_ABI_SCOPES)
		attr.scoped = PROCTOR_LANDLOCK_SCOPE_SIGNAL;
	attr.handled_access_fs = PROCTOR_LANDLOCK_FS_MAKE_BLOCK;
	if (enforce)
		attr.handled_access_fs = handled_by(policy) & known_to(host->landlock_abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	builder.fd = ruleset;
	builder.handled = attr.handled_access_fs;
	if (enforce) {
		grant_policy(&builder, policy);
		grant_kernel(&builder);
	}
	if (builder.error)
		return builder.error;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}
