/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_TREE_USE_H
#define PROCTOR_SUPERVISOR_TREE_USE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "supervisor/tree.h"

/* What the tool's tree, as tree_list() gave it, uses up. Called in the supervisor's main thread, which
 * is the parent of orphans. */

/* Nanoseconds of CPU time, processes that have ended and been waited for included. */
uint64_t tree_use_cpu(const struct tree_process *list, size_t count);

struct file_id {
	dev_t dev;
	ino_t ino;
};

/* -1, 0 or 1. */
int file_id_compare(const struct file_id *a, const struct file_id *b);

/* What it takes up. */
uint64_t file_bytes(const struct stat *stat);

/* Files in memory without a name, each once: they are gone with their last descriptor. */
struct nameless_list {
	struct nameless {
		struct file_id id;
		uint64_t bytes;
	} *files; /* freed by the caller */
	size_t count;
	uint64_t bytes; /* of all */
};

/* The memfds and deleted files of tmpfs that the tree has open. False: these are not all, since a process
 * of the tree cannot be looked into, or they have too many descriptors. */
bool tree_use_nameless(const struct tree_process *list, size_t count, struct nameless_list *ret);
bool nameless_list_has(const struct nameless_list *list, const struct file_id *id);

/*
 * Bytes of System V shared memory that the calling process has made, as it does for the tool, attached
 * or not. UINT64_MAX: it cannot be told.
 */
uint64_t tree_use_segments(void);

/*
 * Bytes of memory: anonymous pages, swapped ones included, and shared memory, of which `shared` is known
 * to be there, mapped or not. What processes share counts once.
 * Looks closer, which takes longer, only where a first sum is more than `enough`.
 */
uint64_t tree_use_memory(const struct tree_process *list, size_t count, uint64_t shared,
			 uint64_t enough);

/*
 * Bytes that were written to files of disks, as the kernel counts them when a page is changed
 * (write_bytes of proc_pid_io(5)), less what was taken back before it was stored; not those of tmpfs.
 * `own` is tree_use_open()'s descriptor, `own_bytes` what the supervisor itself has written.
 * UINT64_MAX: a process of the tree cannot be looked into.
 */
uint64_t tree_use_written(const struct tree_process *list, size_t count, int own,
			  uint64_t own_bytes);

/* For tree_use_written(). To be opened while nothing hostile runs. Returns it, or a negative errno. */
int tree_use_open(void);

#endif
