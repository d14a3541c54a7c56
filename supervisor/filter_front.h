/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_FILTER_FRONT_H
#define PROCTOR_SUPERVISOR_FILTER_FRONT_H

#include <linux/filter.h>
#include <stdbool.h>

#include "supervisor/filter.h"
#include "supervisor/table.h"

enum { FILTER_FRONT_MAX = 1024 };

struct filter_front {
	struct sock_filter code[FILTER_FRONT_MAX];
	unsigned short len;
};

/*
 * What is run in front of libseccomp's program, which gets what this leaves undecided: foreign ABIs are
 * notified (to be recorded and killed), calls of which only some commands are asked about are decided,
 * as is a clone3(2) that starts a thread of the C library, and what passes is allowed.
 */
void filter_front_assemble(struct filter_front *front, const struct sensitivity *sensitive);

/* filter.c: the call is notified whatever its arguments, since a rule denies it. */
bool filter_denies(const struct sensitivity *sensitive, const struct syscall_row *row);

/* filter.c: the call is never notified, whatever its arguments. */
bool filter_passes(const struct sensitivity *sensitive, const struct syscall_row *row);

#endif
