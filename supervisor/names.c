/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/names.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/kernel_abi.h"

bool names_matter(const struct session *session)
{
	return session->hides || session->rewrites;
}

const char *names_place(const struct session *session, const char *name, char buf[PATH_MAX])
{
	int found = 0;

	if (session->rewrites && name[0] == '/')
		found = policy_rewrite_path(session->policy, CLASS_FILE, name, buf, NULL);
	if (found < 0)
		return NULL;
	return found ? buf : name;
}

/* Length of the parent's name; the root is its own parent. */
static size_t parent_len(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash && slash != name ? (size_t)(slash - name) : 1;
}

int names_step(const char *name, const char *part, char ret[PATH_MAX])
{
	const size_t len = strcmp(name, "/") ? strlen(name) : 0;
	const size_t part_len = strlen(part);

	if (!strcmp(part, "..")) {
		const size_t parent = parent_len(name);

		memmove(ret, name, parent);
		ret[parent] = '\0';
		return 0;
	}
	if (len + 1 + part_len >= PATH_MAX)
		return -ENAMETOOLONG;
	memmove(ret, name, len);
	ret[len] = '/';
	memcpy(ret + len + 1, part, part_len + 1);
	return 0;
}

bool names_cross(const struct session *session, const char *folder, const char *name)
{
	const bool down = strlen(name) > strlen(folder);
	char folder_buf[PATH_MAX];
	char name_buf[PATH_MAX];
	char expected[PATH_MAX];
	const char *folder_place;
	const char *place;

	if (!session->rewrites)
		return false;
	folder_place = names_place(session, folder, folder_buf);
	place = names_place(session, name, name_buf);
	if (!folder_place || !place || (folder_place == folder && place == name))
		return false;
	return names_step(folder_place, down ? strrchr(name, '/') + 1 : "..", expected) < 0 ||
	       strcmp(expected, place) != 0;
}

int names_open(const struct session *session, const char *name)
{
	const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	char buf[PATH_MAX];
	const char *place = names_place(session, name, buf);
	int fd;

	if (!place)
		return -ENAMETOOLONG;
	fd = (int)syscall(SYS_openat2, AT_FDCWD, place, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

bool names_given(const struct session *session, char name[PATH_MAX])
{
	return session->rewrites && name[0] == '/' &&
	       policy_given_path(session->policy, name, name) == 1;
}
