/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/call_rules.h"
#include "supervisor/handlers.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/table.h"

enum { X32_SYSCALL_BIT = 0x40000000 };

/*
 * Calls of which only some commands are notified. libseccomp has no "none of these values", so
 * these are decided in front of its program, on the 32 bits that the kernel looks at.
 */
static const unsigned int ioctl_commands[] = {
	TIOCSTI,   TIOCLINUX, FS_IOC_SETFLAGS,   FS_IOC32_SETFLAGS,   FS_IOC_FSSETXATTR,
	FIOSETOWN, SIOCSPGRP, FS_IOC_SETVERSION, FS_IOC32_SETVERSION,
	/* Of any file that is open for reading; their headers need not be there. */
	0x40806685, /* FS_IOC_ENABLE_VERITY */
	0x40047211, /* FAT_IOCTL_SET_ATTRIBUTES */
	/* These make and remove entries of a folder that is open for reading; a snapshot shows
	 * what it is made of under another name. */
	0x50009401, /* BTRFS_IOC_SNAP_CREATE */
	0x5000940e, /* BTRFS_IOC_SUBVOL_CREATE */
	0x5000940f, /* BTRFS_IOC_SNAP_DESTROY */
	0x50009417, /* BTRFS_IOC_SNAP_CREATE_V2 */
	0x50009418, /* BTRFS_IOC_SUBVOL_CREATE_V2 */
	0x5000943f, /* BTRFS_IOC_SNAP_DESTROY_V2 */
	0x4008941a, /* BTRFS_IOC_SUBVOL_SETFLAGS */
	0x40186f04, /* OCFS2_IOC_REFLINK */
	0x4020bc10, /* BCH_IOCTL_SUBVOLUME_CREATE */
	0x4020bc11, /* BCH_IOCTL_SUBVOLUME_DESTROY */
	0x8008bc40, /* BCHFS_IOC_REINHERIT_ATTRS */
	/* These ask for the owner, not for a descriptor that may write. */
	0x40086604, /* EXT4_IOC_SETVERSION */
	0x6609,     /* EXT4_IOC_MIGRATE */
	0xc0c89425, /* BTRFS_IOC_SET_RECEIVED_SUBVOL */
	0x4004f50d, /* F2FS_IOC_SET_PIN_FILE */
	0x8008f512, /* F2FS_IOC_RELEASE_COMPRESS_BLOCKS */
	0x8008f513, /* F2FS_IOC_RESERVE_COMPRESS_BLOCKS */
	/* fscrypt: makes an empty folder an encrypted one; opens and locks what is encrypted for
	 * everybody, through any descriptor of the file system. */
	0x800c6613, /* FS_IOC_SET_ENCRYPTION_POLICY */
	0xc0506617, /* FS_IOC_ADD_ENCRYPTION_KEY */
	0xc0406618, /* FS_IOC_REMOVE_ENCRYPTION_KEY */
	0xc0406619, /* FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS */
	0xaa00,     /* USERFAULTFD_IOC_NEW: the system call by another door */
};
/* Not F_NOTIFY: it is for folders that are open for reading, which was asked about. */
static const unsigned int fcntl_commands[] = {F_SETOWN, F_SETOWN_EX, F_SETLEASE};
/* Of whatever level: handle_setsockopt() looks at that. */
static const unsigned int socket_options[] = {
	IP_OPTIONS,
	IPV6_2292RTHDR,
	IPV6_2292PKTOPTIONS,
	IPV6_FLOWLABEL_MGR,
	IPV6_RTHDR,
	/* Multicast groups, see net_group.h. */
	IP_ADD_MEMBERSHIP,
	IP_ADD_SOURCE_MEMBERSHIP,
	IP_BLOCK_SOURCE,
	IP_UNBLOCK_SOURCE,
	IP_MSFILTER,
	IPV6_JOIN_GROUP,
	MCAST_JOIN_GROUP,
	MCAST_JOIN_SOURCE_GROUP,
	MCAST_BLOCK_SOURCE,
	MCAST_UNBLOCK_SOURCE,
	MCAST_MSFILTER,
};
static const unsigned int prctl_commands[] = {PR_SET_DUMPABLE, PR_SET_MM, 62 /* PR_SCHED_CORE */};

static const struct {
	enum trap trap;
	unsigned int arg;
	const unsigned int *commands;
	size_t count;
} by_command[] = {
#define COMMANDS(list) (list), sizeof(list) / sizeof((list)[0])
	{TRAP_IOCTL, 1, COMMANDS(ioctl_commands)},
	{TRAP_FCNTL, 1, COMMANDS(fcntl_commands)},
	{TRAP_PRCTL, 0, COMMANDS(prctl_commands)},
	{TRAP_SOCKOPT, 2, COMMANDS(socket_options)},
#undef COMMANDS
};

/* Flags with which an open may change something. */
static const uint64_t open_change_flags = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);

/*
 * A rule denies the call: it is notified whatever its arguments. Where nothing is refused that is left
 * to calls that are notified as a whole anyway, or never: their handlers are made for what comes to
 * them.
 */
static bool is_denied(const struct sensitivity *sensitive, const struct syscall_row *row)
{
	if (call_rule_of(sensitive->rules, row)->kind != CALL_DENIED)
		return false;
	return !sensitive->observe || row->trap == TRAP_NEVER || row->trap == TRAP_ALWAYS ||
	       row->trap == TRAP_CHANGE || row->trap == TRAP_OPENAT2;
}

/* What makes processes is looked at for other reasons than to keep it shut: see handle_fork.c. */
static bool is_watched_fork(const struct sensitivity *sensitive, const struct syscall_row *row)
{
	return (sensitive->map || sensitive->processes) &&
	       (row->handler == handle_fork || row->handler == handle_clone3);
}

/* Calls that are never notified, whatever their arguments. */
static bool passes(const struct sensitivity *sensitive, const struct syscall_row *row)
{
	if (is_denied(sensitive, row))
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

/* A process that shares the descriptors of another (see mapping.h), or just one more. */
static int add_clone(scmp_filter_ctx context, const struct sensitivity *sensitive,
		     const struct syscall_row *row)
{
	const uint64_t not_shared = CLONE_NEW_FLAGS | (sensitive->map ? CLONE_FILES : 0);
	int error = sensitive->processes ? 0 : allow_if(context, row, 0, not_shared, 0);

	if (error < 0 || (!sensitive->map && !sensitive->processes))
		return error;
	return allow_if(context, row, 0, CLONE_NEW_FLAGS | CLONE_THREAD, CLONE_THREAD);
}

/* What is not allowed by a rule is notified: the program's default. What passes() is decided in front
 * of the program: a rule of libseccomp's for each would take most of the time that a start takes. */
static int add_row(scmp_filter_ctx context, const struct sensitivity *sensitive,
		   const struct syscall_row *row)
{
	const uint64_t whole = ~0ULL;
	const uint64_t low = UINT32_MAX;
	int error;

	if (passes(sensitive, row) || is_denied(sensitive, row))
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

enum { FRONT_MAX = 1024 };

struct assembler {
	struct sock_filter code[FRONT_MAX];
	unsigned short len;
};

static void emit(struct assembler *assembler, struct sock_filter instruction)
{
	assembler->code[assembler->len++] = instruction;
}

static void load(struct assembler *assembler, size_t offset)
{
	emit(assembler,
	     (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offset));
}

static void give(struct assembler *assembler, unsigned int action)
{
	emit(assembler, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/*
 * Numbers that pass are allowed, by runs of numbers from small to large: a run ends where the first
 * number stands that is treated otherwise, and what is not known to the table never passes.
 */
static void assemble_passing(struct assembler *assembler, const struct sensitivity *sensitive)
{
	unsigned short to_rest[FRONT_MAX];
	const struct syscall_row *rows;
	size_t to_rest_count = 0;
	size_t count;

	rows = syscall_rows(&count);
	for (size_t i = 0; i < count;) {
		size_t end = i;

		while (end < count && rows[end].nr == rows[i].nr + (int)(end - i) &&
		       passes(sensitive, &rows[end]))
			end++;
		if (end == i) {
			i++;
			continue;
		}
		emit(assembler, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K,
							     (unsigned int)rows[i].nr, 1, 0));
		to_rest[to_rest_count++] = assembler->len;
		emit(assembler, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
		emit(assembler, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K,
							     (unsigned int)rows[end - 1].nr, 1, 0));
		give(assembler, SECCOMP_RET_ALLOW);
		i = end;
	}
	for (size_t i = 0; i < to_rest_count; i++)
		assembler->code[to_rest[i]].k = assembler->len - to_rest[i] - 1U;
}

/* In front of libseccomp's program: foreign ABIs are notified (to be recorded and killed), the
 * calls of by_command[] are decided, and what passes is allowed. */
static void assemble_front(struct assembler *assembler, const struct sensitivity *sensitive)
{
	const struct syscall_row *rows;
	size_t row_count;

	rows = syscall_rows(&row_count);
	load(assembler, offsetof(struct seccomp_data, arch));
	emit(assembler,
	     (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	give(assembler, SECCOMP_RET_USER_NOTIF);
	load(assembler, offsetof(struct seccomp_data, nr));
	emit(assembler,
	     (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_SYSCALL_BIT, 0, 1));
	give(assembler, SECCOMP_RET_USER_NOTIF);
	for (size_t i = 0; i < row_count; i++) {
		for (size_t j = 0; j < sizeof(by_command) / sizeof(by_command[0]); j++) {
			const size_t count = by_command[j].count;

			if (rows[i].trap != by_command[j].trap || is_denied(sensitive, &rows[i]))
				continue;
			emit(assembler, (struct sock_filter)BPF_JUMP(
						BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)rows[i].nr,
						0, (unsigned char)(count + 3)));
			/* Little-endian: the low half comes first. */
			load(assembler, offsetof(struct seccomp_data, args) +
						sizeof(uint64_t) * by_command[j].arg);
			for (size_t k = 0; k < count; k++)
				emit(assembler,
				     (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								  by_command[j].commands[k],
								  (unsigned char)(count - k), 0));
			give(assembler, SECCOMP_RET_ALLOW);
			give(assembler, SECCOMP_RET_USER_NOTIF);
		}
	}
	assemble_passing(assembler, sensitive);
}

int filter_build(const struct sensitivity *sensitivity, struct sock_fprog *ret, struct error *err)
{
	struct sock_fprog main_program = {0};
	struct assembler front = {.len = 0};
	int error = generate(sensitivity, &main_program);

	if (error < 0) {
		free(main_program.filter);
		return error_set(err, -error, "cannot build the seccomp filter");
	}
	assemble_front(&front, sensitivity);
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
