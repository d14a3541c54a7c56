/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/call_rules.h"
#include "supervisor/filter_front.h"
#include "supervisor/handlers.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/table.h"

/* Flags with which an open may change something. */
static const uint64_t open_change_flags = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);

/*
 * A rule denies the call: it is notified whatever its arguments. Where nothing is refused that is left
 * to calls that are notified as a whole anyway, or never: their handlers are made for what comes to
 * them.
 */
bool filter_denies(const struct sensitivity *sensitive, const struct syscall_row *row)
{
	if (call_rule_of(sensitive->rules, row)->kind != CALL_DENIED)
		return false;
	return !sensitive->observe || row->trap == TRAP_NEVER || row->trap == TRAP_ALWAYS ||
	       row->trap == TRAP_CHANGE || row->trap == TRAP_OPENAT2;
}

/* Processes that share their descriptors have to be known: tracee_is_alone(). */
static bool sees_sharing(const struct sensitivity *sensitive)
{
	return sensitive->map || sensitive->network;
}

/* What makes processes is looked at for other reasons than to keep it shut: see handle_fork.c. */
static bool is_watched_fork(const struct sensitivity *sensitive, const struct syscall_row *row)
{
	return (sees_sharing(sensitive) || sensitive->processes) &&
	       (row->handler == handle_fork || row->handler == handle_clone3);
}

bool filter_passes(const struct sensitivity *sensitive, const struct syscall_row *row)
{
	if (filter_denies(sensitive, row))
		return false;
	if (call_rule_opens(sensitive->rules, row) && !is_watched_fork(sensitive, row))
		return true;
	switch (row->trap) {
	case TRAP_NEVER:
		return true;
	case TRAP_READ:
		return !sensitive->read;
	case TRAP_LOOK:
		return !sensitive->look;
	case TRAP_EXEC:
		return !sensitive->exec;
	case TRAP_MAP:
		return !sensitive->map;
	case TRAP_LIFE:
		return !sensitive->life;
	case TRAP_NET:
	case TRAP_MESSAGE:
		return !sensitive->network;
	case TRAP_ROOT:
		return !sensitive->root;
	case TRAP_DISGUISE:
		return !sensitive->disguise;
	case TRAP_NONZERO:
		return row->class == CLASS_NETWORK && !sensitive->network;
	case TRAP_FORK:
		return !sensitive->processes;
	case TRAP_DISK:
		return !sensitive->disk;
	case TRAP_REPORT:
		return !sensitive->library;
	default:
		return false;
	}
}

static int allow_if(scmp_filter_ctx context, const struct syscall_row *row, unsigned int arg,
		    uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp condition = {
		.arg = arg,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = mask,
		.datum_b = value,
	};

	return seccomp_rule_add_exact_array(context, SCMP_ACT_ALLOW, row->nr, 1, &condition);
}

/* mmap, mprotect, pkey_mprotect: `prot` is the third argument. Memory that is no file's is not
 * asked about as it is mapped; what mprotect finds there, only a look can tell. */
static int add_mapping(scmp_filter_ctx context, const struct syscall_row *row)
{
	int error = allow_if(context, row, 2, PROT_EXEC, 0);

	if (error < 0 || row->nr != SYS_mmap)
		return error;
	return allow_if(context, row, 3, MAP_ANONYMOUS, MAP_ANONYMOUS);
}

/* A process that shares the descriptors of another, or just one more. */
static int add_clone(scmp_filter_ctx context, const struct sensitivity *sensitive,
		     const struct syscall_row *row)
{
	const uint64_t not_shared = CLONE_NEW_FLAGS | (sees_sharing(sensitive) ? CLONE_FILES : 0);
	int error = sensitive->processes ? 0 : allow_if(context, row, 0, not_shared, 0);

	if (error < 0 || (!sees_sharing(sensitive) && !sensitive->processes))
		return error;
	return allow_if(context, row, 0, CLONE_NEW_FLAGS | CLONE_THREAD, CLONE_THREAD);
}

/* What is not allowed by a rule is notified: the program's default. What passes is decided in front of
 * the program (filter_front.c): a rule of libseccomp's for each would take most of the time that a start
 * takes. */
static int add_row(scmp_filter_ctx context, const struct sensitivity *sensitive,
		   const struct syscall_row *row)
{
	const uint64_t whole = ~0ULL;
	const uint64_t low = UINT32_MAX;
	int error;

	if (filter_passes(sensitive, row) || filter_denies(sensitive, row))
		return 0;
	switch (row->trap) {
	case TRAP_NEVER:
	case TRAP_ALWAYS:
	case TRAP_CHANGE:
	case TRAP_DISK:
	case TRAP_EXEC:
	case TRAP_FCNTL:
	case TRAP_FORK:
	case TRAP_IOCTL:
	case TRAP_LIFE:
	case TRAP_LOOK:
	case TRAP_NET:
	case TRAP_OPENAT2:
	case TRAP_PRCTL:
	case TRAP_READ:
	case TRAP_REPORT:
	case TRAP_ROOT:
	case TRAP_SOCKOPT:
		return 0;
	case TRAP_OPEN:
		/* O_PATH (other flags are ignored then) opens nothing: it is a look, as stat is, and
		 * whatever is done with it is asked about. A listener cannot inject it. */
		error = sensitive->look ? 0 : allow_if(context, row, row->trap_arg, O_PATH, O_PATH);
		if (error < 0 || sensitive->read || sensitive->look)
			return error;
		return allow_if(context, row, row->trap_arg, open_change_flags, 0);
	case TRAP_MAP:
		return add_mapping(context, row);
	case TRAP_CLONE:
		return add_clone(context, sensitive, row);
	case TRAP_DISGUISE:
		return row->trap_arg ? allow_if(context, row, row->trap_arg, whole, 0) : 0;
	case TRAP_NONZERO:
		return allow_if(context, row, row->trap_arg, whole, 0);
	case TRAP_MESSAGE:
		if (sensitive->datagrams)
			return 0;
		return allow_if(context, row, row->trap_arg, MSG_FASTOPEN, 0);
	case TRAP_NAMESPACES:
		return allow_if(context, row, row->trap_arg,
				CLONE_NEW_FLAGS | (row->nr == SYS_unshare ? UNSHARE_TIME_FLAG : 0),
				0);
	case TRAP_PERSONALITY: /* 0xffffffff asks, 0 (PER_LINUX) sets what is */
		error = allow_if(context, row, 0, low, low);
		return error < 0 ? error : allow_if(context, row, 0, low, 0);
	}
	return -EINVAL;
}

/* libseccomp's program as instructions (malloc). */
static int export(scmp_filter_ctx context, struct sock_fprog *ret)
{
	AUTO_CLOSE int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat stat;
	int error;

	if (fd < 0)
		return -errno;
	error = seccomp_export_bpf(context, fd);
	if (error < 0)
		return error;
	if (fstat(fd, &stat) < 0)
		return -errno;
	ret->filter = malloc((size_t)stat.st_size);
	if (!ret->filter)
		return -ENOMEM;
	if (pread(fd, ret->filter, (size_t)stat.st_size, 0) != stat.st_size)
		return -EIO;
	ret->len = (unsigned short)((size_t)stat.st_size / sizeof(struct sock_filter));
	return ret->len ? 0 : -EIO;
}

static int generate(const struct sensitivity *sensitivity, struct sock_fprog *ret)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_NOTIFY);
	const struct syscall_row *rows;
	size_t count;
	int error;

	if (!context)
		return -ENOMEM;
	rows = syscall_rows(&count);
	/* A binary tree: a call costs a handful of comparisons wherever its row stands. */
	error = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < count && error == 0; i++)
		error = add_row(context, sensitivity, &rows[i]);
	if (error == 0)
		error = export(context, ret);
	seccomp_release(context);
	return error;
}

int filter_build(const struct sensitivity *sensitivity, struct sock_fprog *ret, struct error *err)
{
	struct sock_fprog main_program = {0};
	struct filter_front front;
	int error = generate(sensitivity, &main_program);

	if (error < 0) {
		free(main_program.filter);
		return error_set(err, -error, "cannot build the seccomp filter");
	}
	filter_front_assemble(&front, sensitivity);
	ret->filter = calloc((size_t)front.len + main_program.len, sizeof(struct sock_filter));
	if (ret->filter && main_program.filter) {
		memcpy(ret->filter, front.code, front.len * sizeof(struct sock_filter));
		memcpy(ret->filter + front.len, main_program.filter,
		       main_program.len * sizeof(struct sock_filter));
		ret->len = (unsigned short)(front.len + main_program.len);
	}
	free(main_program.filter);
	return ret->filter ? 0 : error_set(err, ENOMEM, "cannot build the seccomp filter");
}

void filter_free(struct sock_fprog *program)
{
	free(program->filter);
	program->filter = NULL;
}

int filter_install(const struct sock_fprog *program, bool *ret_wait_killable)
{
	const unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, program);

	*ret_wait_killable = fd >= 0;
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
	return fd < 0 ? -errno : (int)fd;
}
