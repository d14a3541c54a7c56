/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_KERNEL_ABI_H
#define PROCTOR_SUPERVISOR_KERNEL_ABI_H

/*
 * Kernel interfaces that are newer than the headers we may be built with. Whether the running
 * kernel has them is asked at run time.
 */

#include <linux/seccomp.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP /* 6.6 */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#endif

#ifndef PIDFD_THREAD /* 6.9, pidfd_open(2) */
#define PIDFD_THREAD O_EXCL
#endif

/* ioctl_pidfd(2): PIDFD_GET_INFO, 6.13; how the process ended, 6.15 */
struct kernel_pidfd_info {
	__u64 mask;
	__u64 cgroupid;
	__u32 pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	__s32 exit_code;
};
#define KERNEL_PIDFD_GET_INFO  _IOWR(0xFF, 11, struct kernel_pidfd_info)
#define KERNEL_PIDFD_INFO_EXIT (1ULL << 3)

/* openat2(2), 5.6; glibc has no wrapper and <linux/openat2.h> clashes with <fcntl.h> on old systems. */
#include <linux/openat2.h>

/* What asks for namespaces of one's own (<sched.h>). The last only in unshare(2) and clone3(2): in
 * clone(2) its bit is part of the exit signal. */
#define CLONE_NEW_FLAGS                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |            \
	 CLONE_NEWPID | CLONE_NEWNET)
#define UNSHARE_TIME_FLAG 0x00000080UL /* CLONE_NEWTIME */

/* setxattrat(2) and its like, 6.13; file_setattr(2), 6.17 */
enum {
	PROCTOR_SYS_setxattrat = 463,
	PROCTOR_SYS_getxattrat = 464,
	PROCTOR_SYS_listxattrat = 465,
	PROCTOR_SYS_removexattrat = 466,
	PROCTOR_SYS_file_getattr = 468,
	PROCTOR_SYS_file_setattr = 469,
};
struct kernel_xattr_args {
	__u64 value;
	__u32 size;
	__u32 flags;
};

/* of file_setattr(2) */
struct kernel_file_attr {
	__u64 fa_xflags;
	__u32 fa_extsize;
	__u32 fa_nextents;
	__u32 fa_projid;
	__u32 fa_cowextsize;
};

/* landlock(7), 5.13. The structure as of ABI 6; an older kernel takes a shorter one. */
struct landlock_ruleset_scoped {
	__u64 handled_access_fs;
	__u64 handled_access_net;
	__u64 scoped;
};
struct landlock_path_rule {
	__u64 allowed_access;
	__s32 parent_fd;
} __attribute__((packed));
enum { PROCTOR_LANDLOCK_RULE_PATH_BENEATH = 1 };
#define PROCTOR_LANDLOCK_FS(bit)                    (1ULL << (bit))
#define PROCTOR_LANDLOCK_FS_EXECUTE                 PROCTOR_LANDLOCK_FS(0)
#define PROCTOR_LANDLOCK_FS_WRITE_FILE              PROCTOR_LANDLOCK_FS(1)
#define PROCTOR_LANDLOCK_FS_READ_FILE               PROCTOR_LANDLOCK_FS(2)
#define PROCTOR_LANDLOCK_FS_READ_DIR                PROCTOR_LANDLOCK_FS(3)
#define PROCTOR_LANDLOCK_FS_REMOVE_DIR              PROCTOR_LANDLOCK_FS(4)
#define PROCTOR_LANDLOCK_FS_REMOVE_FILE             PROCTOR_LANDLOCK_FS(5)
#define PROCTOR_LANDLOCK_FS_MAKE_CHAR               PROCTOR_LANDLOCK_FS(6)
#define PROCTOR_LANDLOCK_FS_MAKE_DIR                PROCTOR_LANDLOCK_FS(7)
#define PROCTOR_LANDLOCK_FS_MAKE_REG                PROCTOR_LANDLOCK_FS(8)
#define PROCTOR_LANDLOCK_FS_MAKE_SOCK               PROCTOR_LANDLOCK_FS(9)
#define PROCTOR_LANDLOCK_FS_MAKE_FIFO               PROCTOR_LANDLOCK_FS(10)
#define PROCTOR_LANDLOCK_FS_MAKE_BLOCK              PROCTOR_LANDLOCK_FS(11)
#define PROCTOR_LANDLOCK_FS_MAKE_SYM                PROCTOR_LANDLOCK_FS(12)
#define PROCTOR_LANDLOCK_FS_REFER                   PROCTOR_LANDLOCK_FS(13)
#define PROCTOR_LANDLOCK_FS_TRUNCATE                PROCTOR_LANDLOCK_FS(14)
#define PROCTOR_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define PROCTOR_LANDLOCK_SCOPE_SIGNAL               (1ULL << 1)
enum { LANDLOCK_ABI_REFER = 2, LANDLOCK_ABI_TRUNCATE = 3, LANDLOCK_ABI_SCOPES = 6 };

/* kernel-internal errno (include/linux/errno.h): makes the kernel restart or EINTR the call, as
 * the disposition of the pending signal asks. */
enum { KERNEL_ERESTARTSYS = 512 };

#endif
