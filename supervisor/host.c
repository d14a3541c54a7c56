/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/filter.h"
#include "supervisor/kernel_abi.h"

enum { LANDLOCK_CREATE_RULESET_VERSION_FLAG = 1 };

void host_probe_quick(struct host *ret)
{
	AUTO_CLOSE int thread = -1;
	struct utsname name;
	long abi;

	memset(ret, 0, sizeof(*ret));
	ret->yama = -1;
	if (uname(&name) == 0)
		snprintf(ret->release, sizeof(ret->release), "%s", name.release);
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION_FLAG);
	ret->landlock_abi = abi > 0 ? (int)abi : 0;
	thread = pidfd_open(getpid(), PIDFD_THREAD);
	ret->pidfd_thread = thread >= 0;
}

/* What the child of host_probe() found, and where its listener is. */
struct trial {
	int listener;
	bool wait_killable;
};

/* A confined child that waits to be looked at, and killed. */
static _Noreturn void trial_child(int out)
{
	const struct sensitivity all = {.read = true, .look = true, .exec = true, .network = true};
	struct trial trial = {.listener = -1};
	struct sock_fprog program;
	struct error err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	trial.listener = filter_build(&all, &program, &err);
	if (trial.listener == 0)
		trial.listener = filter_install(&program, &trial.wait_killable);
	(void)!write(out, &trial, sizeof(trial));
	for (;;)
		pause();
}

static void probe_listener(struct host *host, pid_t child, const struct trial *trial)
{
	AUTO_CLOSE int pidfd = pidfd_open(child, 0);
	AUTO_CLOSE int listener = -1;

	host->notify = trial->listener != -ENOSYS && trial->listener != -EINVAL;
	host->listener_free = trial->listener >= 0;
	host->wait_killable = trial->wait_killable;
	if (pidfd < 0 || trial->listener < 0)
		return;
	listener = pidfd_getfd(pidfd, trial->listener, 0);
	host->pidfd_getfd = listener >= 0;
	host->sync_wake = listener >= 0 && ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
						 SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0;
}

static void probe_trace(struct host *host, pid_t child)
{
	host->trace_child = ptrace(PTRACE_SEIZE, child, NULL, PTRACE_O_TRACEEXEC) == 0;
}

static int read_yama(void)
{
	AUTO_FILE FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (file && fscanf(file, "%d", &scope) != 1)
		scope = -1;
	return scope;
}

void host_probe(struct host *ret)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC};
	AUTO_CLOSE int root = -1;
	struct trial trial;
	int out[2];
	pid_t child;

	host_probe_quick(ret);
	ret->yama = read_yama();
	root = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));
	ret->openat2 = root >= 0;
	if (pipe2(out, O_CLOEXEC) < 0)
		return;
	child = fork();
	if (child == 0)
		trial_child(out[1]);
	close(out[1]);
	if (child > 0) {
		if (read(out[0], &trial, sizeof(trial)) == sizeof(trial)) {
			probe_listener(ret, child, &trial);
			probe_trace(ret, child);
		}
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	close(out[0]);
}

bool host_has_call(int nr)
{
	return syscall(nr, -1, NULL, -1, NULL, NULL, 0) >= 0 || errno != ENOSYS;
}

int host_check(const struct host *host, struct error *err)
{
	if (!host->notify)
		return error_set(err, 0,
				 "the kernel (%s) has no seccomp user notification with descriptor "
				 "injection; Linux 5.9 or later is needed",
				 host->release);
	if (!host->listener_free)
		return error_set(err, 0,
				 "a seccomp listener is already installed on this process (a "
				 "container manager, or proctor inside proctor): a second one is "
				 "not possible");
	if (!host->openat2)
		return error_set(err, 0, "openat2 is not available (Linux 5.6, or a container's "
					 "seccomp profile that blocks it)");
	if (!host->pidfd_getfd)
		return error_set(err, 0, "pidfd_getfd on a child is not allowed here");
	if (!host->trace_child)
		return error_set(err, 0,
				 "ptrace of a child is not allowed here (kernel.yama.ptrace_scope "
				 "is %d; 0 to 2 will do)",
				 host->yama);
	return 0;
}
