/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/actor.h"
#include "supervisor/call_rules.h"
#include "supervisor/exec_environment.h"
#include "supervisor/exec_redirect.h"
#include "supervisor/lives.h"
#include "supervisor/mapping.h"
#include "supervisor/notify.h"
#include "supervisor/resolve.h"
#include "supervisor/session.h"
#include "supervisor/trace.h"
#include "supervisor/tracee.h"

enum {
	WATCH_PAUSE_NS = 20000,
	/* How often it is found at a stage before that is the answer. */
	WATCH_OVER = 50,
	WATCH_RUNNING = 20000,
	WATCH_MAX = 100000, /* an exec that hangs ends the process */
};

struct exec_plan *exec_plan_new(void)
{
	struct exec_plan *plan = calloc(1, sizeof(*plan));

	if (plan)
		*plan = (struct exec_plan){.image = -1, .script = -1};
	return plan;
}

void exec_plan_free(struct exec_plan *plan)
{
	if (!plan)
		return;
	close_fd(&plan->image);
	close_fd(&plan->script);
	exec_argv_release(&plan->argv);
	exec_argv_release(&plan->redirect_argv);
	free(plan->redirect);
	free(plan);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What the kernel tells the new image about itself: getauxval(3). */
struct auxiliary {
	uint64_t execfn; /* AT_EXECFN: address of the name that execve was called with */
	uint64_t base;   /* AT_BASE: where the dynamic loader is; 0: none */
};

static int read_auxiliary(struct call *call, struct auxiliary *ret)
{
	AUTO_CLOSE int fd = -1;
	Elf64_auxv_t auxv[64];
	char path[32];
	ssize_t got;

	*ret = (struct auxiliary){0};
	snprintf(path, sizeof(path), "%d/auxv", call->request.tid);
	fd = openat(call->session->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, auxv, sizeof(auxv));
	for (ssize_t i = 0; i < got / (ssize_t)sizeof(auxv[0]); i++) {
		if (auxv[i].a_type == AT_EXECFN)
			ret->execfn = auxv[i].a_un.a_val;
		else if (auxv[i].a_type == AT_BASE)
			ret->base = auxv[i].a_un.a_val;
	}
	return ret->execfn ? 0 : -ENOENT;
}

/* NULL when the image was started for the script that `pinned` is, else why not. */
static const char *verify_script(struct call *call, int pinned, uint64_t execfn)
{
	AUTO_OBJECT struct object named = OBJECT_INIT;
	struct stat expected;
	char name[PATH_MAX];

	if (tracee_read_string(call, execfn, name, sizeof(name)) < 0 ||
	    fstat(pinned, &expected) < 0 || resolve_object(call, AT_FDCWD, name, 0, 0, &named) < 0)
		return "the script cannot be verified";
	if (!same_file(&expected, &named.stat))
		return "another script than the one decided on was executed";
	return NULL;
}

static bool digest_holds(struct session *session, int fd, const struct program_digest *digest)
{
	return !digest->hex[0] || program_digest_holds(session, fd, digest);
}

/* NULL when the image that stands before its first instruction is the one decided on, else why it
 * is not. `call` is about the new image; *ret_name becomes the name of what was executed. */
static const char *verify(struct call *call, const struct exec_plan *plan, char ret_name[PATH_MAX])
{
	struct auxiliary auxiliary;
	struct stat expected;
	struct stat found;
	const char *why;
	char path[32];

	if (proc_readlink(call->session, call->request.tid, "exe", ret_name, PATH_MAX) < 0)
		ret_name[0] = '\0';
	snprintf(path, sizeof(path), "%d/exe", call->request.tid);
	if (fstat(plan->image, &expected) < 0 ||
	    fstatat(call->session->proc, path, &found, 0) < 0 ||
	    read_auxiliary(call, &auxiliary) < 0)
		return "the new image cannot be verified";
	/* binfmt_misc: an interpreter that only the kernel knows of, for which there is a rule. */
	if (!same_file(&expected, &found) &&
	    (plan->digest.hex[0] || !proc_name_permitted(call, OP_EXEC, ret_name)))
		return "another file than the one decided on was executed";
	if (plan->argv.items && !exec_argv_matches(call->session, call->request.tid, &plan->argv))
		return "it has other arguments than those decided on";
	if (!digest_holds(call->session, plan->image, &plan->digest) ||
	    !digest_holds(call->session, plan->script, &plan->script_digest))
		return "it has other contents than those decided on";
	why = plan->script < 0 ? NULL : verify_script(call, plan->script, auxiliary.execfn);
	if (why || !auxiliary.base)
		return why;
	/* PT_INTERP, as the kernel found it. */
	return mapping_verify(call, auxiliary.base, auxiliary.base + 1, MAPPING_ANY, ret_name);
}

/* Where each process is logged, so is what it executes. */
static void record_exec(struct call *call, const struct exec_plan *plan, const char *name)
{
	struct lives *lives = call->session->lives;
	struct program_digest digest;
	const char *sha256 = NULL;

	if (lives && program_digest_make(call->session, plan->image, &digest) == 0)
		sha256 = digest.hex;
	lives_executed(lives, call->request.tid);
	call_record_exec(call, name, sha256);
}

/* At the exec event. `pid` is the process: from a thread that was not the leader, execve makes it
 * the leader. `traced` by us: it stands before its first instruction. False: it must die. */
static bool executed(struct call *call, pid_t pid, const struct exec_plan *plan, uint64_t parent,
		     bool traced)
{
	char name[PATH_MAX];
	const char *why;

	call->request.tid = pid;
	call->tgid = pid;
	identity_exec(call->session, pid, parent);
	why = verify(call, plan, name);
	if (!why && traced && exec_environment_apply(call, pid, name) < 0)
		why = "the environment of the new image cannot be set";
	if (why)
		call_record_kill(call, OP_EXEC, name[0] ? name : NULL, why);
	else
		record_exec(call, plan, name);
	return !why;
}

enum stage {
	STAGE_KERNEL,  /* in the kernel, at the exec */
	STAGE_RUNNING, /* there, or back in user mode: it cannot be told */
	STAGE_OVER,    /* elsewhere, or stopped: it failed */
};

/* The kernel writes the auxiliary vector last. */
static bool is_complete(struct call *call, pid_t pid)
{
	struct call image = *call;
	struct auxiliary auxiliary;

	image.request.tid = pid;
	return read_auxiliary(&image, &auxiliary) == 0;
}

static enum stage stage_of(const struct call *call)
{
	const int nr = proc_syscall(call->session, call->request.tid);
	struct proc_stat stat;

	if (nr == -EBUSY)
		return STAGE_RUNNING;
	if (nr != call->request.nr || proc_stat(call->session, call->request.tid, &stat) < 0)
		return STAGE_OVER;
	return stat.state == 't' || stat.state == 'T' ? STAGE_OVER : STAGE_KERNEL;
}

/*
 * The process is traced by another of the tool's, as the policy allows, and so cannot be traced by us.
 * The kernel makes the exec, and the new image is looked at as soon as there is one. Meanwhile no
 * ptrace(2) of the tool's is answered, so that a tracer that has it stop at the exec cannot let it
 * go on; one that is killed in this moment can let it make its first steps.
 */
static int watch(struct call *call, const struct exec_plan *plan, uint64_t parent)
{
	const struct timespec pause = {.tv_nsec = WATCH_PAUSE_NS};
	const pid_t pid = call_tgid(call);
	unsigned int looks[STAGE_OVER + 1] = {0};
	struct proc_stat before;
	struct proc_stat now;
	bool changed = false; /* not the old image, and not verified */
	int error = 0;

	pthread_rwlock_rdlock(&call->session->watch_lock);
	if (proc_stat(call->session, pid, &before) == 0 && call_valid(call))
		error = notify_continue(call);
	while (error == 0 && proc_stat(call->session, pid, &now) == 0) {
		changed = now.start_stack != before.start_stack;
		if (changed && is_complete(call, pid)) {
			changed = !executed(call, pid, plan, parent, false);
			break;
		}
		looks[stage_of(call)]++;
		changed |= looks[STAGE_KERNEL] > WATCH_MAX;
		if (looks[STAGE_KERNEL] > WATCH_MAX || looks[STAGE_RUNNING] > WATCH_RUNNING ||
		    looks[STAGE_OVER] > WATCH_OVER)
			break;
		nanosleep(&pause, NULL);
	}
	if (changed)
		kill(pid, SIGKILL);
	pthread_rwlock_unlock(&call->session->watch_lock);
	return error;
}

int exec_run(struct call *call, const struct exec_plan *plan)
{
	const struct ask ask = {.class = CLASS_EXEC, .ops = {OP_EXEC}, .op_count = 1};
	struct session *session = call->session;
	struct trace_stop stop;
	struct reply refused;
	uint64_t parent = 0;
	uint64_t unused;
	int error;

	if (atomic_exchange(&session->started, true))
		parent = identity_of(session, call_tgid(call), &unused);
	error = plan->redirect ? exec_redirect(call, plan, &stop) : trace_call(call, &stop);
	if (error == -EPERM && !plan->redirect && call_rules_allow_tracing(session->call_rules))
		return watch(call, plan, parent);
	if (error == -EPERM) {
		refused = call_refuse(call, &ask, EACCES,
				      "the exec cannot be verified: the process is traced");
		return notify_reply(call, &refused);
	}
	if (error <= 0)
		return error;
	trace_go(call, &stop, stop.executed && !executed(call, stop.pid, plan, parent, true));
	return 0;
}
