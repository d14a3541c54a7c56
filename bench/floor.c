/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor [-n] COMMAND [ARG...]
 *
 * The least that a supervisor of openat(2) can do: receive the notification, copy the path, open
 * it, give the descriptor with the reply (SECCOMP_ADDFD_FLAG_SEND, one ioctl), close. No policy,
 * no check, no record, no hint to the scheduler: it protects from nothing, and is what proctor's
 * own open is measured against.
 *
 * -n: opens with O_NONBLOCK are answered ENOENT without a look at anything, the waiting side woken
 * where it waits (6.6): the bare notification.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP /* 6.6 */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#endif

enum { PAGE = 4096 };

struct supervisor {
	int listener;
	bool bare;
};

/* Returns the listener, or -1 and errno. */
static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int listener;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
	if (listener < 0 && errno == EINVAL)
		listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	return listener;
}

/* Copies a string that ends within PATH_MAX, a page at a time as the next may not be there. */
static int copy_path(pid_t pid, uint64_t addr, char path[PATH_MAX])
{
	size_t have = 0;

	while (have < PATH_MAX) {
		size_t want = PAGE - (addr + have) % PAGE;
		struct iovec local = {.iov_base = path + have};
		struct iovec remote = {.iov_base = (void *)(uintptr_t)(addr + have)};
		ssize_t got;

		if (want > PATH_MAX - have)
			want = PATH_MAX - have;
		local.iov_len = remote.iov_len = want;
		got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
		if (got < 0)
			return -EFAULT;
		if (memchr(path + have, '\0', (size_t)got))
			return 0;
		have += (size_t)got;
	}
	return -ENAMETOOLONG;
}

static int open_for(const struct seccomp_notif *notif)
{
	const __u64 *args = notif->data.args;
	char path[PATH_MAX];
	int error = copy_path((pid_t)notif->pid, args[1], path);
	int fd;

	if (error)
		return error;
	if (path[0] != '/' && (int)args[0] != AT_FDCWD)
		return -ENOTSUP;
	fd = open(path, (int)args[2] | O_CLOEXEC, (mode_t)args[3]);
	return fd < 0 ? -errno : fd;
}

static void answer(const struct supervisor *supervisor, const struct seccomp_notif *notif)
{
	const int listener = supervisor->listener;
	int fd = supervisor->bare && (notif->data.args[2] & O_NONBLOCK) ? -ENOENT : open_for(notif);

	if (fd >= 0) {
		struct seccomp_notif_addfd addfd = {
			.id = notif->id,
			.flags = SECCOMP_ADDFD_FLAG_SEND,
			.srcfd = (__u32)fd,
			.newfd_flags = (__u32)(notif->data.args[2] & O_CLOEXEC),
		};

		ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd);
		close(fd);
	} else {
		struct seccomp_notif_resp resp = {.id = notif->id, .error = fd};

		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
	}
}

static void *supervise(void *arg)
{
	const struct supervisor *supervisor = arg;

	for (;;) {
		struct seccomp_notif notif = {0};

		if (!ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_RECV, &notif))
			answer(supervisor, &notif);
		else if (errno != EINTR && errno != ENOENT)
			err(125, "receive");
	}
	return NULL;
}

/* Tells the parent the number of the listener, and execs when it was taken. */
static _Noreturn void run_child(const int to_parent[2], const int to_child[2], char **argv)
{
	int listener = install_filter();
	char go;

	if (listener < 0)
		err(125, "seccomp");
	if (write(to_parent[1], &listener, sizeof(listener)) != sizeof(listener) ||
	    read(to_child[0], &go, 1) != 1)
		err(125, "hand-over");
	close(listener);
	execvp(argv[1], argv + 1);
	err(errno == ENOENT ? 127 : 126, "%s", argv[1]);
}

/* The child's descriptor whose number comes through `pipe`, as one of ours. */
static int take_listener(pid_t child, int pipe)
{
	int number, pidfd, listener;

	if (read(pipe, &number, sizeof(number)) != sizeof(number))
		errx(125, "the child did not start");
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (listener < 0)
		err(125, "pidfd_getfd");
	close(pidfd);
	return listener;
}

int main(int argc, char **argv)
{
	int to_parent[2], to_child[2], status;
	struct supervisor supervisor = {.bare = argc > 1 && !strcmp(argv[1], "-n")};
	pthread_t thread;
	pid_t child;

	if (supervisor.bare)
		argc--, argv++;
	if (argc < 2)
		errx(125, "usage: floor [-n] COMMAND [ARG...]");
	if (pipe2(to_parent, O_CLOEXEC) || pipe2(to_child, O_CLOEXEC))
		err(125, "pipe2");
	child = fork();
	if (child < 0)
		err(125, "fork");
	if (!child)
		run_child(to_parent, to_child, argv);
	close(to_parent[1]);
	supervisor.listener = take_listener(child, to_parent[0]);
	if (supervisor.bare)
		ioctl(supervisor.listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		      SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	if (pthread_create(&thread, NULL, supervise, &supervisor))
		errx(125, "cannot start a thread");
	if (write(to_child[1], "", 1) != 1)
		err(125, "hand-over");
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
