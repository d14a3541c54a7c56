/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/open_flags.h"

#include <fcntl.h>
#include <stddef.h>

static const struct {
	int flag;
	const char *name;
} known[] = {
	{O_CREAT, "O_CREAT"},         {O_EXCL, "O_EXCL"},         {O_NOCTTY, "O_NOCTTY"},
	{O_TRUNC, "O_TRUNC"},         {O_APPEND, "O_APPEND"},     {O_NONBLOCK, "O_NONBLOCK"},
	{O_SYNC, "O_SYNC"},           {O_DSYNC, "O_DSYNC"},       {O_ASYNC, "O_ASYNC"},
	{O_DIRECT, "O_DIRECT"},       {O_TMPFILE, "O_TMPFILE"},   {O_DIRECTORY, "O_DIRECTORY"},
	{O_NOFOLLOW, "O_NOFOLLOW"},   {O_NOATIME, "O_NOATIME"},   {O_CLOEXEC, "O_CLOEXEC"},
	{O_PATH, "O_PATH"},
};

const char *const *open_flags_names(int flags, const char *names[OPEN_FLAGS_MAX])
{
	static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
	size_t count = 0;

	names[count++] = modes[flags & O_ACCMODE];
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if ((flags & known[i].flag) != known[i].flag)
			continue;
		/* O_SYNC holds O_DSYNC and O_TMPFILE holds O_DIRECTORY: name the larger only. */
		flags &= ~known[i].flag;
		names[count++] = known[i].name;
	}
	names[count] = NULL;
	return names;
}
