/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "supervisor/table.h"

static const char *nonempty(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* A copy of the first that is set; NULL when neither is. */
static char *copy_of(const char *first, const char *second)
{
	const char *value = first ? first : second;

	return value ? strdup(value) : NULL;
}

/* The XDG base directory specification: a relative path is as good as none. */
static char *profile_folder(const char *home)
{
	const char *config = nonempty("XDG_CONFIG_HOME");
	char *folder = NULL;
	int len;

	if (config && *config == '/')
		len = asprintf(&folder, "%s/proctor", config);
	else if (home)
		len = asprintf(&folder, "%s/.config/proctor", home);
	else
		return NULL;
	return len < 0 ? NULL : folder;
}

int policy_context_init(struct policy_context *ret, struct error *err)
{
	const struct passwd *user = getpwuid(getuid());
	char *cwd = getcwd(NULL, 0);

	if (!cwd)
		return error_set(err, errno, "cannot tell the working folder");
	*ret = (struct policy_context){
		.home = copy_of(nonempty("HOME"), user ? user->pw_dir : NULL),
		.cwd = cwd,
		.user = copy_of(nonempty("USER"), user ? user->pw_name : NULL),
		.tmpdir = copy_of(nonempty("TMPDIR"), "/tmp"),
		.uid = getuid(),
		.environ = environ,
		.syscall_name = syscall_name_at,
	};
	ret->profile_dir = profile_folder(ret->home);
	return 0;
}

void policy_context_clear(struct policy_context *context)
{
	free((void *)context->home);
	free((void *)context->cwd);
	free((void *)context->user);
	free((void *)context->tmpdir);
	free((void *)context->profile_dir);
	*context = (struct policy_context){.home = NULL};
}

static struct policy *load(const char *const *names, size_t count, bool lint)
{
	static const char *const standard[] = {"agent"};
	struct diagnostics diagnostics = {NULL, 0};
	struct policy_context context = {.home = NULL};
	struct policy *policy = NULL;
	struct error err = {.code = 0};

	if (policy_context_init(&context, &err) < 0) {
		fprintf(stderr, "proctor: %s\n", err.message);
		return NULL;
	}
	if (count == 0) {
		names = standard;
		count = 1;
	}
	if (policy_load(names, count, &context, &policy, &diagnostics) == 0 && lint)
		policy_lint(policy, &context, &diagnostics);
	diagnostics_print_coloured(&diagnostics, stderr, colour_wanted(stderr));
	diagnostics_free(&diagnostics);
	policy_context_clear(&context);
	return policy;
}

struct policy *load_policies(const char *const *names, size_t count)
{
	return load(names, count, false);
}

struct policy *load_policy_and_warn(const char *name)
{
	return load(&name, 1, true);
}
