/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_SESSION_H
#define PROCTOR_SUPERVISOR_SESSION_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit/audit.h"
#include "core/error.h"
#include "policy/policy.h"
#include "supervisor/guard.h"
#include "supervisor/host.h"

/* The state of one run. Everything that lasts longer than a call is reached from here. */

struct call_rule;
struct digest_cache;
struct redirects;
struct run_config;
struct callers;
struct identity;
struct lives;
struct injector;
struct stats;
struct stack_service;
struct pool;
struct socket_names;
struct dns_client;
struct dns_names;
struct dns_stub;
struct net_hosts;
struct net_peers;
struct net_proxy;
struct relay;
struct library;
struct ipc_objects;
struct process_limit;
struct limits;

struct session {
	const struct policy *policy;
	struct audit *audit;
	struct host host;
	char *const *environment; /* that the tool was started with */
	struct call_rule *call_rules; /* NULL: the policy has none */
	enum audit_level level;
	bool observe;
	bool hides;     /* the policy hides some names, and that is enforced */
	bool rewrites;  /* it puts some files or trees under other names */
	bool datagrams; /* the tool may have sockets that each message can take elsewhere */
	bool asks_args; /* an exec rule asks for arguments */

	/* The umask of every process of the tool; -1: one has set another, each has to be asked. */
	atomic_int umask;

	pid_t guardian; /* the process that the user started */
	pid_t self;     /* the supervisor */
	pid_t tool;     /* the tool's first process */
	int launch_status;   /* ends with its first exec: from then on what runs is the tool's */
	atomic_bool executed; /* seen to have ended */
	atomic_bool started; /* an exec of it was let into the kernel */
	/* Two processes of the tool may share a table of descriptors (CLONE_FILES). */
	atomic_bool files_shared;

	/*
	 * Held for reading while a worker traces an exec. The kernel lets any thread of ours take
	 * the ptrace stop of a process that is our child as well, so the main loop waits for
	 * children only when nobody traces.
	 */
	pthread_rwlock_t trace_lock;
	/* Held for reading while an exec under a tracer of the tool's own is looked after (exec.c), for
	 * writing by a ptrace(2) of the tool, which could let the new image run. */
	pthread_rwlock_t watch_lock;
	/* A worker whose tracee, the tool's first process, ended has its status; under trace_lock. */
	bool tool_taken;
	int tool_status;

	int listener; /* seccomp notification descriptor */
	int proc;     /* O_PATH /proc */
	int self_fds; /* O_PATH /proc/self/fd of the supervisor */
	int channel;  /* to the guardian */
	dev_t proc_dev;          /* device of /proc */
	atomic_ullong plain_dev; /* a device that is no mount of /proc (resolve.c) */

	struct pool *pool;
	struct identity *identity;
	struct callers *callers;
	struct lives *lives; /* NULL: not every call is logged */
	struct injector *injector;
	struct stats *stats; /* NULL: not asked for */
	struct stack_service *stacks; /* NULL: not asked for */
	struct socket_names *socket_names;
	struct ipc_objects *ipc;
	struct digest_cache *digests;
	struct redirects *redirects;

	/* NULL: the policy has no rules about host names. */
	struct dns_names *names;
	struct dns_stub *dns;
	struct dns_client *resolvers;
	struct net_hosts *hosts;
	struct net_peers *peers; /* also for network.rewrite */
	struct relay *relay;     /* NULL: neither names nor rewrites, nor a proxy */
	struct net_proxy *proxy; /* NULL: the policy offers none */
	struct process_limit *process_limit; /* NULL: as many as it likes */
	struct limits *limits;
	struct library *library; /* NULL: the preload library is not used */

	/*
	 * Held for writing from the look at what a rename moves to the rename, for reading while
	 * a folder is made: what was decided on as a file is not a folder by then.
	 */
	pthread_rwlock_t entry_lock;

	/* Of the thread that a descriptor was last taken from (tracee.c), which is mostly the next one
	 * as well; -1: none yet. Held for reading while it is used. */
	pthread_rwlock_t kept_lock;
	pid_t kept_tid;
	int kept_pidfd;

	pthread_mutex_t listing_lock; /* held while a folder is listed and its place put right */

	struct guard guard;

	/*
	 * Set once when the run must end at once (a log that cannot be written): from then on
	 * every call is refused. `failed_event` wakes the main loop.
	 */
	atomic_bool failed;
	int failed_event;

	/* Set once when a refused call ends the tool (on_block: kill); `failed_event` wakes as well. */
	atomic_bool killed;
};

/*
 * Makes what a run needs before there is a tool, and then the log, and what the tool may never change:
 * the log, the policies of this run and the next ones. 0, or a negative errno and *err: the run ends.
 */
int session_open(struct session *session, const struct run_config *config, struct error *err);
int session_open_log(struct session *session, const struct run_config *config, struct error *err);

/* Ends the run: no further call is allowed, the tool's tree is killed, exit 125. */
void session_fail(struct session *session);

/* Ends the tool (on_block: kill): no further call is allowed, the tool's tree is killed, exit 137. */
void session_kill(struct session *session);

/*
 * A worker that traces has waited for `pid`, which ended with `status`: of the tool's first process,
 * its parent, the main loop, hears only so. Under trace_lock.
 */
void session_took(struct session *session, pid_t pid, int status);

/* True when the run ends and nothing is allowed any more. */
bool session_is_over(const struct session *session);

#endif
