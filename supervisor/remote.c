/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/inject.h"
#include "supervisor/notify.h"
#include "supervisor/session.h"
#include "supervisor/trace.h"
#include "supervisor/tracee.h"

enum {
	SYSCALL_INSN = 2,                  /* bytes of `syscall`, which the caller stands behind */
	SYSCALL_STOP = SIGTRAP | 0x80,     /* PTRACE_O_TRACESYSGOOD */
	RED_ZONE = 128,                    /* below the stack pointer, in use (System V ABI) */
};
static const uint64_t all_signals = ~0ULL;

struct remote {
	struct call *call;
	pid_t tid;
	struct user_regs_struct regs; /* as they were */
	uint64_t mask;
	bool gone;
};

/* Waits for the next stop: its kind (status >> 8), or -1 when the thread is gone. */
static int wait_stop(struct remote *remote)
{
	int status;

	for (unsigned int seconds = 0;;) {
		pid_t pid = waitpid(remote->tid, &status, __WALL | __WNOTHREAD);

		if (pid == remote->tid && WIFSTOPPED(status))
			return status >> 8;
		if (pid == remote->tid) {
			session_took(remote->call->session, pid, status);
			remote->gone = true;
			return -1;
		}
		if (pid < 0 && errno != EINTR) {
			remote->gone = true;
			return -1;
		}
		if (++seconds > PATIENCE)
			kill(call_tgid(remote->call), SIGKILL);
	}
}

/* Goes on to the next entry to, or exit from, a system call. False: it is gone. */
static bool next_syscall_stop(struct remote *remote)
{
	int sig = 0;

	for (;;) {
		int stop;

		if (ptrace(PTRACE_SYSCALL, remote->tid, NULL, (void *)(intptr_t)sig) < 0)
			remote->gone = true;
		stop = remote->gone ? -1 : wait_stop(remote);
		if (stop < 0)
			return false;
		if (stop == SYSCALL_STOP)
			return true;
		/* Only SIGSTOP can still be on its way to it; the stop itself is made up for when we
		 * let it go. */
		sig = stop >> 8 == PTRACE_EVENT_STOP ? 0 : stop & 0x7f;
	}
}

/* The thread makes the system call. Its result, or -EINTR when it is gone. */
static long remote_syscall(struct remote *remote, long nr, uint64_t a, uint64_t b, uint64_t c)
{
	struct user_regs_struct regs = remote->regs;

	regs.rip -= SYSCALL_INSN;
	regs.rax = (unsigned long)nr;
	regs.orig_rax = ~0UL;
	regs.rdi = a;
	regs.rsi = b;
	regs.rdx = c;
	if (ptrace(PTRACE_SETREGS, remote->tid, NULL, &regs) < 0 || !next_syscall_stop(remote))
		return -EINTR;
	/* Its code is the tool's to change. */
	if (ptrace(PTRACE_GETREGS, remote->tid, NULL, &regs) < 0 || (long)regs.orig_rax != nr ||
	    regs.rdi != a || regs.rsi != b || regs.rdx != c) {
		kill(call_tgid(remote->call), SIGKILL);
		return -EINTR;
	}
	if (!next_syscall_stop(remote) || ptrace(PTRACE_GETREGS, remote->tid, NULL, &regs) < 0)
		return -EINTR;
	return (long)regs.rax;
}

/* What recvmsg(2) works on, on the thread's stack. */
struct frame {
	struct msghdr header;
	struct iovec data;
	char byte;
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
};

static void lay_out(struct frame *frame, uint64_t at)
{
	memset(frame, 0, sizeof(*frame));
	frame->data.iov_base = (void *)(uintptr_t)(at + offsetof(struct frame, byte));
	frame->data.iov_len = 1;
	frame->header.msg_iov = (void *)(uintptr_t)(at + offsetof(struct frame, data));
	frame->header.msg_iovlen = 1;
	frame->header.msg_control = (void *)(uintptr_t)(at + offsetof(struct frame, control));
	frame->header.msg_controllen = sizeof(frame->control);
}

/* Takes what was sent through `socket`. The descriptor's number, or a negative errno. */
static long receive(struct remote *remote, int socket)
{
	const uint64_t at = (remote->regs.rsp - RED_ZONE - sizeof(struct frame)) & ~15ULL;
	struct call *call = remote->call;
	const struct cmsghdr *control;
	struct frame before;
	struct frame frame;
	int number = -EMFILE; /* no room for it: it came without */
	long got;

	lay_out(&frame, at);
	if (tracee_read(call, at, &before, sizeof(before)) < 0 ||
	    tracee_write(call, at, &frame, sizeof(frame)) < 0)
		return -ENOMEM;
	got = remote_syscall(remote, SYS_recvmsg, (uint64_t)socket, at, MSG_CMSG_CLOEXEC);
	if (remote->gone)
		return -EINTR;
	if (tracee_read(call, at, &frame, sizeof(frame)) < 0)
		got = -EFAULT;
	tracee_write(call, at, &before, sizeof(before));
	control = (const struct cmsghdr *)(const void *)frame.control;
	if (got == 1 && control->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&number, CMSG_DATA(control), sizeof(number));
	return got < 0 ? got : number;
}

/* The thread receives the O_PATH descriptor and has it under the number that the socket was lent by,
 * the lowest that was free. That number, or a negative errno. */
static long take_path(struct remote *remote, int socket, bool cloexec)
{
	long number = receive(remote, socket);
	long result = number;

	if (number >= 0) {
		result = remote_syscall(remote, SYS_dup3, (uint64_t)number, (uint64_t)socket,
					cloexec ? O_CLOEXEC : 0);
		if (!remote->gone)
			remote_syscall(remote, SYS_close, (uint64_t)number, 0, 0);
	}
	if (result < 0 && !remote->gone)
		remote_syscall(remote, SYS_close, (uint64_t)socket, 0, 0);
	return result;
}

static long change_folder(struct remote *remote, int socket)
{
	long number = take_path(remote, socket, true);
	long result = number;

	if (number < 0)
		return number;
	result = remote_syscall(remote, SYS_fchdir, (uint64_t)number, 0, 0);
	if (!remote->gone)
		remote_syscall(remote, SYS_close, (uint64_t)number, 0, 0);
	return result;
}

/* At the stop behind the answered call: takes what has to be put back. */
static bool begin(struct remote *remote)
{
	const size_t size = sizeof(remote->mask);

	return ptrace(PTRACE_GETREGS, remote->tid, NULL, &remote->regs) == 0 &&
	       ptrace(PTRACE_GETSIGMASK, remote->tid, size, &remote->mask) == 0 &&
	       ptrace(PTRACE_SETSIGMASK, remote->tid, size, &all_signals) == 0;
}

static void finish(struct remote *remote, long result)
{
	remote->regs.rax = (unsigned long)result;
	ptrace(PTRACE_SETREGS, remote->tid, NULL, &remote->regs);
	ptrace(PTRACE_SETSIGMASK, remote->tid, sizeof(remote->mask), &remote->mask);
}

/* A socket in which the descriptor waits to be received. */
static int send_path(int fd)
{
	char byte = 0;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
	struct msghdr header = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	AUTO_CLOSE int out = -1;
	AUTO_CLOSE int in = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	in = pair[0];
	out = pair[1];
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	return sendmsg(out, &header, MSG_NOSIGNAL) < 0 ? -errno : TAKE_FD(in);
}

enum deed { GIVE, GIVE_CLOEXEC, CHDIR };

static int trace(struct remote *remote, int fd, enum deed deed)
{
	struct call *call = remote->call;
	const struct ask ask = {.class = CLASS_FILE, .ops = {OP_READ}, .op_count = 1};
	AUTO_CLOSE int socket = send_path(fd);
	struct reply refused;
	long result;
	int number;
	int error;

	if (socket < 0)
		return notify_send(call, -socket, 0);
	if (ptrace(PTRACE_SEIZE, remote->tid, NULL, PTRACE_O_TRACESYSGOOD) < 0) {
		refused = call_refuse(call, &ask, EACCES, "the process is traced");
		return notify_reply(call, &refused);
	}
	ptrace(PTRACE_INTERRUPT, remote->tid, NULL, NULL);
	number = inject_silently(call, socket);
	error = number < 0 ? notify_send(call, -number, 0) : notify_send(call, 0, 0);
	if (wait_stop(remote) < 0)
		return 0;
	if (number >= 0 && error == 0 && begin(remote)) {
		result = deed == CHDIR ? change_folder(remote, number)
				       : take_path(remote, number, deed == GIVE_CLOEXEC);
		if (!remote->gone)
			finish(remote, result);
	}
	if (!remote->gone && ptrace(PTRACE_DETACH, remote->tid, NULL, NULL) < 0)
		wait_stop(remote);
	return error;
}

static int perform(struct call *call, int fd, enum deed deed)
{
	struct remote remote = {.call = call, .tid = call->request.tid};
	timer_t timer;
	int error;

	if (!patience_begin(&timer))
		return notify_send(call, EAGAIN, 0);
	/* As for an exec: the main loop must not take the stops of a child of ours. */
	pthread_rwlock_rdlock(&call->session->trace_lock);
	error = trace(&remote, fd, deed);
	pthread_rwlock_unlock(&call->session->trace_lock);
	patience_end(timer);
	return error;
}

int remote_give_path(struct call *call, int fd, bool cloexec)
{
	return perform(call, fd, cloexec ? GIVE_CLOEXEC : GIVE);
}

int remote_chdir(struct call *call, int fd)
{
	return perform(call, fd, CHDIR);
}
