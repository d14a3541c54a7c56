/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"

#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;
	size_t used;

	if (!err)
		return code ? -code : -1;
	err->code = code;
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	used = strlen(err->message);
	if (code)
		snprintf(err->message + used, sizeof(err->message) - used, ": %s", strerror(code));
	return code ? -code : -1;
}

void error_prefix(struct error *err, const char *format, ...)
{
	struct error inner = *err;
	va_list args;
	size_t used;

	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	used = strlen(err->message);
	snprintf(err->message + used, sizeof(err->message) - used, ": %s", inner.message);
}
