/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_CONFINE_H
#define PROCTOR_SUPERVISOR_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * For a process of ours that reads what the tool has made, or speaks with it: from here on it can make the
 * calls of the list, get memory that is no code, open files for reading if `reads_files`, and all else fails
 * with EPERM. PR_SET_NO_NEW_PRIVS is set. 0, or a negative errno. Built with a sanitizer, which makes calls
 * of its own, it does nothing.
 */
int confine(const int *calls, size_t count, bool reads_files);

#endif
