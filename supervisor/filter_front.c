/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in front of libseccomp's program: what it cannot say, or only slowly. */
#include "supervisor/filter_front.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/in6.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>

#include "preload/abi.h"
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
static const unsigned int library_messages[] = {(unsigned int)PRELOAD_WORD};

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
	{TRAP_REPORT, 0, COMMANDS(library_messages)},
#undef COMMANDS
};

static void emit(struct filter_front *front, struct sock_filter instruction)
{
	front->code[front->len++] = instruction;
}

static void load(struct filter_front *front, size_t offset)
{
	emit(front,
	     (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offset));
}

static void give(struct filter_front *front, unsigned int action)
{
	emit(front, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/*
 * Numbers that pass are allowed, by runs of numbers from small to large: a run ends where the first
 * number stands that is treated otherwise, and what is not known to the table never passes.
 */
static void assemble_passing(struct filter_front *front, const struct sensitivity *sensitive)
{
	unsigned short to_rest[FILTER_FRONT_MAX];
	const struct syscall_row *rows;
	size_t to_rest_count = 0;
	size_t count;

	rows = syscall_rows(&count);
	for (size_t i = 0; i < count;) {
		size_t end = i;

		while (end < count && rows[end].nr == rows[i].nr + (int)(end - i) &&
		       filter_passes(sensitive, &rows[end]))
			end++;
		if (end == i) {
			i++;
			continue;
		}
		emit(front, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K,
							     (unsigned int)rows[i].nr, 1, 0));
		to_rest[to_rest_count++] = front->len;
		emit(front, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
		emit(front, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K,
							     (unsigned int)rows[end - 1].nr, 1, 0));
		give(front, SECCOMP_RET_ALLOW);
		i = end;
	}
	for (size_t i = 0; i < to_rest_count; i++)
		front->code[to_rest[i]].k = front->len - to_rest[i] - 1U;
}

/*
 * clone3(2) is refused with ENOSYS whatever it asks for (handle_clone3()), and only an attempt to make
 * namespaces is worth a record. What it asks for stands in memory, so that it takes a notification to
 * tell. But the C library, which tries it with each thread, leaves more in the registers than the call
 * takes: the function that the thread is to begin with, which lies in the same library as the call, and
 * its argument. What looks so is answered by the filter. Whoever makes another clone3 look so on
 * purpose gets the same answer, without a record.
 */
enum {
	CLONE_ARGS_BYTES = 88,     /* as the C library knows them */
	LIBRARY_BYTES = 0x400000,  /* no further is the function from the call */
	FUNCTION_ALIGNMENT = 16,
	ARGUMENT_ALIGNMENT = 8,
};

/* Little-endian: the low half comes first. */
#define LOW(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define HIGH(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what) + 4)
#define TO_X BPF_STMT(BPF_MISC | BPF_TAX, 0)
/* The next but `steps` is the one that notifies. */
#define UNLESS(code, value, steps) BPF_JUMP(BPF_JMP | (code), value, 0, steps)
#define IF(code, value, steps) BPF_JUMP(BPF_JMP | (code), value, steps, 0)

static const struct sock_filter thread_start[] = {
	LOW(args[1]),
	UNLESS(BPF_JEQ | BPF_K, CLONE_ARGS_BYTES, 16),
	LOW(args[4]),
	IF(BPF_JSET | BPF_K, ARGUMENT_ALIGNMENT - 1, 14),
	HIGH(args[4]),
	IF(BPF_JEQ | BPF_K, 0, 12),
	HIGH(instruction_pointer),
	TO_X,
	HIGH(args[2]),
	UNLESS(BPF_JEQ | BPF_X, 0, 8),
	LOW(instruction_pointer),
	TO_X,
	LOW(args[2]),
	IF(BPF_JSET | BPF_K, FUNCTION_ALIGNMENT - 1, 4),
	BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
	BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, LIBRARY_BYTES),
	IF(BPF_JGE | BPF_K, 2 * LIBRARY_BYTES, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
};

static void assemble_thread_start(struct filter_front *front, const struct sensitivity *sensitive)
{
	const struct syscall_row *row = syscall_row(SYS_clone3);
	const size_t count = sizeof(thread_start) / sizeof(thread_start[0]);

	if (filter_denies(sensitive, row) || filter_passes(sensitive, row))
		return;
	emit(front, (struct sock_filter)UNLESS(BPF_JEQ | BPF_K, SYS_clone3, (unsigned char)count));
	for (size_t i = 0; i < count; i++)
		emit(front, thread_start[i]);
}

void filter_front_assemble(struct filter_front *front, const struct sensitivity *sensitive)
{
	const struct syscall_row *rows;
	size_t row_count;

	front->len = 0;
	rows = syscall_rows(&row_count);
	load(front, offsetof(struct seccomp_data, arch));
	emit(front,
	     (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	give(front, SECCOMP_RET_USER_NOTIF);
	load(front, offsetof(struct seccomp_data, nr));
	emit(front,
	     (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_SYSCALL_BIT, 0, 1));
	give(front, SECCOMP_RET_USER_NOTIF);
	for (size_t i = 0; i < row_count; i++) {
		for (size_t j = 0; j < sizeof(by_command) / sizeof(by_command[0]); j++) {
			const size_t count = by_command[j].count;

			if (rows[i].trap != by_command[j].trap || filter_denies(sensitive, &rows[i]) ||
			    (rows[i].trap == TRAP_REPORT && !sensitive->library))
				continue;
			emit(front, (struct sock_filter)BPF_JUMP(
						BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)rows[i].nr,
						0, (unsigned char)(count + 3)));
			/* Little-endian: the low half comes first. */
			load(front, offsetof(struct seccomp_data, args) +
						sizeof(uint64_t) * by_command[j].arg);
			for (size_t k = 0; k < count; k++)
				emit(front,
				     (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								  by_command[j].commands[k],
								  (unsigned char)(count - k), 0));
			give(front, SECCOMP_RET_ALLOW);
			give(front, SECCOMP_RET_USER_NOTIF);
		}
	}
	assemble_thread_start(front, sensitive);
	assemble_passing(front, sensitive);
}
