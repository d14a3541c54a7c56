/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/exec_argv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

/* execve(2): MAX_ARG_STRLEN; three quarters of 8 MiB for all. */
enum { STRING_MAX = 128 * 1024, TEXT_MAX = 6 * 1024 * 1024 };

void exec_argv_release(struct exec_argv *argv)
{
	for (size_t i = 0; argv->items && i < argv->count; i++)
		free(argv->items[i]);
	free(argv->items);
	*argv = (struct exec_argv){.items = NULL};
}

/* Takes `text`. */
static int append(struct exec_argv *argv, char *text)
{
	char **grown = reallocarray(argv->items, argv->count + 2, sizeof(*grown));

	if (!grown || !text) {
		argv->items = grown ? grown : argv->items;
		free(text);
		return -ENOMEM;
	}
	argv->items = grown;
	argv->items[argv->count++] = text;
	argv->items[argv->count] = NULL;
	return 0;
}

int exec_argv_read(struct call *call, uint64_t addr, struct exec_argv *ret)
{
	AUTO_ARGV struct exec_argv argv = {.items = calloc(1, sizeof(char *))};
	AUTO_FREE char *text = malloc(STRING_MAX);
	size_t total = 0;

	if (!argv.items || !text)
		return -ENOMEM;
	for (; addr; addr += sizeof(uint64_t)) {
		uint64_t string = 0;
		ssize_t len;
		int error = tracee_read(call, addr, &string, sizeof(string));

		if (error < 0)
			return error;
		if (!string)
			break;
		len = tracee_read_long(call, string, text, STRING_MAX);
		if (len < 0)
			return len == -ENAMETOOLONG ? -E2BIG : (int)len;
		total += (size_t)len + 1 + sizeof(string);
		if (total > TEXT_MAX)
			return -E2BIG;
		error = append(&argv, strdup(text));
		if (error < 0)
			return error;
	}
	/* Without any, the kernel gives the image one that is empty. */
	if (argv.count == 0 && append(&argv, strdup("")) < 0)
		return -ENOMEM;
	*ret = argv;
	argv = (struct exec_argv){.items = NULL};
	return 0;
}

int exec_argv_interpret(struct exec_argv *argv, const char *interpreter, const char *argument,
			const char *script)
{
	AUTO_ARGV struct exec_argv made = {.items = NULL};

	if (append(&made, strdup(interpreter)) < 0 ||
	    (argument && append(&made, strdup(argument)) < 0) || append(&made, strdup(script)) < 0)
		return -ENOMEM;
	for (size_t i = 1; i < argv->count; i++) {
		if (append(&made, strdup(argv->items[i])) < 0)
			return -ENOMEM;
	}
	exec_argv_release(argv);
	*argv = made;
	made = (struct exec_argv){.items = NULL};
	return 0;
}

int exec_argv_copy(struct exec_argv *ret, const struct exec_argv *argv)
{
	AUTO_ARGV struct exec_argv made = {.items = NULL};

	for (size_t i = 0; i < argv->count; i++) {
		if (append(&made, strdup(argv->items[i])) < 0)
			return -ENOMEM;
	}
	*ret = made;
	made = (struct exec_argv){.items = NULL};
	return 0;
}

bool exec_argv_matches(const struct session *session, pid_t pid, const struct exec_argv *argv)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *found = NULL;
	char path[32];
	size_t size = 1;
	size_t used = 0;
	ssize_t got;
	size_t at = 0;

	for (size_t i = 0; i < argv->count; i++)
		size += strlen(argv->items[i]) + 1;
	snprintf(path, sizeof(path), "%d/cmdline", pid);
	fd = openat(session->proc, path, O_RDONLY | O_CLOEXEC);
	found = malloc(size);
	if (fd < 0 || !found)
		return false;
	while (used < size && (got = read(fd, found + used, size - used)) > 0)
		used += (size_t)got;
	if (used != size - 1)
		return false;
	for (size_t i = 0; i < argv->count; i++) {
		const size_t len = strlen(argv->items[i]) + 1;

		if (memcmp(found + at, argv->items[i], len) != 0)
			return false;
		at += len;
	}
	return true;
}
