/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/guardian.h"
#include "supervisor/launch.h"
#include "supervisor/stack.h"
#include "supervisor/supervise.h"

static int fail(const char *what)
{
	fprintf(stderr, "proctor: %s: %m\n", what);
	return EXIT_PROCTOR_FAILED;
}

/* Descriptors 0 to 2 are open from here on, so that none of ours becomes the tool's. */
static int fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -1;
	close(fd);
	for (int i = 0; i <= STDERR_FILENO; i++) {
		int flags = fcntl(i, F_GETFD);

		if (flags >= 0)
			fcntl(i, F_SETFD, flags & ~FD_CLOEXEC);
	}
	return 0;
}

int run_tool(const struct run_config *config)
{
	struct inherited_signals inherited = {.ignores_children = false};
	struct stack_service *stacks = NULL;
	sigset_t all;
	pid_t supervisor;
	int pair[2];
	int code;

	fflush(NULL);
	if (fill_standard_descriptors() < 0)
		return fail("cannot open /dev/null");
	sigfillset(&all);
	inherited.ignores_children = signal(SIGCHLD, SIG_DFL) == SIG_IGN;
	if (sigprocmask(SIG_SETMASK, &all, &inherited.blocked) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail("cannot set up the guardian");
	if (drop_capabilities() < 0)
		return fail("cannot drop capabilities");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail("socketpair");
	if (config->stacks) {
		stacks = stack_service_new();
		if (!stacks)
			return fail("cannot prepare for stacks");
	}
	supervisor = fork();
	if (supervisor < 0)
		return fail("fork");
	if (supervisor == 0) {
		close(pair[0]);
		_exit(supervise(config, pair[1], stacks, &inherited));
	}
	close(pair[1]);
	code = guardian_run(supervisor, pair[0], stacks);
	stack_service_free(stacks);
	return code;
}
