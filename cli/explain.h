/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_EXPLAIN_H
#define PROCTOR_CLI_EXPLAIN_H

#include "policy/policy.h"

/*
 * Prints what the policy says of the access to `what`, and why. Returns the exit code:
 * EXIT_FOUND when it is denied.
 */
int explain(const struct policy *policy, const struct access *access, const char *what);

#endif
