/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/call.h"

#include <errno.h>
#include <linux/audit.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "supervisor/call_rules.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/library.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

enum { X32_SYSCALL_BIT = 0x40000000 };

struct reply reply_error(int error)
{
	return (struct reply){.kind = REPLY_ERROR, .error = error, .fd = -1};
}

struct reply reply_value(int64_t value)
{
	return (struct reply){.kind = REPLY_VALUE, .value = value, .fd = -1};
}

struct reply reply_result(int64_t result)
{
	return result < 0 ? reply_error(errno) : reply_value(result);
}

struct reply reply_fd(int fd, bool cloexec)
{
	return (struct reply){.kind = REPLY_FD, .fd = fd, .cloexec = cloexec};
}

struct reply reply_continue(const struct call *call)
{
	if (!syscall_may_continue(call->row))
		return reply_error(EPERM);
	return (struct reply){.kind = REPLY_CONTINUE, .fd = -1};
}

struct reply reply_exec(struct exec_plan *plan)
{
	return (struct reply){.kind = REPLY_EXEC, .fd = -1, .exec = plan};
}

struct reply reply_map(void)
{
	return (struct reply){.kind = REPLY_MAP, .fd = -1};
}

struct reply reply_alone(void)
{
	return (struct reply){.kind = REPLY_ALONE, .fd = -1};
}

struct reply reply_path(int fd, bool cloexec)
{
	return (struct reply){.kind = REPLY_PATH, .fd = fd, .cloexec = cloexec};
}

struct reply reply_chdir(int fd)
{
	return (struct reply){.kind = REPLY_CHDIR, .fd = fd};
}

struct reply reply_decided(void)
{
	return (struct reply){.kind = REPLY_DECIDED, .fd = -1};
}

struct reply reply_none(void)
{
	return (struct reply){.kind = REPLY_NONE, .fd = -1};
}

bool call_valid(const struct call *call)
{
	uint64_t id = call->request.id;

	if (call->detached)
		return !session_is_over(call->session);
	return ioctl(call->session->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

pid_t call_tgid(struct call *call)
{
	struct proc_status status;

	if (call->tgid == 0 && proc_status(call->session, call->request.tid, &status) == 0)
		call->tgid = status.tgid;
	return call->tgid;
}

/* The filter notifies a foreign ABI so that it is recorded; the process ends for it. */
static struct reply refuse_abi(struct call *call)
{
	const struct ask ask = {.class = CLASS_SYSTEM, .ops = {OP_CALL}, .op_count = 1};
	pid_t tgid = call_tgid(call);
	struct reply reply = call_refuse(call, &ask, EPERM, "32-bit and x32 calls are not allowed");

	if (tgid > 0 && call_valid(call))
		kill(tgid, SIGKILL);
	return reply;
}

/* The pipe closes as the tool's first program is executed. */
static bool is_ours_still(struct session *session)
{
	struct pollfd status = {.fd = session->launch_status};

	if (atomic_load(&session->executed))
		return false;
	if (poll(&status, 1, 0) == 0)
		return true;
	atomic_store(&session->executed, true);
	return false;
}

/* No call of the tool's: what speaks is our own library, or pretends to. */
static bool is_library_message(const struct call *call)
{
	return call->session->library && call->row->trap == TRAP_REPORT &&
	       library_is_message(call->request.args);
}

/* `syscalls` of the policy. True: refused by it, *ret the reply. What is ours still, before the tool's
 * first exec, is not asked about. */
static bool denied_by_rule(struct call *call, struct reply *ret)
{
	const struct call_rule *rule = call_rule_of(call->session->call_rules, call->row);
	const struct ask ask = {.class = CLASS_SYSTEM, .ops = {OP_CALL}, .op_count = 1};
	const struct access access = {
		.class = CLASS_SYSTEM,
		.op = OP_CALL,
		.call = call->row->name,
	};
	const struct verdict verdict = {
		.decision = DECISION_DENY,
		.error = call->row->error == ENOSYS ? ENOSYS : EPERM,
		.rule = rule->source,
	};

	if (rule->kind != CALL_DENIED || is_ours_still(call->session))
		return false;
	return !call_deny(call, &ask, &access, &verdict, NULL, ret);
}

struct reply call_handle(struct call *call)
{
	const struct ask unknown = {.class = CLASS_SYSTEM, .ops = {OP_CALL}, .op_count = 1};
	const struct request *request = &call->request;
	struct reply refused;

	if (request->arch != AUDIT_ARCH_X86_64 || (request->nr & X32_SYSCALL_BIT))
		return refuse_abi(call);
	call->row = syscall_row(request->nr);
	if (!call->row)
		return call_refuse(call, &unknown, ENOSYS, "not in the table of known calls");
	if (call->session->call_rules && !is_library_message(call) && denied_by_rule(call, &refused))
		return refused;
	return call->row->handler ? call->row->handler(call) : reply_continue(call);
}
