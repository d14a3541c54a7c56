/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/channel.h"
#include "supervisor/stack.h"
#include "supervisor/run.h"
#include "supervisor/tree.h"

/*
 * Wakes the stopped guardian when the supervisor ends meanwhile: at a limit, or killed. Again and
 * again, because the first may come before the stop. In a session of its own, which nobody stops.
 */
static _Noreturn void wake_at_end(pid_t guardian, int channel)
{
	struct pollfd end = {.fd = channel}; /* POLLHUP is always told */

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	while (poll(&end, 1, -1) <= 0)
		;
	while (getppid() == guardian) {
		kill(guardian, SIGCONT);
		poll(NULL, 0, 20);
	}
	_exit(0);
}

/* Stops as the tool was stopped, so that the shell sees its job stopped. */
static void stop_like(int channel, int sig)
{
	const pid_t guardian = getpid();
	const pid_t waker = fork();
	sigset_t mask;

	if (waker == 0)
		wake_at_end(guardian, channel);
	if (waker < 0)
		return; /* not to be stopped for ever */
	sigemptyset(&mask);
	sigaddset(&mask, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	kill(waker, SIGKILL);
	waitpid(waker, NULL, 0);
}

/*
 * The terminal sends its signals to the whole foreground group, the tool included; only what was
 * sent to this process alone is passed on.
 */
static void on_signal(int channel, const struct signalfd_siginfo *info)
{
	const struct message message = {.kind = MESSAGE_SIGNAL, .sig = (int)info->ssi_signo};

	/* The terminal's are SI_KERNEL, those of wake_by_channel() POLL_*: no user sent them. */
	if (info->ssi_signo == SIGCHLD || info->ssi_code > 0)
		return;
	(void)!send(channel, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* False when the supervisor has closed its end: it is about to be gone. */
static bool on_message(int channel, struct stack_service *stacks)
{
	const struct message resumed = {.kind = MESSAGE_SIGNAL, .sig = SIGCONT};
	struct message message;
	ssize_t got = recv(channel, &message, sizeof(message), MSG_DONTWAIT);

	if (got == sizeof(message) && message.kind == MESSAGE_STOPPED) {
		stop_like(channel, message.sig);
		(void)!send(channel, &resumed, sizeof(resumed), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (got == sizeof(message) && message.kind == MESSAGE_STACKS && stacks)
		stack_service_start(stacks);
	return got != 0;
}

/* True when the supervisor has ended, with *ret_code. */
static bool supervisor_ended(pid_t supervisor, int *ret_code)
{
	int status;
	pid_t pid = waitpid(supervisor, &status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return false;
	if (pid > 0 && WIFEXITED(status)) {
		*ret_code = WEXITSTATUS(status);
		return true;
	}
	tree_kill();
	fprintf(stderr, "proctor: the supervisor was ended by signal %d; "
			"every process of the tool has been killed\n",
		pid > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	*ret_code = EXIT_PROCTOR_FAILED;
	return true;
}

/*
 * Whoever stops the guardian from outside (SIGSTOP to it or to its group) must not stop it from ending
 * the tree: the channel's end, when the supervisor dies, is a SIGCONT (fcntl(2), F_SETSIG).
 */
static void wake_by_channel(int channel)
{
	fcntl(channel, F_SETOWN, getpid());
	fcntl(channel, F_SETSIG, SIGCONT);
	fcntl(channel, F_SETFL, fcntl(channel, F_GETFL) | O_ASYNC);
}

int guardian_run(pid_t supervisor, int channel, struct stack_service *stacks)
{
	struct pollfd polls[2] = {{.events = POLLIN}, {.fd = channel, .events = POLLIN}};
	sigset_t mask;
	int code;

	wake_by_channel(channel);
	sigfillset(&mask);
	polls[0].fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	while (!supervisor_ended(supervisor, &code)) {
		struct signalfd_siginfo info;

		if (poll(polls, 2, -1) < 0)
			continue;
		while (read(polls[0].fd, &info, sizeof(info)) == sizeof(info))
			on_signal(channel, &info);
		if (polls[1].revents && !on_message(channel, stacks))
			polls[1].fd = -1;
	}
	/* Orphans come here when the supervisor ends before them: there are none, but who knows. */
	tree_kill();
	return code;
}
