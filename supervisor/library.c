/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/library.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy.h"

static const char separators[] = ": ";

/* Where a rewrite stands before it, or a name that LD_PRELOAD takes apart, the tool would not find it. */
static int check_file(const char *path, const struct policy *policy, struct error *err)
{
	char to[PATH_MAX];

	if (strpbrk(path, ": \t\n$"))
		return error_set(err, EINVAL, "the preload library %s has a name that LD_PRELOAD cannot take",
				 path);
	if (access(path, R_OK) < 0)
		return error_set(err, errno, "the preload library %s", path);
	if (policy_rewrites(policy, CLASS_FILE) &&
	    policy_rewrite_path(policy, CLASS_FILE, path, to, NULL) > 0)
		return error_set(err, EINVAL, "files.rewrite stands before the preload library %s", path);
	return 0;
}

int library_new(const char *const *files, const struct policy *policy, struct library **ret,
		struct error *err)
{
	struct library *library = calloc(1, sizeof(*library));
	int error = 0;

	if (!library)
		return error_set(err, ENOMEM, "cannot start");
	pthread_mutex_init(&library->lock, NULL);
	for (size_t i = 0; error == 0 && files[i]; i++) {
		library->paths[i] = realpath(files[i], NULL);
		error = library->paths[i] ? check_file(library->paths[i], policy, err)
					  : error_set(err, errno, "the preload library %s", files[i]);
	}
	if (error < 0) {
		library_free(library);
		return error;
	}
	*ret = library;
	return 0;
}

void library_free(struct library *library)
{
	if (!library)
		return;
	for (size_t i = 0; i < sizeof(library->paths) / sizeof(library->paths[0]); i++)
		free(library->paths[i]);
	pthread_mutex_destroy(&library->lock);
	free(library);
}

static bool is_ours(const struct library *library, const char *path, size_t len)
{
	for (size_t i = 0; i < sizeof(library->paths) / sizeof(library->paths[0]); i++) {
		if (library->paths[i] && strlen(library->paths[i]) == len &&
		    !memcmp(library->paths[i], path, len))
			return true;
	}
	return false;
}

bool library_is_own(const struct library *library, const struct access *access)
{
	const bool wanted = (access->class == CLASS_FILE && access->op == OP_READ) ||
			    (access->class == CLASS_EXEC && access->op == OP_MAP);

	return library && wanted && access->path &&
	       is_ours(library, access->path, strlen(access->path));
}

void library_strip(const struct library *library, char *value)
{
	char *put = value;

	for (const char *at = value; *at;) {
		const size_t len = strcspn(at, separators);
		const bool last = !at[len];

		if (len && !is_ours(library, at, len)) {
			if (put != value)
				*put++ = ':';
			memmove(put, at, len);
			put += len;
		}
		if (last)
			break;
		at += len + 1;
	}
	*put = '\0';
}

char *library_variable(const struct library *library, const char *own)
{
	const char *tls = library->paths[1];
	char *variable;

	if (asprintf(&variable, "LD_PRELOAD=%s%s%s%s%s", library->paths[0], tls ? ":" : "",
		     tls ? tls : "", *own ? ":" : "", own) < 0)
		return NULL;
	return variable;
}

/* ---------------------------------------------------------------------- decoding */

static const struct {
	const char *name;
	size_t texts_min;
	size_t texts_max;
} functions[PRELOAD_FUNCTION_END] = {
	[PRELOAD_GETENV] = {"getenv", 1, 1},
	[PRELOAD_SECURE_GETENV] = {"secure_getenv", 1, 1},
	[PRELOAD_GETADDRINFO] = {"getaddrinfo", 1, 2},
	[PRELOAD_DLOPEN] = {"dlopen", 1, 1},
	[PRELOAD_SYSTEM] = {"system", 1, 1},
	[PRELOAD_POPEN] = {"popen", 2, 2},
	[PRELOAD_SSL_WRITE] = {"SSL_write", 1, 1},
	[PRELOAD_SSL_READ] = {"SSL_read", 1, 1},
};

const char *library_function_name(enum preload_function function)
{
	return (unsigned int)function < PRELOAD_FUNCTION_END ? functions[function].name : NULL;
}

bool library_is_message(const uint64_t args[6])
{
	return (args[0] & (UINT64_MAX >> 8)) == PRELOAD_WORD;
}

int library_decode(const uint64_t args[6], struct library_message *ret)
{
	struct library_message message = {.text_count = 0};

	if (args[0] != PRELOAD_MAGIC || args[1] >= PRELOAD_FUNCTION_END || !functions[args[1]].name)
		return -EINVAL;
	message.function = (enum preload_function)args[1];
	for (size_t i = 0; i < 2; i++) {
		const uint64_t address = args[2 + 2 * i];
		const uint64_t length = args[3 + 2 * i];

		if (length > PRELOAD_TEXT_MAX || (!address && length))
			return -EINVAL;
		if (!address)
			continue;
		if (message.text_count != i)
			return -EINVAL;
		message.texts[i].address = address;
		message.texts[i].length = (size_t)length;
		message.text_count++;
	}
	if (message.text_count < functions[args[1]].texts_min ||
	    message.text_count > functions[args[1]].texts_max)
		return -EINVAL;
	*ret = message;
	return 0;
}

void library_counts(struct library *library, struct audit_library *ret)
{
	*ret = (struct audit_library){
		.received = atomic_load(&library->received),
		.malformed = atomic_load(&library->malformed),
		.dropped = atomic_load(&library->dropped),
	};
}
