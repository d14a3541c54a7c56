/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New processes: kept from having namespaces of their own, noted where they share descriptors or
 * are logged, and counted where the policy limits them. */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/call_rules.h"
#include "supervisor/handlers.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/lives.h"
#include "supervisor/process_limit.h"
#include "supervisor/session.h"

/* fork, vfork, clone: decided from registers. */
struct reply handle_fork(struct call *call)
{
	const uint64_t waits = CLONE_VM | CLONE_VFORK;
	const uint64_t flags = call->request.nr == SYS_clone ? call->request.args[0] : 0;
	const bool vfork = call->request.nr == SYS_vfork || (flags & waits) == waits;
	struct session *session = call->session;
	const struct ask ask = {
		.class = CLASS_PROCESS,
		.ops = {call->row->op},
		.op_count = 1,
	};

	if ((flags & CLONE_NEW_FLAGS) && !call_rule_opens(session->call_rules, call->row))
		return handle_door(call);
	if ((flags & (CLONE_FILES | CLONE_THREAD)) == CLONE_FILES)
		atomic_store(&session->files_shared, true);
	if (!session->process_limit ||
	    process_limit_take(session->process_limit, session->self, call->request.tid, vfork)) {
		if (!(flags & CLONE_THREAD))
			lives_forks(session->lives, call);
		return reply_continue(call);
	}
	return call_refuse_limit(call, &ask, EAGAIN,
				 &process_limit_source(session->process_limit)->rule,
				 "limit processes");
}
