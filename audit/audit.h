/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_AUDIT_H
#define PROCTOR_AUDIT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "core/access.h"
#include "core/error.h"
#include "core/verdict.h"

/*
 * The audit log of one session: one JSON object a line, numbered without gaps,
 * chained by SHA-256 (see audit/schema.json). Every function may be called from
 * any number of threads at once, except audit_open() and audit_close().
 */
struct audit;

enum audit_event {
	EVENT_START,
	EVENT_BLOCKED,
	EVENT_WOULD_BLOCK,
	EVENT_ALLOWED,
	EVENT_REWRITTEN,
	EVENT_EXEC,
	EVENT_EXIT,
	EVENT_REPORTED, /* by the preload library within the tool: its own word */
	EVENT_LIMIT,
	EVENT_END,
	EVENT_COUNT,
};

const char *audit_event_name(enum audit_event event);

enum audit_level {
	AUDIT_BLOCKED,   /* blocked, would_block, limit, start, end */
	AUDIT_REWRITTEN, /* and rewritten */
	AUDIT_ALL,       /* every mediated call */
};

/* "blocked", "rewritten", "all". Static. */
const char *audit_level_name(enum audit_level level);

/* True when the level asks for the event. */
bool audit_level_wants(enum audit_level level, enum audit_event event);

/* Where a process stands in the tree, taken while its thread waits. Not owned. */
struct audit_actor {
	pid_t pid;
	pid_t tid;
	pid_t ppid;
	uid_t uid;
	uint64_t exec_id;        /* of the image that asks; never reused; from 1 */
	uint64_t parent_exec_id; /* of the image that started it; 0: proctor */
	const char *exe;
	const char *comm;
	const char *const *argv; /* NULL-terminated, or NULL when unreadable */
	const char *cwd;
};

/* One frame of a native stack. Not owned; NULL: not known. */
struct audit_frame {
	uint64_t ip;
	const char *object;   /* path */
	const char *build_id; /* hexadecimal */
	const char *symbol;
	uint64_t offset;      /* in the function; without one, in the object */
};

/* One frame of what an interpreter executes. Not owned. */
struct audit_script_frame {
	const char *language; /* "python", "javascript" */
	const char *function;
	const char *file;
	unsigned int line;    /* 0: not known */
};

/* How a process ended, for EVENT_EXIT. */
struct audit_exit {
	struct timespec started; /* time of day, to a hundredth of a second */
	bool known;              /* how it ended: `signal`, or if that is 0 `exit_code` */
	int exit_code;
	int signal;
	bool used; /* what it used is known */
	uint64_t user_ns;
	uint64_t system_ns;
	uint64_t max_rss_bytes; /* 0: not known */
};

/*
 * One record. Strings are bytes as the kernel has them; what is not UTF-8 is
 * written as \udcXX escapes. A NULL or zero field that does not apply is left
 * out, except `rule`, which is null on a blocked attempt that no rule decided.
 */
struct audit_record {
	enum audit_event event;
	enum access_class class;
	enum access_op op;
	const char *syscall;     /* the kernel's name; "syscall_500" for an unknown one */
	const char *arg;         /* as the tool wrote it */
	size_t arg_len;          /* bytes of arg; 0: strlen(arg) */
	const char *path;        /* what it resolved to */
	const char *endpoint;    /* endpoint_format() text */
	const char *host;        /* the name asked for */
	const char *const *flags; /* symbolic, NULL-terminated */
	const char *const *args;  /* argv of an exec, NULL-terminated */
	struct verdict verdict;
	const char *to;          /* what a rewrite used instead */
	const struct audit_actor *actor;
	const struct audit_frame *stack; /* innermost first */
	size_t stack_count;      /* 0: not taken, or not to be told */
	const struct audit_script_frame *script; /* innermost first */
	size_t script_count;
	const char *exe_sha256;  /* of the file that was executed */
	const struct audit_exit *exit;
	const char *function;    /* of a library that was called, for EVENT_REPORTED; args: its texts */
	const char *detail;      /* free words: "limit wall", "exec verification failed" */
	const char *remedy;      /* policy line that would allow it: for the summary
				    (audit_blocked_list()), not written to the log */
};

/* What the `start` record says besides. */
struct audit_start {
	const char *version;
	const char *const *command; /* NULL-terminated */
	const char *engine;         /* "notify" */
	struct {
		const char *file;
		const char *sha256;
	} *policies;
	size_t policy_count;
	bool observe;
	const char *library; /* what the preload library tells of: "events", "http"; NULL: it is not used */
};

/* What came of the preload library, for the `end` record. */
struct audit_library {
	uint64_t received;  /* messages */
	uint64_t malformed; /* of them: not such as the library sends */
	uint64_t dropped;   /* of them: more than are recorded in a second */
};

struct audit_config {
	const char *session; /* session id */
	/*
	 * Where it goes, to all of them: what sink_open() takes; a file is appended to. None: `folder`/audit.jsonl.
	 */
	const char *const *targets;
	size_t target_count;
	const char *folder;      /* the session's folder; it exists */
	enum audit_level level;
	uint64_t rotate_size;    /* bytes that a file may have; 0: any number */
	unsigned int rotate_count; /* files kept besides the one that is written */
	const char *key_file;    /* what records are signed with (audit/sign.h); NULL: they are not */
	uint64_t limit;          /* bytes that a session may add to each file; 0: any number */
};

/*
 * Opens the log. Each target has a chain of its own. A file is made with mode 0600 and O_APPEND, and locked for as
 * long as it is open: a second session on it is refused. The chain starts with
 * "prev" of 64 zeros, in a log that holds records with the hash of its last
 * one; a torn last line (a writer killed in mid-write) is cut off, and `start`
 * says so. A file that does not end in a record is refused and left as it is.
 * A file that would grow beyond `rotate_size` is renamed FILE.1, FILE.1 to FILE.2 and so on, and the
 * chain goes on in a new FILE. What would become FILE.`rotate_count`+1 is removed; a record of event
 * `limit` then says up to where.
 * The caller has SIGPIPE and SIGXFSZ ignored from here on, so that a closed
 * pipe and a file size limit are errors that can be reported.
 * Returns 0 and *ret, or a negative errno with *err set.
 */
int audit_open(const struct audit_config *config, struct audit **ret, struct error *err);

/* Releases it. Writes nothing. NULL is fine. */
void audit_close(struct audit *audit);

/* Writes the `start` record. As audit_write(). */
int audit_write_start(struct audit *audit, const struct audit_start *start);

/*
 * Writes one record, whole, before it returns: after a return of 0 the record
 * survives the death of this process. Does nothing, and returns 0, when the
 * level does not ask for the event. A target that is slow is waited for, and
 * nobody but the writers of records with it; but a record of what was not
 * refused (allowed, rewritten, exec, exit, reported) is dropped from that target, and
 * counted, when it takes nothing (see output_record()).
 * Returns a negative errno when the record could not be written (or the log
 * file is no longer where it was, -ESTALE); from then on every call fails with
 * the same error: nothing that must be logged may go on unlogged. -EDQUOT is
 * one of these: with this record, a file has reached its limit.
 */
int audit_write(struct audit *audit, const struct audit_record *record);

/* For the `end` record; without, nothing is said there. Before audit_write_end(). */
void audit_set_library(struct audit *audit, const struct audit_library *library);

/*
 * Writes the `end` record: counts by event, decision and class, records
 * dropped, exit code and duration. As audit_write(), but a limit is no hindrance.
 */
int audit_write_end(struct audit *audit, int exit_code, uint64_t duration_ns);

/*
 * The run is over: whoever waits for a target, now or later, does so for
 * SINK_LAST_S seconds in all. A terminal that was stopped goes on.
 */
void audit_hurry(struct audit *audit);

/* True when it ended because a file has reached its limit. */
bool audit_is_full(const struct audit *audit);

/* Records that were dropped; the most that one target lacks. */
uint64_t audit_dropped(const struct audit *audit);

/* The first error, as "cannot write FILE: reason"; NULL when there is none. */
const char *audit_failure(struct audit *audit);

/* Bytes written to files so far, but to those of a tmpfs. */
uint64_t audit_written(const struct audit *audit);

/* The targets, in the order of audit_config: the path of a log file, "-" or "unix:PATH". NULL
 * behind the last. */
const char *audit_target(const struct audit *audit, size_t index);

/* Blocked (and would-block) attempts, equal ones folded. */
struct audit_blocked {
	enum access_class class;
	enum access_op op;
	bool observed;       /* would have been blocked */
	bool killed;         /* the tool was, for it */
	char *target;        /* path, endpoint or call */
	char *rule_file;     /* NULL: no rule allows it */
	unsigned int rule_line;
	char *rule_text;
	char *detail;        /* of the record: why, where no rule decided; NULL: nothing said */
	char *remedy;        /* NULL: no line would allow it */
	char *exe;
	uint64_t count;
};

/*
 * The folded attempts in order of first appearance; valid until audit_close().
 * At most AUDIT_BLOCKED_MAX different ones are kept, of which each class has AUDIT_BLOCKED_SHARE for itself,
 * so that a flood of one kind does not hide another; *ret_other counts attempts beyond them.
 */
enum { AUDIT_BLOCKED_MAX = 4096, AUDIT_BLOCKED_SHARE = 256 };
const struct audit_blocked *audit_blocked_list(struct audit *audit, size_t *ret_count,
					       uint64_t *ret_other);

/* What has been counted so far, in the text format of Prometheus. */
void audit_write_metrics(struct audit *audit, FILE *out);

/* Attempts blocked (not merely observed) so far. */
uint64_t audit_blocked_total(struct audit *audit);

/*
 * Makes a pair of keys: `file` for audit_config.key_file, and the public one beside it, `file`.pub. As
 * signer_make_key(), ret_public included.
 */
enum { AUDIT_KEY_HEX_SIZE = 65 };
int audit_make_key(const char *file, char ret_public[AUDIT_KEY_HEX_SIZE], struct error *err);

/*
 * Checks a log file from its first line, after those that were renamed FILE.1, FILE.2... by
 * rotation: each line a record, its hash that of
 * its bytes, its prev the hash of the line before, seq 1, 2, 3... from each
 * `start` on. A file that holds several sessions, one after the other, has one
 * chain through all of them. *err names the file by its last name when there are several.
 * Signatures must be those of the key that `start` names; `public_key` (a PEM file, or hexadecimal
 * digits; NULL: any) is the one that it must name.
 * Returns 0 and the number of lines, err->message then empty or, when the last
 * session has no `end` record, a note that says so: lines cut off the end
 * leave no other trace (those behind the last signature could be changed as well,
 * which is said too). Returns 1 with *ret_line the first line that was
 * changed, added, torn, or stands where lines were removed, and *err saying
 * which; or a negative errno with *err set when the file cannot be read.
 */
int audit_verify(const char *file, const char *public_key, uint64_t *ret_line, struct error *err);

#endif
