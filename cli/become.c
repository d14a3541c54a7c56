/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

/* What of the environment says who one is, and where one's files are; XDG_STATE_HOME alone, which says
 * where sessions go, is taken to be meant: many a service's user has no home folder of its own. */
static int take_environment(const struct passwd *user)
{
	static const char *const places[] = {
		"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "MAIL",
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		unsetenv(places[i]);
	return setenv("HOME", user->pw_dir, 1) | setenv("USER", user->pw_name, 1) |
	       setenv("LOGNAME", user->pw_name, 1) | setenv("SHELL", user->pw_shell, 1);
}

int become_user(const char *name, struct error *err)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user)
		return error_set(err, errno, "there is no user '%s'", name);
	if (geteuid() != 0 && user->pw_uid == geteuid())
		return 0;
	if (geteuid() != 0)
		return error_set(err, 0, "--user takes root: only root can become '%s'", name);
	if (initgroups(name, user->pw_gid) < 0 ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return error_set(err, errno, "cannot become '%s'", name);
	return take_environment(user) ? error_set(err, ENOMEM, "environment") : 0;
}
