/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libproctor-preload.so: inside the tool, tells of calls of library functions that the supervisor
 * cannot see. It never enforces anything, and what it tells is the tool's own word.
 *
 * Rules for what stands here. It runs in programs that know nothing of it, in their signal handlers,
 * between their fork and exec, in the child of a vfork, in any of their threads:
 *
 *  1. No state but the addresses of the functions behind ours, which are the same whoever finds them.
 *  2. No allocation, no lock, no thread-local variable, errno left alone, no more stack than registers
 *     and a few words.
 *  3. No call of a function that stands here, nor of any other of the tool's: an event is one system
 *     call, made by hand. The one exception is dlsym(3), before anything of the program's runs.
 *  4. The function behind ours is jumped to, not called: it sees its caller's return address, by which
 *     dlopen(3) knows where to search, and no frame of ours stands in a backtrace.
 *  5. Nothing is read but the texts that the function behind would read as well.
 *  6. No other library is needed, and no version of a symbol is asked for: where the dynamic loader
 *     is another (musl), it loads.
 *  7. Where nothing is told, what is added is a look at the arguments.
 */
#include <stdatomic.h>
#include <stdbool.h>

#include "preload/report.h"

/* <dlfcn.h> has the name of a function that stands here. */
extern void *dlsym(void *handle, const char *name) __attribute__((weak));
#define RTLD_NEXT ((void *)-1L)

enum {
	NEXT_GETENV,
	NEXT_SECURE_GETENV,
	NEXT_GETADDRINFO,
	NEXT_DLOPEN,
	NEXT_SYSTEM,
	NEXT_POPEN,
	NEXT_COUNT,
};

static const char *const names[NEXT_COUNT] = {"getenv", "secure_getenv", "getaddrinfo",
					      "dlopen", "system",	"popen"};

/* NULL: not looked for yet, or not there. */
static _Atomic(void *) found[NEXT_COUNT];

/* The constructor of another library may come before ours. */
static void *next(int which)
{
	void *function = atomic_load_explicit(&found[which], memory_order_relaxed);

	if (!function && dlsym) {
		function = dlsym(RTLD_NEXT, names[which]);
		atomic_store_explicit(&found[which], function, memory_order_relaxed);
	}
	return function;
}

static __attribute__((constructor)) void find_all(void)
{
	for (int which = 0; which < NEXT_COUNT; which++)
		(void)next(which);
}

/* ------------------------------------------------------------- names of secrets */

static bool holds(const char *name, const char *word)
{
	while (*word && (*name == *word || (*name | 0x20) == *word)) {
		name++;
		word++;
	}
	return !*word;
}

static bool ends(const char *name, const char *word)
{
	while (*word && (*name | 0x20) == *word) {
		name++;
		word++;
	}
	return !*word && !*name;
}

/* Words that stand in a name; most names are done with at a look at each letter. */
static bool begins_secret(const char *at, bool first)
{
	switch (*at | 0x20) {
	case 'a':
		return holds(at, "apikey") || holds(at, "auth_key") ||
		       (first && (holds(at, "aws_") || holds(at, "azure_client_")));
	case 'c':
		return holds(at, "credential");
	case 'd':
		return holds(at, "database_url");
	case 'k':
		/* API_KEY and its like, not KEYBOARD. */
		return !first && at[-1] == '_' && (ends(at, "key") || ends(at, "keys") ||
						   holds(at, "key_id"));
	case 'p':
		return holds(at, "passw") || holds(at, "passphrase") || holds(at, "private_key") ||
		       (!first && at[-1] == '_' && (ends(at, "pat") || ends(at, "pass")));
	case 's':
		return holds(at, "secret") || (first && holds(at, "ssh_auth_sock"));
	case 't':
		return holds(at, "token");
	default:
		return false;
	}
}

static bool names_secret(const char *name)
{
	for (const char *at = name; *at; at++) {
		if (begins_secret(at, at == name))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------- the events */

/* Each is given the arguments, and returns what is behind; NULL: nothing. Called from entry.h only. */
#define OF_ENTRY __attribute__((used)) static

static void *on_variable(enum preload_function function, int which, const char *name)
{
	if (names_secret(name))
		report(function, name, length_of(name), NULL, 0);
	return next(which);
}

OF_ENTRY void *on_getenv(const char *name)
{
	return on_variable(PRELOAD_GETENV, NEXT_GETENV, name);
}

OF_ENTRY void *on_secure_getenv(const char *name)
{
	return on_variable(PRELOAD_SECURE_GETENV, NEXT_SECURE_GETENV, name);
}

OF_ENTRY void *on_getaddrinfo(const char *host, const char *service)
{
	if (host)
		report(PRELOAD_GETADDRINFO, host, length_of(host), service,
		       service ? length_of(service) : 0);
	return next(NEXT_GETADDRINFO);
}

OF_ENTRY void *on_dlopen(const char *file)
{
	if (file)
		report(PRELOAD_DLOPEN, file, length_of(file), NULL, 0);
	return next(NEXT_DLOPEN);
}

OF_ENTRY void *on_system(const char *command)
{
	if (command)
		report(PRELOAD_SYSTEM, command, length_of(command), NULL, 0);
	return next(NEXT_SYSTEM);
}

OF_ENTRY void *on_popen(const char *command, const char *mode)
{
	report(PRELOAD_POPEN, command, length_of(command), mode, length_of(mode));
	return next(NEXT_POPEN);
}

/* ------------------------------------------------------------------ the functions */

/*
 * x86-64: the arguments are kept while the event is told. Without a function behind, which no program
 * that was linked can come upon, the result is `failure`.
 */
#define ENTRY(name, failure)                                                                       \
	__asm__(".pushsection .text\n"                                                             \
		".globl " #name "\n"                                                               \
		".type " #name ", @function\n"                                                     \
		".p2align 4\n" #name ":\n"                                                         \
		"	.cfi_startproc\n"                                                          \
		"	endbr64\n"                                                                 \
		"	pushq %rdi\n"                                                              \
		"	.cfi_adjust_cfa_offset 8\n"                                                \
		"	pushq %rsi\n"                                                              \
		"	.cfi_adjust_cfa_offset 8\n"                                                \
		"	pushq %rdx\n"                                                              \
		"	.cfi_adjust_cfa_offset 8\n"                                                \
		"	pushq %rcx\n"                                                              \
		"	.cfi_adjust_cfa_offset 8\n"                                                \
		"	subq $8, %rsp\n"                                                           \
		"	.cfi_adjust_cfa_offset 8\n"                                                \
		"	call on_" #name "\n"                                                       \
		"	addq $8, %rsp\n"                                                           \
		"	.cfi_adjust_cfa_offset -8\n"                                               \
		"	popq %rcx\n"                                                               \
		"	.cfi_adjust_cfa_offset -8\n"                                               \
		"	popq %rdx\n"                                                               \
		"	.cfi_adjust_cfa_offset -8\n"                                               \
		"	popq %rsi\n"                                                               \
		"	.cfi_adjust_cfa_offset -8\n"                                               \
		"	popq %rdi\n"                                                               \
		"	.cfi_adjust_cfa_offset -8\n"                                               \
		"	testq %rax, %rax\n"                                                        \
		"	jz 1f\n"                                                                   \
		"	jmpq *%rax\n"                                                              \
		"1:	movq $" #failure ", %rax\n"                                                \
		"	ret\n"                                                                     \
		"	.cfi_endproc\n"                                                            \
		".size " #name ", . - " #name "\n"                                                 \
		".popsection\n")

ENTRY(getenv, 0);
ENTRY(secure_getenv, 0);
ENTRY(getaddrinfo, -4); /* EAI_FAIL */
ENTRY(dlopen, 0);
ENTRY(system, -1);
ENTRY(popen, 0);
