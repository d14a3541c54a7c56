/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_TRACEE_H
#define PROCTOR_SUPERVISOR_TRACEE_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "supervisor/call.h"

/*
 * The calling thread, seen from outside. Everything here is a copy, taken once; whoever decides
 * on it asks call_valid() afterwards, because the caller may have been killed and its id reused
 * meanwhile (call_permit() does).
 */

/* Copies exactly `len` bytes. 0, -EFAULT, or another negative errno (not readable at all). */
int tracee_read(struct call *call, uint64_t addr, void *buf, size_t len);

/*
 * Copies a structure that grows with the kernel (copy_struct_from_user()): `size` bytes at `addr`, of
 * which we know the first `known`; more must be zeros. 0, -EINVAL when it is too short, -E2BIG when
 * it holds what we do not know, or as tracee_read().
 */
int tracee_read_struct(struct call *call, uint64_t addr, uint64_t size, void *ret, size_t known);

/* Writes `len` bytes. As tracee_read(). */
int tracee_write(struct call *call, uint64_t addr, const void *buf, size_t len);

/*
 * Copies a NUL-terminated string into buf. Returns its length, or -EFAULT, or -ENAMETOOLONG when
 * no NUL stands within `size` bytes.
 */
ssize_t tracee_read_string(struct call *call, uint64_t addr, char *buf, size_t size);

/*
 * A copy of the argv at `addr`, for a record: NULL-terminated, one allocation (free()), cut to
 * 256 strings of 4 KiB. NULL when it cannot be read.
 */
const char **tracee_read_argv(struct call *call, uint64_t addr);

/*
 * The descriptor `fd` of the caller as one of ours (pidfd_getfd(2)): the same open file
 * description, O_CLOEXEC. Returns it, -EBADF, or another negative errno.
 */
int tracee_getfd(struct call *call, int fd);

/*
 * An O_PATH descriptor for the object that the caller's descriptor `fd`, its working folder
 * (AT_FDCWD) leads to. Returns it, -EBADF, or another negative errno.
 */
int tracee_open_path(struct call *call, int fd);

/* The same for a descriptor that is only to be looked up from: it may be the caller's open file itself. */
int tracee_open_folder(struct call *call, int fd);

/*
 * True when the caller has the object open: not only a name that leads to it in another process's
 * /proc folder, nor an O_PATH descriptor, for which that is enough.
 */
bool tracee_holds(struct call *call, const struct stat *object);

/* What a failed tracee_*() means for the call: EFAULT, EBADF and their like as the kernel would
 * have said; anything else is a refusal, recorded. `arg` may be NULL. */
struct reply tracee_failed(struct call *call, int error);

/* ------------------------------------------------------------------ /proc/PID */

struct proc_stat {
	pid_t ppid;
	pid_t pgrp;
	pid_t session;
	int tty;              /* tty_nr, 0: none */
	uint64_t start_time;  /* clock ticks since boot */
	uint64_t start_stack; /* 0 when not readable */
	char state;
	char comm[64];
};

enum { PROC_STAT_SIZE = 1024 };

/* /proc/PID/stat (proc_pid_stat(5)); a thread id will do. 0 or a negative errno. */
int proc_stat(const struct session *session, pid_t pid, struct proc_stat *ret);

/* The same, of what has been read of that file. 0 or -EIO. */
int proc_stat_parse(const char *text, struct proc_stat *ret);

struct proc_status {
	pid_t tgid;
	mode_t umask;
	uint32_t uid[4]; /* real, effective, saved, of the file system */
	uint32_t gid[4];
	uint64_t pending; /* signals waiting for the thread or its process */
	uint64_t pending_process; /* those for its process, whichever thread takes them */
	uint64_t blocked;
	unsigned int threads; /* of its process */
	bool ended;           /* nobody has waited for it, or others of its process go on */
	char comm[64];
};

/* /proc/TID/status (proc_pid_status(5)). 0 or a negative errno. */
int proc_status(const struct session *session, pid_t tid, struct proc_status *ret);

/* What a process has used so far, or until it ended. */
struct proc_usage {
	uint64_t start_time;    /* as in struct proc_stat */
	uint64_t user_ns;
	uint64_t system_ns;
	uint64_t max_rss_bytes; /* 0: not known any more, or too little for the kernel to say */
	bool ended;             /* a zombie, and this is how, waitpid(2): */
	int status;
};

/* 0 or a negative errno. */
int proc_usage(const struct session *session, pid_t pid, struct proc_usage *ret);

/* The number of the system call that the thread is in (proc_pid_syscall(5)); -1: none. -EBUSY: it
 * runs, and may be in one; or another negative errno. */
int proc_syscall(const struct session *session, pid_t tid);

/* As tracee_read_string(), of any size. */
ssize_t tracee_read_long(struct call *call, uint64_t addr, char *buf, size_t size);

/* One line of /proc/PID/maps (proc_pid_maps(5)). */
struct proc_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t inode; /* 0: no file */
	bool code;      /* executable */
	char name[PATH_MAX + 32]; /* with a mark if deleted; empty: none */
};

/* /proc/TID/maps, open; NULL with errno. proc_next_mapping() then gives one line after the other:
 * 1, 0 at the end, or a negative errno. */
FILE *proc_open_maps(const struct session *session, pid_t tid);
int proc_next_mapping(FILE *maps, struct proc_mapping *ret);

/*
 * True when nobody can exchange the caller's descriptors while it waits: it has no other thread, and its
 * table of descriptors is no other process's. Not so of its memory, which may be shared. Asked before a
 * descriptor is looked at: a thread may have exchanged it as the last that it did.
 */
bool tracee_is_alone(const struct call *call);

/* True when a thread of the process is stopped, as by SIGTSTP; of many some are looked at. */
bool proc_has_stopped_thread(const struct session *session, pid_t tgid);

/* Text of the link /proc/PID/NAME, e.g. "exe". Returns length or a negative errno. */
ssize_t proc_readlink(const struct session *session, pid_t pid, const char *name, char *buf,
		      size_t size);

#endif
