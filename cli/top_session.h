/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_TOP_SESSION_H
#define PROCTOR_CLI_TOP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

/* What `proctor top` knows of one session: its log, as far as it is written, and its processes. */

enum {
	TOP_ATTEMPTS = 256, /* the last ones are kept */
	TOP_SAMPLES = 10,   /* a rate is that of so many seconds */
};

/* A process of the tool's tree, parents before their children. */
struct top_process {
	pid_t pid;
	unsigned int depth; /* 0: of the supervisor */
	char state;         /* of proc_pid_stat(5) */
	uint64_t blocked;   /* attempts of this pid */
};

/* Of something that only grows. */
struct top_rate {
	uint64_t samples[TOP_SAMPLES + 1]; /* one a second, the newest first */
	unsigned int count;
};

struct top_log; /* how far it has been read, and who was blocked how often */

struct top_session {
	char *path;     /* of the log */
	char *id;       /* NULL until there is a `start` */
	char *command;
	pid_t supervisor;
	long long began_ms; /* since 1970 */
	uint64_t records;
	uint64_t blocked; /* and what would have been */
	struct top_rate record_rate;
	struct top_rate blocked_rate;
	bool behind;    /* there is more to be read */
	bool running;   /* somebody writes to the log */
	bool ended;     /* it has an `end`, with these: */
	long long exit_code;
	double duration_s;
	struct top_process *processes; /* that live */
	size_t process_count;
	char *attempts[TOP_ATTEMPTS]; /* one line each, harmless to a terminal; a ring */
	uint64_t attempt_count;
	struct top_log *log;
};

/* Returns it, or NULL and *err. Nothing is read yet. */
struct top_session *top_session_open(const char *path, struct error *err);
void top_session_close(struct top_session *session);

/* Reads what is there, but no longer than `ns`: `behind` is set if that was not enough. */
void top_session_read(struct top_session *session, uint64_t ns);

/* To be called once a second: looks at the processes, whether it runs, and takes the rates' samples. */
void top_session_look(struct top_session *session);

/* A second, on average of the last ten. */
double top_rate(const struct top_rate *rate);

/* The attempt before the last `back` ones; NULL: there is none, or it is not kept. */
const char *top_session_attempt(const struct top_session *session, uint64_t back);

/* The command line of a process as it is now (free()): as the tool gave it, NULL when it is gone. */
char *top_command_line(pid_t pid);

/* True when somebody writes to the log: it is locked. */
bool top_has_writer(const char *path);

#endif
