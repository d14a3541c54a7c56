/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/exec_redirect.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/notify.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum {
	RED_ZONE = 128,          /* System V ABI for x86-64 */
	SYSCALL_BYTES = 2,       /* the instruction */
	BLOCK_MAX = 64 * 1024,   /* of the stack, for a path and arguments */
	SYSCALL_STOP = SIGTRAP | 0x80, /* PTRACE_O_TRACESYSGOOD */
};

static const uint64_t all_signals = ~0ULL;

/* A thread that is on its way to the other exec. */
struct redirect {
	pid_t tid;
	struct user_regs_struct before; /* to be given back when it fails */
	struct user_regs_struct call;
	uint64_t mask; /* of signals, to be given back */
	struct redirect *next;
};

struct redirects {
	pthread_mutex_t lock;
	struct redirect *first;
};

struct redirects *redirects_new(void)
{
	struct redirects *redirects = calloc(1, sizeof(*redirects));

	if (redirects)
		pthread_mutex_init(&redirects->lock, NULL);
	return redirects;
}

static void add(struct redirects *redirects, struct redirect *redirect)
{
	pthread_mutex_lock(&redirects->lock);
	redirect->next = redirects->first;
	redirects->first = redirect;
	pthread_mutex_unlock(&redirects->lock);
}

static void take_out(struct redirects *redirects, struct redirect *redirect)
{
	struct redirect **at = &redirects->first;

	pthread_mutex_lock(&redirects->lock);
	while (*at && *at != redirect)
		at = &(*at)->next;
	if (*at)
		*at = redirect->next;
	pthread_mutex_unlock(&redirects->lock);
}

bool exec_is_redirected(struct call *call)
{
	struct redirects *redirects = call->session->redirects;
	const uint64_t *args = call->request.args;
	bool found = false;

	if (!redirects || call->request.nr != SYS_execve)
		return false;
	pthread_mutex_lock(&redirects->lock);
	for (const struct redirect *at = redirects->first; at && !found; at = at->next)
		found = at->tid == call->request.tid && at->call.rdi == args[0] &&
			at->call.rsi == args[1] && at->call.rdx == args[2];
	pthread_mutex_unlock(&redirects->lock);
	return found;
}

/* Writes what the other exec takes below the thread's stack, and its registers. */
static int prepare(struct call *call, const struct exec_plan *plan, struct redirect *redirect)
{
	const bool at = call->request.nr == SYS_execveat;
	const size_t count = plan->redirect_argv.count;
	const size_t vector = count ? (count + 1) * sizeof(uint64_t) : 0;
	size_t size = vector + strlen(plan->redirect) + 1;
	AUTO_FREE char *block = NULL;
	uint64_t address;
	size_t put = vector;

	for (size_t i = 0; i < count; i++)
		size += strlen(plan->redirect_argv.items[i]) + 1;
	if (size > BLOCK_MAX)
		return -E2BIG;
	block = calloc(1, size);
	if (!block)
		return -ENOMEM;
	address = (redirect->before.rsp - RED_ZONE - size) & ~15ULL;
	for (size_t i = 0; i < count; i++) {
		const uint64_t word = address + put;

		memcpy(block + i * sizeof(word), &word, sizeof(word));
		strcpy(block + put, plan->redirect_argv.items[i]);
		put += strlen(block + put) + 1;
	}
	strcpy(block + put, plan->redirect);
	redirect->call = redirect->before;
	redirect->call.rip -= SYSCALL_BYTES;
	redirect->call.rax = SYS_execve;
	redirect->call.orig_rax = (unsigned long long)-1;
	redirect->call.rdi = address + put;
	redirect->call.rsi = count ? address : call->request.args[at ? 2 : 1];
	redirect->call.rdx = call->request.args[at ? 3 : 2];
	return tracee_write(call, address, block, size);
}

/* SIGSTOP, which nothing holds back, came while the call waited for its answer (ERESTARTSYS): the kernel
 * makes the call again. */
static bool is_restarted(pid_t pid)
{
	struct user_regs_struct now;

	return ptrace(PTRACE_GETREGS, pid, NULL, &now) == 0 &&
	       (int64_t)now.rax == -KERNEL_ERESTARTSYS;
}

/* Until the exec has happened, or failed. 0: the thread is gone. */
static int run(struct call *call, struct trace_stop *stop)
{
	unsigned int system_stops = 0;
	int sig = 0;

	for (;;) {
		int more;

		ptrace(PTRACE_SYSCALL, call->request.tid, NULL, (void *)(intptr_t)sig);
		/* In user mode it has one instruction to go; its code is the tool's to change. */
		more = system_stops ? trace_await(call, stop) : trace_await_soon(call, stop);
		if (more <= 0 || stop->executed)
			return more;
		sig = stop->sig == SYSCALL_STOP ? 0 : stop->sig;
		if (stop->sig == SYSCALL_STOP && ++system_stops == 2) {
			if (!is_restarted(stop->pid))
				return 1; /* on its way out */
			system_stops = 0;
		}
	}
}

/* As the thread would be after its own call. */
static void give_back(struct call *call, struct redirect *redirect, struct trace_stop *stop, int error)
{
	struct user_regs_struct now;

	redirect->before.rax = (unsigned long long)-error;
	if (error == 0 && ptrace(PTRACE_GETREGS, stop->pid, NULL, &now) == 0)
		redirect->before.rax = now.rax;
	redirect->before.orig_rax = (unsigned long long)-1;
	ptrace(PTRACE_SETREGS, call->request.tid, NULL, &redirect->before);
}

static int redirect_thread(struct call *call, const struct exec_plan *plan, struct trace_stop *stop)
{
	struct redirect redirect = {.tid = call->request.tid};
	const size_t size = sizeof(redirect.mask);
	int error = trace_await(call, stop);

	if (error <= 0)
		return error;
	/* Signals wait: taken out and sent again, SIGSTOP and SIGCONT would change places. */
	if (ptrace(PTRACE_GETREGS, redirect.tid, NULL, &redirect.before) < 0 ||
	    ptrace(PTRACE_GETSIGMASK, redirect.tid, size, &redirect.mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, redirect.tid, size, &all_signals) < 0)
		return 0;
	error = prepare(call, plan, &redirect);
	if (error == 0 && ptrace(PTRACE_SETREGS, redirect.tid, NULL, &redirect.call) < 0)
		error = -EACCES;
	if (error == 0) {
		add(call->session->redirects, &redirect);
		error = run(call, stop);
		take_out(call->session->redirects, &redirect);
		if (error <= 0)
			return 0;
		error = 0;
	}
	if (!stop->executed)
		give_back(call, &redirect, stop, -error);
	ptrace(PTRACE_SETSIGMASK, stop->pid, size, &redirect.mask);
	stop->sig = 0;
	return 1;
}

int exec_redirect(struct call *call, const struct exec_plan *plan, struct trace_stop *ret)
{
	int error;

	call_tgid(call);
	error = trace_begin(call, PTRACE_O_TRACESYSGOOD);
	if (error < 0)
		return error == -ESRCH ? 0 : error;
	if (call_valid(call) && notify_send(call, ENOSYS, 0) < 0)
		error = -EIO;
	else
		error = redirect_thread(call, plan, ret);
	if (error <= 0)
		trace_end(call);
	return error;
}
