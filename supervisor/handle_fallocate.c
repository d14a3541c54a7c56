/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/falloc.h>

#include "supervisor/handlers.h"
#include "supervisor/limits.h"
#include "supervisor/session.h"

/* Disk that is set aside without being written to: decided from registers. */
struct reply handle_fallocate(struct call *call)
{
	const uint64_t frees = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE;
	const int64_t bytes = (int64_t)call->request.args[3];
	const struct ask ask = {
		.class = call->row->class,
		.ops = {call->row->op},
		.op_count = 1,
	};
	const struct policy_limit *limit;

	/* What the kernel refuses by itself needs no room. */
	if (bytes <= 0 || (call->request.args[1] & frees))
		return reply_continue(call);
	limit = limits_reserve(call->session->limits, (uint64_t)bytes);
	return limit ? call_refuse_limit(call, &ask, ENOSPC, &limit->rule, "limit disk") :
		       reply_continue(call);
}
