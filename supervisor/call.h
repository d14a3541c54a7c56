/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_CALL_H
#define PROCTOR_SUPERVISOR_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/access.h"
#include "core/verdict.h"
#include "supervisor/table.h"

/* One call of the tool on its way: request in, reply out. */

struct exec_plan;
struct relay_gate;
struct session;
struct worker;

/* What the engine received, by value. */
struct request {
	uint64_t id;
	pid_t tid;
	uint32_t arch; /* AUDIT_ARCH_* */
	int nr;
	uint64_t args[6];
};

/*
 * A connection that is made for a client of the proxy, whose call was answered long ago. Where a relay would
 * have to stand between, this is its other end.
 */
struct detached {
	int fd; /* owned; -1: there is none */
	struct relay_gate *gate; /* owned; NULL: none */
};

struct call {
	struct session *session;
	struct worker *worker; /* NULL: detached */
	struct detached *detached; /* NULL: the caller waits */
	struct request request;
	const struct syscall_row *row; /* NULL: unknown number */
	pid_t tgid;                    /* 0 until call_tgid() is asked */
};

enum reply_kind {
	REPLY_ERROR,    /* the call fails with `error` */
	REPLY_VALUE,    /* the call returns `value` */
	REPLY_FD,       /* the call returns a new descriptor for `fd`, which the reply owns */
	REPLY_CONTINUE, /* the kernel runs the call: decided from registers alone */
	REPLY_RESTART,  /* the call is made again, or fails with EINTR: there is a signal to take */
	REPLY_EXEC,     /* the kernel runs the exec; `exec` says what must come of it */
	REPLY_DECIDED,  /* the kernel runs the call: it is one that we have the caller make */
	REPLY_ALONE,    /* the kernel runs the call: tracee_is_alone(), and nothing else decides it */
	REPLY_MAP,      /* the kernel maps a file as code; it is looked at what came of it */
	REPLY_PATH,     /* as REPLY_FD, for a descriptor of O_PATH */
	REPLY_CHDIR,    /* the caller goes to the folder `fd` */
	REPLY_NONE,     /* the caller is gone */
};

struct reply {
	enum reply_kind kind;
	int error;
	int64_t value;
	int fd;
	struct exec_plan *exec;
	bool cloexec;
};

struct reply reply_error(int error);
struct reply reply_value(int64_t value);
/* 0 or a negative errno, as a system call wrapper returns it (-1 and errno). */
struct reply reply_result(int64_t result);
/* Takes `fd`. */
struct reply reply_fd(int fd, bool cloexec);
/* Refuses (EPERM) where syscall_may_continue() does not hold. */
struct reply reply_continue(const struct call *call);
/* Takes the plan (exec.h). */
struct reply reply_exec(struct exec_plan *plan);
/* The mapping is made by the kernel, and verified (mapping.h). */
struct reply reply_map(void);
/* Only for what a descriptor decides, whatever stands in memory, and a caller that is alone. */
struct reply reply_alone(void);
/* Takes `fd`, which is of O_PATH. */
struct reply reply_path(int fd, bool cloexec);
/* Takes `fd`, a folder. */
struct reply reply_chdir(int fd);
/* Only for exec_is_redirected(). */
struct reply reply_decided(void);
/* The caller is gone: there is nobody to answer. */
struct reply reply_none(void);

/*
 * What a handler asks the policy. `path` (CLASS_FILE, CLASS_EXEC) is the canonical name of the
 * object; what follows it is for the record only. One call may want several operations on one
 * object (open for reading and writing): all must be allowed.
 */
struct ask {
	enum access_class class;
	enum access_op ops[4];
	size_t op_count;
	const char *path;
	int missing; /* errno that the kernel has for the call as nothing comes of it (nothing stands
		      * at `path`, or something already does). Where no rule says anything about the
		      * name, this is the answer and nothing was attempted: no record */
	bool rewritten; /* what `path` names is answered with something else: files.rewrite (struct
			 * object), or exec.rewrite: then `to` */
	bool own;    /* an object without a name, of the tool's own (a pipe): no rule is asked */
	const struct endpoint *endpoint;
	const char *host;        /* the name asked for, normalised; NULL: none */
	const char *arg;         /* as the tool wrote it */
	const char *to;          /* what a rewrite uses instead */
	const char *const *exec_argv; /* of an exec, read once; NULL: not read */
	const char *sha256;      /* of the program; NULL: not known */
	const int *open_flags;   /* open(2), NULL: does not apply */
	uint64_t argv;           /* argv of an exec, in the caller's memory; 0: does not apply */
};

/*
 * Asks the policy and writes the record that is due, before the tool can know. True: carry the
 * call out. False: answer with *ret.
 */
bool call_permit(struct call *call, const struct ask *ask, struct reply *ret);

/*
 * As call_permit() for a call that only looks at a name (stat, access, readlink, chdir...): refused is
 * what the policy hides, and other processes.
 */
bool call_permit_look(struct call *call, const struct ask *ask, struct reply *ret);

/*
 * True when one access of a class that has no side effects, on a name outside /proc, is allowed
 * and wants no record: the caller may go ahead without call_permit().
 */
bool call_allows_quietly(const struct call *call, const struct access *access);

/*
 * Refuses what the policy cannot allow: a kernel door, another process. Writes the record, in
 * which `detail` says why (NULL: nothing to say), and returns the reply. Holds under --observe.
 */
struct reply call_refuse(struct call *call, const struct ask *ask, int error, const char *detail);

/* Refuses what would pass a limit, that `rule` sets. As call_refuse(). */
struct reply call_refuse_limit(struct call *call, const struct ask *ask, int error,
			       const struct rule_source *rule, const char *detail);

/*
 * Refuses what was decided otherwise than by call_permit(); `access` (NULL: none) is what a policy
 * line that would allow it is suggested for. Writes the record. False: answer with *ret. True where
 * nothing is enforced.
 */
bool call_deny(struct call *call, const struct ask *ask, const struct access *access,
	       const struct verdict *verdict, const char *detail, struct reply *ret);

/* Writes the record of a rewrite (`ask->to`). True: carry it out. False: answer with *ret. */
bool call_permit_rewrite(struct call *call, const struct ask *ask, const struct verdict *verdict,
			 struct reply *ret);

/*
 * Goes by a decision about something that thread `tid` set going with call number `nr`, which was
 * answered long ago: a name in a DNS message. Writes the record that is due. True: let it pass.
 */
bool call_permit_later(struct session *session, pid_t tid, int nr, const struct ask *ask,
		       const struct verdict *verdict, const struct access *access,
		       const char *detail);

/* As call_permit() for what a rename or link of `from` to `to` would do to the tool's rights on
 * the object; see policy_decide_move(). `ask` is for the record. */
bool call_permit_move(struct call *call, const char *from, const char *to, bool tree,
		      const struct ask *ask, struct reply *ret);

/* True when the access is denied only for want of a digest (struct verdict). */
bool call_needs_digest(struct call *call, const struct ask *ask);

/* True when call_permit() would say so, or nothing is enforced. Writes no record. */
bool call_would_permit(struct call *call, const struct ask *ask);

/* True while the caller waits: what was read from its memory and /proc is its own. */
bool call_valid(const struct call *call);

/* Process id of the calling thread; 0 when it is gone. */
pid_t call_tgid(struct call *call);

/* Writes the record of an exec that has happened (--log all). */
void call_record_exec(struct call *call, const char *path, const char *sha256);

/* Writes the record of a variable ("NAME=value") that a new image was not given. */
void call_record_dropped(struct call *call, const char *path, const char *variable);

/* Writes the record of an exec or a mapping (`op`) that came out otherwise than decided; its
 * process is killed. */
void call_record_kill(struct call *call, enum access_op op, const char *path, const char *detail);

/* One mediated call from request to reply. */
struct reply call_handle(struct call *call);

#endif
