/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/exec_environment.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/library.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum {
	PAGE_BYTES = 4096,
	FIRST_PAGES = 16,
	STACK_PAGES_MAX = 6 * 1024 * 1024 / PAGE_BYTES + FIRST_PAGES, /* execve(2): 6 MiB of text */
	PIECES = 256,
	USER32_CS = 0x23, /* arch/x86/include/asm/segment.h */
};

/* A copy of the new stack from its pointer to its top: argc, argv, NULL, environment, NULL, auxv,
 * and the strings. */
struct stack {
	uint64_t address; /* of bytes[0] */
	char *bytes;
	size_t len;
	size_t environment; /* index of the first variable's word */
	size_t auxiliary;   /* behind the environment's NULL */
	size_t end;         /* behind AT_NULL */
};

bool exec_environment_has_rules(const struct session *session)
{
	return policy_has_environment_rules(session->policy);
}

static uint64_t word(const struct stack *stack, size_t index)
{
	uint64_t value = 0;

	if ((index + 1) * sizeof(value) <= stack->len)
		memcpy(&value, stack->bytes + index * sizeof(value), sizeof(value));
	return value;
}

static void set_word(struct stack *stack, size_t index, uint64_t value)
{
	memcpy(stack->bytes + index * sizeof(value), &value, sizeof(value));
}

/* The string at an address of the new image, in the copy; NULL: not there. */
static char *string_at(const struct stack *stack, uint64_t address)
{
	const uint64_t offset = address - stack->address;

	if (address < stack->address || offset >= stack->len ||
	    !memchr(stack->bytes + offset, '\0', stack->len - offset))
		return NULL;
	return stack->bytes + offset;
}

/* Up to `pages` pages from `address`; what is not mapped ends it. */
static ssize_t read_pages(pid_t pid, uint64_t address, char *bytes, size_t pages)
{
	struct iovec remote[PIECES];
	size_t done = 0;

	while (pages) {
		struct iovec local = {.iov_base = bytes + done};
		size_t count = 0;
		ssize_t got;

		for (; count < PIECES && count < pages; count++) {
			const uint64_t at = address + done + local.iov_len;
			const size_t piece = PAGE_BYTES - at % PAGE_BYTES;

			remote[count].iov_base = (void *)(uintptr_t)at;
			remote[count].iov_len = piece;
			local.iov_len += piece;
		}
		got = process_vm_readv(pid, &local, 1, remote, count, 0);
		if (got < 0 && done == 0)
			return -errno;
		done += got > 0 ? (size_t)got : 0;
		if (got < (ssize_t)local.iov_len)
			break;
		pages -= count;
	}
	return (ssize_t)done;
}

static int read_stack(pid_t pid, uint64_t pointer, size_t pages, struct stack *ret)
{
	ssize_t got;

	free(ret->bytes);
	*ret = (struct stack){.address = pointer, .bytes = malloc(pages * PAGE_BYTES)};
	if (!ret->bytes)
		return -ENOMEM;
	got = read_pages(pid, pointer, ret->bytes, pages);
	if (got < 0)
		return (int)got;
	ret->len = (size_t)got & ~(sizeof(uint64_t) - 1);
	return 0;
}

/* Finds the parts. False: more of it must be read. */
static bool parse(struct stack *stack)
{
	const size_t words = stack->len / sizeof(uint64_t);
	const uint64_t argc = word(stack, 0);
	size_t at = 1 + argc + 1;

	if (words < 2 || argc >= words || at >= words)
		return false;
	stack->environment = at;
	while (at < words && word(stack, at))
		at++;
	stack->auxiliary = ++at;
	while (at + 1 < words && word(stack, at) != AT_NULL)
		at += 2;
	stack->end = at + 2;
	if (stack->end > words)
		return false;
	for (at = stack->environment; at + 1 < stack->auxiliary; at++) {
		if (!string_at(stack, word(stack, at)))
			return false;
	}
	return true;
}

/* AT_BASE is where the dynamic loader is. */
static bool has_loader(const struct stack *stack)
{
	for (size_t at = stack->auxiliary; at + 1 < stack->end; at += 2) {
		if (word(stack, at) == AT_BASE)
			return word(stack, at + 1) != 0;
	}
	return false;
}

static bool started_with(const struct session *session, const char *entry)
{
	for (char *const *given = session->environment; given && *given; given++) {
		if (!strcmp(*given, entry))
			return true;
	}
	return false;
}

/* Variables by which the dynamic loader is told to load other files. */
static bool steers_loader(const char *entry)
{
	static const char *const names[] = {"LD_PRELOAD=", "LD_AUDIT=", "LD_LIBRARY_PATH="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strncmp(entry, names[i], strlen(names[i])))
			return true;
	}
	return false;
}

static bool stays(const struct session *session, bool rules, const char *entry)
{
	if (started_with(session, entry))
		return true;
	if (rules && !policy_passes_variable(session->policy, entry))
		return false;
	return session->observe || !steers_loader(entry) ||
	       policy_keeps_variable(session->policy, entry);
}

static const char preload_name[] = "LD_PRELOAD=";

/*
 * Of an LD_PRELOAD, what is not the preload library; that is given anew to each image that has a
 * dynamic loader. The last one counts, as for the loader.
 */
static int take_preload(struct call *call, bool rules, const char *entry, const char *path,
			char **own)
{
	AUTO_FREE char *rest = strdup(entry);

	if (!rest)
		return -ENOMEM;
	library_strip(call->session->library, rest + strlen(preload_name));
	if (!rest[strlen(preload_name)])
		return 0;
	if (!stays(call->session, rules, rest)) {
		call_record_dropped(call, path, rest);
		return 0;
	}
	free(*own);
	*own = TAKE_PTR(rest);
	return 0;
}

/* *own: what of them stays, NULL: nothing (free()). */
static int take_preloads(struct call *call, const struct stack *stack, bool rules, const char *path,
			 char **own)
{
	int error = 0;

	for (size_t at = stack->environment; error == 0 && at + 1 < stack->auxiliary; at++) {
		const char *entry = string_at(stack, word(stack, at));

		if (!strncmp(entry, preload_name, strlen(preload_name)))
			error = take_preload(call, rules, entry, path, own);
	}
	return error;
}

/* What has become of LD_PRELOAD. *ret: the variable that the image is given (free()); NULL: none. */
static int make_preload(struct call *call, const struct stack *stack, bool rules, const char *path,
			char **ret)
{
	const struct session *session = call->session;
	AUTO_FREE char *own = NULL;
	const char *const *wanted;
	size_t count = 0;
	int error = take_preloads(call, stack, rules, path, &own);

	wanted = rules ? policy_set_variables(session->policy, &count) : NULL;
	for (size_t i = 0; error == 0 && !own && i < count; i++) {
		if (!strncmp(wanted[i], preload_name, strlen(preload_name)))
			own = strdup(wanted[i]);
	}
	if (error < 0)
		return error;
	if (!has_loader(stack)) {
		*ret = TAKE_PTR(own);
		return 0;
	}
	*ret = library_variable(session->library, own ? own + strlen(preload_name) : "");
	return *ret ? 0 : -ENOMEM;
}

/* Takes what does not stay out of the copy. Returns how many variables. */
static size_t drop(struct call *call, struct stack *stack, bool rules, const char *path)
{
	const size_t vector = stack->end - stack->auxiliary;
	size_t put = stack->environment;
	size_t dropped;

	for (size_t at = stack->environment; at + 1 < stack->auxiliary; at++) {
		const uint64_t address = word(stack, at);
		char *entry = string_at(stack, address);

		const bool anew = call->session->library &&
				  !strncmp(entry, preload_name, strlen(preload_name));

		if (!anew && stays(call->session, rules, entry)) {
			set_word(stack, put++, address);
			continue;
		}
		if (!anew && steers_loader(entry))
			call_record_dropped(call, path, entry);
		/* /proc/PID/environ shows the place. */
		memset(entry, 0, strlen(entry));
	}
	dropped = stack->auxiliary - 1 - put;
	if (!dropped)
		return 0;
	set_word(stack, put++, 0);
	memmove(stack->bytes + put * sizeof(uint64_t),
		stack->bytes + stack->auxiliary * sizeof(uint64_t), vector * sizeof(uint64_t));
	stack->auxiliary = put;
	stack->end = put + vector;
	return dropped;
}

static bool has_variable(const struct stack *stack, const char *entry)
{
	for (size_t at = stack->environment; at + 1 < stack->auxiliary; at++) {
		if (!strcmp(string_at(stack, word(stack, at)), entry))
			return true;
	}
	return false;
}

static int write_bytes(pid_t pid, uint64_t address, const void *bytes, size_t len)
{
	struct iovec local = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = len};

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

/*
 * Adds variables that `env.set` has and the image has not: strings and vectors are laid out anew
 * below the old ones, and the stack pointer is moved there.
 */
static int add(pid_t pid, const struct stack *stack, const char *const *missing, size_t count)
{
	const size_t words = stack->end + count;
	size_t text = 0;
	AUTO_FREE char *block = NULL;
	uint64_t *vector;
	uint64_t address;
	uint64_t strings;
	size_t put = stack->auxiliary - 1;

	for (size_t i = 0; i < count; i++)
		text += strlen(missing[i]) + 1;
	strings = (stack->address - text) & ~15ULL;
	address = (strings - words * sizeof(uint64_t)) & ~15ULL;
	block = calloc(1, stack->address - address);
	if (!block)
		return -ENOMEM;
	vector = (uint64_t *)(void *)block;
	memcpy(vector, stack->bytes, put * sizeof(uint64_t));
	for (size_t i = 0; i < count; i++) {
		vector[put++] = strings;
		strcpy(block + (strings - address), missing[i]);
		strings += strlen(missing[i]) + 1;
	}
	vector[put++] = 0;
	memcpy(vector + put, stack->bytes + stack->auxiliary * sizeof(uint64_t),
	       (stack->end - stack->auxiliary) * sizeof(uint64_t));
	if (write_bytes(pid, address, block, stack->address - address) < 0)
		return -EFAULT;
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rsp), address) < 0)
		return -errno;
	return 0;
}

/* `preload`: the LD_PRELOAD that is given besides, and instead of another. NULL: none. */
static int set(const struct session *session, pid_t pid, const struct stack *stack, bool rules,
	       const char *preload)
{
	size_t count = 0;
	size_t missing_count = 0;
	const char *const *wanted = rules ? policy_set_variables(session->policy, &count) : NULL;
	AUTO_FREE const char **missing = calloc(count + 2, sizeof(*missing));

	if (!missing)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (preload && !strncmp(wanted[i], preload_name, strlen(preload_name)))
			continue;
		if (!has_variable(stack, wanted[i]))
			missing[missing_count++] = wanted[i];
	}
	if (preload)
		missing[missing_count++] = preload;
	return missing_count ? add(pid, stack, missing, missing_count) : 0;
}

int exec_environment_apply(struct call *call, pid_t pid, const char *path)
{
	const bool rules = exec_environment_has_rules(call->session);
	struct stack stack = {.bytes = NULL};
	AUTO_FREE char *owned = NULL;
	AUTO_FREE char *preload = NULL;
	size_t pages = FIRST_PAGES;
	uint64_t pointer;
	int error;

	errno = 0;
	/* A 32-bit program is killed at its first call. */
	if (ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, cs), 0) == USER32_CS)
		return 0;
	pointer = (uint64_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rsp), 0);
	if (errno)
		return -errno;
	error = read_stack(pid, pointer, pages, &stack);
	while (error == 0 && !parse(&stack)) {
		pages *= 8;
		error = pages > STACK_PAGES_MAX * 8 ? -E2BIG : read_stack(pid, pointer, pages, &stack);
	}
	owned = stack.bytes;
	if (error == 0 && call->session->library)
		error = make_preload(call, &stack, rules, path, &preload);
	if (error < 0)
		return error;
	if (drop(call, &stack, rules, path))
		error = write_bytes(pid, stack.address, stack.bytes, stack.len);
	if (error == 0 && (rules || preload))
		error = set(call->session, pid, &stack, rules, preload);
	return error;
}
