/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_ERROR_H
#define PROCTOR_CORE_ERROR_H

#include <stdarg.h>

/*
 * An error on its way up. Leaf code fills it and never prints; the command that
 * the user typed prints it once. `message` says what happened and where.
 */
struct error {
	int code; /* errno value, or 0 when there is none */
	char message[512];
};

/*
 * Sets *err (when err is not NULL) to the formatted message, followed by
 * ": " and strerror(code) when code is not 0. Cuts what does not fit.
 * Returns -code, or -1 when code is 0, so that "return error_set(...)" works.
 */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of the message of *err. Keeps the code. */
void error_prefix(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
