/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/capture.h"
#include "supervisor/filter.h"
#include "supervisor/landlock.h"

/* Where the child keeps its ends of the pipes. */
enum { GO_FD = 3, STATUS_FD = 4, LISTENER_FD = 5 };

/* What the child says through the status pipe. */
struct child_status {
	int error;        /* 0: the filter comes next, and the listener is LISTENER_FD; or an errno */
	char what[32];    /* the step that failed */
};

int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	/* EPERM without CAP_SETPCAP: then an exec cannot raise any either, under no_new_privs. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/*
 * A core dump is a file that the kernel itself writes, with the tool's memory in it, into whatever
 * folder the tool has gone to. 1 byte, not 0: then core_pattern(5) starts no program either.
 */
static int forbid_core_dumps(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return -errno;
	limit.rlim_max = limit.rlim_max ? 1 : 0;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_CORE, &limit) < 0 ? -errno : 0;
}

/* No more than what the policy says, nor than what there was before. */
static int set_limit(const struct policy *policy, enum policy_limit_kind kind,
		     __rlimit_resource_t resource)
{
	const struct policy_limit *wanted = policy_limit(policy, kind);
	struct rlimit limit;

	if (!wanted)
		return 0;
	if (getrlimit(resource, &limit) < 0)
		return -errno;
	if (wanted->value < limit.rlim_max)
		limit.rlim_max = wanted->value;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

/* Limits that the kernel holds for each process; none of them can be raised again. */
static int set_limits(const struct policy *policy)
{
	int error = set_limit(policy, LIMIT_OPEN_FILES, RLIMIT_NOFILE);

	return error < 0 ? error : set_limit(policy, LIMIT_FILE_SIZE, RLIMIT_FSIZE);
}

static _Noreturn void child_fail(const char *what, int error)
{
	struct child_status status = {.error = error};

	strncpy(status.what, what, sizeof(status.what) - 1);
	(void)!write(STATUS_FD, &status, sizeof(status));
	_exit(EXIT_PROCTOR_FAILED);
}

/* Moves the pipe ends to their places and closes everything else above 2. */
static void settle_descriptors(int go, int status)
{
	int high_go = fcntl(go, F_DUPFD_CLOEXEC, STATUS_FD + 1);
	int high_status = fcntl(status, F_DUPFD_CLOEXEC, STATUS_FD + 1);

	if (high_go < 0 || high_status < 0 || dup3(high_status, STATUS_FD, O_CLOEXEC) < 0)
		_exit(EXIT_PROCTOR_FAILED);
	if (dup3(high_go, GO_FD, O_CLOEXEC) < 0 ||
	    syscall(SYS_close_range, STATUS_FD + 1, ~0U, 0) < 0)
		child_fail("close_range", errno);
}

/* As execvp(3) does with a file that the kernel does not know how to run. */
static void execute_by_shell(const struct run_config *config)
{
	static char shell[] = "/bin/sh";
	size_t count = 0;
	char **argv;

	while (config->command[count])
		count++;
	argv = calloc(count + 2, sizeof(*argv));
	if (!argv)
		return;
	argv[0] = shell;
	argv[1] = strdup(config->program);
	for (size_t i = 1; i < count; i++)
		argv[i + 1] = config->command[i];
	execve(shell, argv, config->environment);
}

static _Noreturn void child(const struct run_config *config, const struct host *host,
			    const struct sock_fprog *filter,
			    const struct inherited_signals *signals, const struct capture *capture,
			    int go, int status_fd)
{
	struct child_status status = {0};
	bool wait_killable;
	int listener;
	char byte;
	int error;

	error = capture ? capture_enter(capture) : 0;
	settle_descriptors(go, status_fd);
	if (error < 0)
		child_fail("standard output", -error);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		child_fail("PR_SET_PDEATHSIG", errno);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		child_fail("PR_SET_NO_NEW_PRIVS", errno);
	/* The supervisor, which is not dumpable, has to read us. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		child_fail("PR_SET_DUMPABLE", errno);
	error = forbid_core_dumps();
	if (error < 0)
		child_fail("RLIMIT_CORE", -error);
	error = landlock_enter(host, config->policy, !config->observe);
	if (error < 0)
		child_fail("Landlock", -error);
	if (signals->ignores_children)
		signal(SIGCHLD, SIG_IGN);
	if (sigprocmask(SIG_SETMASK, &signals->blocked, NULL) < 0)
		child_fail("sigprocmask", errno);
	if (write(STATUS_FD, &status, sizeof(status)) != sizeof(status))
		_exit(EXIT_PROCTOR_FAILED);
	listener = filter_install(filter, &wait_killable);
	if (listener != LISTENER_FD)
		child_fail("seccomp", listener < 0 ? -listener : EBADF);
	/* From here on every notified call waits for the supervisor, and any call may be notified. */
	error = set_limits(config->policy);
	if (error < 0)
		child_fail("limits", -error);
	if (read(GO_FD, &byte, 1) != 1)
		_exit(EXIT_PROCTOR_FAILED);
	close(listener);
	execve(config->program, config->command, config->environment);
	if (errno == ENOEXEC)
		execute_by_shell(config);
	error = errno;
	(void)!write(STATUS_FD, &error, sizeof(error));
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}

/*
 * The child has ended, or is about to, without our doing: takes its status. `go` is closed first, so
 * that one that lives after all ends as well and nobody waits for ever.
 */
static int child_ended(struct launch *launch, struct error *err)
{
	int ended;

	close_fd(&launch->go);
	while (waitpid(launch->pid, &ended, 0) < 0) {
		if (errno != EINTR)
			return error_set(err, errno, "waitpid");
	}
	if (WIFSIGNALED(ended))
		launch->killed_by = WTERMSIG(ended);
	launch->pid = -1;
	return error_set(err, ECHILD, "the tool's process ended before it could start");
}

/* Reads one word of the child's. 0, or a negative errno and *err: it failed, or has ended. */
static int read_status(struct launch *launch, struct error *err)
{
	struct child_status status;
	ssize_t got;

	do
		got = read(launch->status, &status, sizeof(status));
	while (got < 0 && errno == EINTR);
	if (got != sizeof(status))
		return child_ended(launch, err);
	if (status.error == EBUSY)
		return error_set(err, 0,
				 "this process is under a seccomp supervisor already (proctor inside "
				 "proctor, or a container's), and the kernel takes only one");
	if (status.error)
		return error_set(err, status.error, "cannot confine the tool: %s", status.what);
	return 0;
}

/*
 * Takes the listener out of the child, which says that it is about to make it and then nothing more:
 * what it could say it with may be a call that the filter notifies.
 */
static int take_listener(struct launch *launch, struct error *err)
{
	const struct timespec pause = {.tv_nsec = 20000};
	struct pollfd word = {.fd = launch->status, .events = POLLIN};
	AUTO_CLOSE int pidfd = -1;
	int error = read_status(launch, err);

	if (error < 0)
		return error;
	pidfd = pidfd_open(launch->pid, 0);
	if (pidfd < 0)
		return error_set(err, errno, "pidfd_open");
	while ((launch->listener = pidfd_getfd(pidfd, LISTENER_FD, 0)) < 0) {
		if (errno != EBADF && errno != ESRCH)
			return error_set(err, errno,
					 "cannot take the seccomp listener (pidfd_getfd)");
		if (poll(&word, 1, 0) > 0) {
			error = read_status(launch, err);
			return error < 0 ? error : child_ended(launch, err);
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

int launch_tool(const struct run_config *config, const struct host *host,
		const struct sock_fprog *filter, const struct inherited_signals *signals,
		const struct capture *capture, struct launch *ret, struct error *err)
{
	int go[2];
	int status[2];
	int error;

	*ret = (struct launch){.listener = -1, .go = -1, .status = -1};
	if (pipe2(go, O_CLOEXEC) < 0)
		return error_set(err, errno, "pipe");
	if (pipe2(status, O_CLOEXEC) < 0) {
		error = errno;
		close(go[0]);
		close(go[1]);
		return error_set(err, error, "pipe");
	}
	ret->pid = fork();
	if (ret->pid == 0)
		child(config, host, filter, signals, capture, go[0], status[1]);
	error = errno;
	close(go[0]);
	close(status[1]);
	ret->go = go[1];
	ret->status = status[0];
	error = ret->pid < 0 ? error_set(err, error, "fork") : take_listener(ret, err);
	if (error < 0) {
		if (ret->pid > 0) {
			kill(ret->pid, SIGKILL);
			waitpid(ret->pid, NULL, 0);
		}
		close_fd(&ret->go);
		close_fd(&ret->status);
	}
	return error;
}

void launch_go(struct launch *launch)
{
	(void)!write(launch->go, "", 1);
	close_fd(&launch->go);
}

int launch_exec_error(const struct launch *launch)
{
	int error = 0;

	if (read(launch->status, &error, sizeof(error)) != sizeof(error))
		return 0;
	return error;
}
