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

/* openat2(2), 5.6; glibc has no wrapper and <linux/openat2.h> clashes with <fcntl.h> on old systems. */
#include <linux/openat2.h>

/* landlock(7). The structure as of ABI 6; an older kernel takes a shorter one. */
struct landlock_ruleset_scoped {
	__u64 handled_access_fs;
	__u64 handled_access_net;
	__u64 scoped;
};
#define PROCTOR_LANDLOCK_FS_MAKE_BLOCK              (1ULL << 11)
#define PROCTOR_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define PROCTOR_LANDLOCK_SCOPE_SIGNAL               (1ULL << 1)
enum { LANDLOCK_ABI_SCOPES = 6 };

/* kernel-internal errno (include/linux/errno.h): makes the kernel restart or EINTR the call, as
 * the disposition of the pending signal asks. */
enum { KERNEL_ERESTARTSYS = 512 };

#endif
