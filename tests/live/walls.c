/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walls landlock POLICY COMMAND...    executes COMMAND behind the second wall alone
 * walls mediation COMMAND...          executes COMMAND (a proctor) on a host without Landlock
 *
 * So that each wall can be seen by itself. Linked with proctor's library; no option of proctor's own
 * takes a wall away.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/landlock.h"

enum { WRONG = 99 };

static int enter_landlock(const char *name)
{
	const struct policy_context context = {
		.home = "/", .cwd = "/", .user = "test", .tmpdir = "/tmp", .environ = environ};
	struct diagnostics diagnostics = {0};
	struct policy *policy;
	struct host host;
	int error;

	if (policy_load(&name, 1, &context, &policy, &diagnostics) < 0) {
		diagnostics_print(&diagnostics, stderr);
		return -EINVAL;
	}
	host_probe_quick(&host);
	if (host.landlock_abi <= 0)
		return -EOPNOTSUPP;
	error = landlock_enter(&host, policy, true);
	policy_free(policy);
	return error;
}

/* Landlock is not there: EOPNOTSUPP, as with a kernel that was started without it. */
static int hide_landlock(void)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	int error = context ? 0 : -ENOMEM;

	for (int nr = SYS_landlock_create_ruleset; nr <= SYS_landlock_restrict_self && !error; nr++)
		error = seccomp_rule_add(context, SCMP_ACT_ERRNO(EOPNOTSUPP), nr, 0);
	if (error == 0)
		error = seccomp_load(context);
	seccomp_release(context);
	return error;
}

int main(int argc, char **argv)
{
	const int landlock = argc > 3 && !strcmp(argv[1], "landlock");
	int error;

	if (argc < 3 || (!landlock && strcmp(argv[1], "mediation") != 0))
		return WRONG;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return WRONG;
	error = landlock ? enter_landlock(argv[2]) : hide_landlock();
	if (error < 0) {
		fprintf(stderr, "walls: %s\n", strerror(-error));
		return WRONG;
	}
	execv(argv[landlock ? 3 : 2], &argv[landlock ? 3 : 2]);
	perror(argv[landlock ? 3 : 2]);
	return WRONG;
}
