/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/actor.h"
#include "supervisor/notify.h"
#include "supervisor/resolve.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The name that execve was called with, as the new image has it: AT_EXECFN, getauxval(3). */
static ssize_t read_execfn(struct call *call, char name[PATH_MAX])
{
	AUTO_CLOSE int fd = -1;
	Elf64_auxv_t auxv[64];
	char path[32];
	ssize_t got;

	snprintf(path, sizeof(path), "%d/auxv", call->request.tid);
	fd = openat(call->session->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, auxv, sizeof(auxv));
	for (ssize_t i = 0; i < got / (ssize_t)sizeof(auxv[0]); i++) {
		if (auxv[i].a_type == AT_EXECFN)
			return tracee_read_string(call, auxv[i].a_un.a_val, name, PATH_MAX);
	}
	return -ENOENT;
}

/* NULL when the image that stands before its first instruction is the one decided on, else why it
 * is not. `call` is about the new image; *ret_name becomes its name. */
static const char *verify(struct call *call, int image, int script, char ret_name[PATH_MAX])
{
	AUTO_OBJECT struct object named = OBJECT_INIT;
	char execfn[PATH_MAX];
	struct stat expected;
	struct stat found;
	char path[32];

	if (proc_readlink(call->session, call->request.tid, "exe", ret_name, PATH_MAX) < 0)
		ret_name[0] = '\0';
	snprintf(path, sizeof(path), "%d/exe", call->request.tid);
	if (fstat(image, &expected) < 0 || fstatat(call->session->proc, path, &found, 0) < 0)
		return "the new image cannot be verified";
	if (!same_file(&expected, &found))
		return "another file than the one decided on was executed";
	if (script < 0)
		return NULL;
	if (read_execfn(call, execfn) < 0 || fstat(script, &expected) < 0 ||
	    resolve_object(call, AT_FDCWD, execfn, 0, 0, &named) < 0)
		return "the script cannot be verified";
	if (!same_file(&expected, &named.stat))
		return "another script than the one decided on was executed";
	return NULL;
}

/* Lets the tracee go on, with `sig` if not 0. One that cannot was killed. */
static void detach(struct call *call, pid_t pid, int sig)
{
	int status;

	if (ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)sig) == 0)
		return;
	while (waitpid(pid, &status, __WALL | __WNOTHREAD) == pid) {
		if (WIFSTOPPED(status))
			continue;
		session_took(call->session, pid, status);
		return;
	}
}

/* At the exec event. `pid` is the process: from a thread that was not the leader, execve makes it
 * the leader. */
static void executed(struct call *call, pid_t pid, int image, int script, uint64_t parent)
{
	char name[PATH_MAX];
	const char *why;

	call->request.tid = pid;
	call->tgid = pid;
	identity_exec(call->session, pid, parent);
	why = verify(call, image, script, name);
	if (why) {
		call_record_kill(call, name[0] ? name : NULL, why);
		kill(pid, SIGKILL);
	} else {
		call_record_exec(call, name);
	}
	detach(call, pid, 0);
}

/* Waits for what becomes of the exec. */
static void await(struct call *call, int image, int script, uint64_t parent)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL | __WNOTHREAD);
		int sig;

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return;
		if (!WIFSTOPPED(status)) {
			session_took(call->session, pid, status); /* killed, or another thread's exec ended it */
			return;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
			executed(call, pid, image, script, parent);
			return;
		}
		/* Back in user mode without an exec event: the exec failed. A stop that is not
		 * PTRACE_INTERRUPT's is a signal, which goes on its way. */
		sig = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
		detach(call, pid, sig);
		return;
	}
}

static int trace(struct call *call, int image, int script, uint64_t parent)
{
	const struct ask ask = {.class = CLASS_EXEC, .ops = {OP_EXEC}, .op_count = 1};
	const pid_t tid = call->request.tid;
	struct reply refused;

	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACEEXEC) < 0) {
		refused = call_refuse(call, &ask, EACCES,
				      "the exec cannot be verified: the process is traced");
		return notify_reply(call, &refused);
	}
	/* The interrupt brings the thread to a stop as soon as it is back in user mode: a failed
	 * exec has no event. */
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	if (call_valid(call) && notify_continue(call) < 0)
		return -EIO;
	await(call, image, script, parent);
	return 0;
}

int exec_run(struct call *call, int image, int script)
{
	struct session *session = call->session;
	uint64_t parent = 0;
	uint64_t unused;
	int error;

	if (atomic_exchange(&session->started, true))
		parent = identity_of(session, call_tgid(call), &unused);
	pthread_rwlock_rdlock(&session->trace_lock);
	error = trace(call, image, script, parent);
	pthread_rwlock_unlock(&session->trace_lock);
	return error;
}
