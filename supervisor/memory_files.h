/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_MEMORY_FILES_H
#define PROCTOR_SUPERVISOR_MEMORY_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "supervisor/tree_use.h"

/*
 * The files of tmpfs that the tool has opened for writing. The kernel counts for a
 * process what it writes to disks, not what it writes there, and /tmp is often such a place.
 */
struct memory_files;

/* NULL: out of memory. */
struct memory_files *memory_files_new(void);
void memory_files_free(struct memory_files *files);

/*
 * To be called with each descriptor open for writing before the tool has it: notes the file, if it is
 * one of these, and how large it is. From any thread. 0, or a negative errno: the tool must not have it.
 */
int memory_files_add(struct memory_files *files, int fd);

/*
 * By how many bytes they have grown, and in *ret_deleted by how many those that have no name any more
 * but are among the `open` ones; such others are forgotten.
 */
uint64_t memory_files_growth(struct memory_files *files, const struct nameless_list *open,
			     uint64_t *ret_deleted);

#endif
