/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libproctor-preload-tls.so: the start line of HTTP that goes through OpenSSL's SSL_write and SSL_read,
 * only where that is asked for; a library of its own, so that the names are not there otherwise.
 * The rules are those of preload.c, but for these: the function behind is called, since what was read
 * is known only afterwards; and which one it is, is found when an object calls for the first time.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/auxv.h>

#include "preload/report.h"

#define EXPORTED __attribute__((visibility("default")))

enum { CALLERS_MAX = 16, METHOD_MAX = 16 };

typedef int write_function(void *ssl, const void *bytes, int length);
typedef int write_ex_function(void *ssl, const void *bytes, size_t length, size_t *ret_length);
typedef int read_function(void *ssl, void *bytes, int length);
typedef int read_ex_function(void *ssl, void *bytes, size_t length, size_t *ret_length);

EXPORTED write_function SSL_write;
EXPORTED write_ex_function SSL_write_ex;
EXPORTED read_function SSL_read;
EXPORTED read_ex_function SSL_read_ex;

/* ------------------------------------------------------------ the function behind */

/* What an object that calls is bound to; entries are added and never changed. */
struct binding {
	_Atomic(void *) object; /* where it starts; NULL: free */
	_Atomic(void *) function;
};

static bool is_program(const void *object)
{
	Dl_info info;
	const void *headers = (const void *)getauxval(AT_PHDR); // NOLINT(performance-no-int-to-ptr)

	return dladdr(headers, &info) && info.dli_fbase == object;
}

/*
 * As the dynamic loader would have bound it without us. An object with a libssl among what it needs has
 * been linked with that one, of which the process may hold several.
 */
static void *find(const Dl_info *caller, const char *name, const void *own)
{
	/* Not the one of preload.c, which would tell of it. */
	void *(*open)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
	void *function = NULL;
	void *handle;

	if (open && !is_program(caller->dli_fbase)) {
		handle = open(caller->dli_fname, RTLD_LAZY | RTLD_NOLOAD);
		function = handle ? dlsym(handle, name) : NULL;
		if (handle)
			dlclose(handle);
	}
	return function && function != own ? function : dlsym(RTLD_NEXT, name);
}

static void *behind(struct binding *bindings, const void *caller, const char *name, const void *own)
{
	Dl_info info;
	void *function;

	if (!dladdr(caller, &info))
		return dlsym(RTLD_NEXT, name);
	for (int i = 0; i < CALLERS_MAX; i++) {
		void *object = atomic_load_explicit(&bindings[i].object, memory_order_acquire);

		function = atomic_load_explicit(&bindings[i].function, memory_order_acquire);
		if (object == info.dli_fbase && function)
			return function;
	}
	function = find(&info, name, own);
	for (int i = 0; i < CALLERS_MAX; i++) {
		void *free_place = NULL;

		if (!atomic_compare_exchange_strong(&bindings[i].object, &free_place,
						    info.dli_fbase))
			continue;
		atomic_store_explicit(&bindings[i].function, function, memory_order_release);
		break;
	}
	return function;
}

/* ---------------------------------------------------------------- the start line */

static bool starts_with(const char *text, size_t length, const char *word)
{
	for (size_t i = 0; word[i]; i++) {
		if (i >= length || text[i] != word[i])
			return false;
	}
	return true;
}

/* "GET /x HTTP/1.1", "HTTP/1.1 200 OK". Its length without the line's end; 0: it is none. */
static size_t start_line(const char *text, size_t length)
{
	const char *version = NULL;
	size_t method = 0;
	size_t end = 0;

	while (method < length && method < METHOD_MAX && text[method] >= 'A' && text[method] <= 'Z')
		method++;
	if (!starts_with(text, length, "HTTP/") &&
	    (method == 0 || method == length || text[method] != ' '))
		return 0;
	while (end < length && end < PRELOAD_TEXT_MAX && text[end] != '\r' && text[end] != '\n') {
		if (starts_with(text + end, length - end, " HTTP/"))
			version = text + end;
		end++;
	}
	return version || text[method] == '/' ? end : 0;
}

static void look(enum preload_function function, const void *bytes, size_t length)
{
	const size_t line = bytes ? start_line(bytes, length) : 0;

	if (line)
		report(function, bytes, line, NULL, 0);
}

/* ------------------------------------------------------------------ the functions */

int SSL_write(void *ssl, const void *bytes, int length)
{
	static struct binding bindings[CALLERS_MAX];
	write_function *function = (write_function *)behind(
		bindings, __builtin_return_address(0), "SSL_write", (const void *)SSL_write);

	if (length > 0)
		look(PRELOAD_SSL_WRITE, bytes, (size_t)length);
	return function ? function(ssl, bytes, length) : -1;
}

int SSL_write_ex(void *ssl, const void *bytes, size_t length, size_t *ret_length)
{
	static struct binding bindings[CALLERS_MAX];
	write_ex_function *function = (write_ex_function *)behind(
		bindings, __builtin_return_address(0), "SSL_write_ex", (const void *)SSL_write_ex);

	look(PRELOAD_SSL_WRITE, bytes, length);
	return function ? function(ssl, bytes, length, ret_length) : 0;
}

int SSL_read(void *ssl, void *bytes, int length)
{
	static struct binding bindings[CALLERS_MAX];
	read_function *function = (read_function *)behind(
		bindings, __builtin_return_address(0), "SSL_read", (const void *)SSL_read);
	const int got = function ? function(ssl, bytes, length) : -1;

	if (got > 0)
		look(PRELOAD_SSL_READ, bytes, (size_t)got);
	return got;
}

int SSL_read_ex(void *ssl, void *bytes, size_t length, size_t *ret_length)
{
	static struct binding bindings[CALLERS_MAX];
	read_ex_function *function = (read_ex_function *)behind(
		bindings, __builtin_return_address(0), "SSL_read_ex", (const void *)SSL_read_ex);
	const int done = function ? function(ssl, bytes, length, ret_length) : 0;

	if (done == 1)
		look(PRELOAD_SSL_READ, bytes, *ret_length);
	return done;
}
