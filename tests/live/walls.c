/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walls landlock POLICY COMMAND...    executes COMMAND behind the second wall alone
 * walls mediation COMMAND...          executes COMMAND (a proctor) on a host without Landlock
 * walls execute FOLDERS COMMAND...    executes COMMAND where Landlock lets nothing be executed but what lies
 *                                     below FOLDERS (with colons between)
 *
 * So that each wall can be seen by itself. Linked with proctor's library; no option of proctor's own
 * takes a wall away.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/kernel_abi.h"
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

/* What LANDLOCK_ACCESS_FS_EXECUTE alone holds. */
static int enter_execute(char *folders)
{
	const struct landlock_ruleset_scoped attr = {.handled_access_fs = PROCTOR_LANDLOCK_FS_EXECUTE};
	struct landlock_path_rule rule = {.allowed_access = PROCTOR_LANDLOCK_FS_EXECUTE};
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
				   sizeof(attr.handled_access_fs), 0);
	int error = ruleset < 0 ? -errno : 0;

	for (char *name = strtok(folders, ":"); name && error == 0; name = strtok(NULL, ":")) {
		rule.parent_fd = open(name, O_PATH | O_CLOEXEC);
		if (syscall(SYS_landlock_add_rule, ruleset, PROCTOR_LANDLOCK_RULE_PATH_BENEATH, &rule,
			    0) < 0)
			error = -errno;
		close(rule.parent_fd);
	}
	if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		error = -errno;
	close(ruleset);
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
	const char *way = argc > 2 ? argv[1] : "";
	const int command = strcmp(way, "mediation") != 0 ? 3 : 2;
	int error = -EINVAL;

	if (argc <= command || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return WRONG;
	if (!strcmp(way, "landlock"))
		error = enter_landlock(argv[2]);
	else if (!strcmp(way, "execute"))
		error = enter_execute(argv[2]);
	else if (!strcmp(way, "mediation"))
		error = hide_landlock();
	if (error < 0) {
		fprintf(stderr, "walls: %s\n", strerror(-error));
		return WRONG;
	}
	execv(argv[command], &argv[command]);
	perror(argv[command]);
	return WRONG;
}
