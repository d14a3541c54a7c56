/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_SECRETS_H
#define PROCTOR_POLICY_SECRETS_H

#include <stddef.h>

/* Places of which it is known that secrets stand there, for warnings. */
struct secret {
	const char *path;     /* "~/..." counts from the home folder */
	const char *endpoint; /* or this, as endpoint_parse() takes it */
	const char *what;
};

extern const struct secret policy_secrets[];
extern const size_t policy_secret_count;

#endif
