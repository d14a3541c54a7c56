/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/process_limit.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/cleanup.h"
#include "supervisor/stats.h"
#include "supervisor/tree.h"

/*
 * A call that was let go makes its process a little later, or much later where a thread has to wait
 * for a processor. Until that is certain to have happened it counts: a thousand threads that ask at
 * the same moment get no more than there is room for.
 */
struct granted {
	pid_t tid;
	bool vfork;
	uint64_t when; /* stats_now() */
};

static const uint64_t soon_ns = 2000000;        /* until then it counts whatever the thread does */
static const uint64_t surely_ns = 10000000000U; /* no thread that could run waits that long */

struct process_limit {
	const struct policy_limit *limit;
	pthread_mutex_t lock;
	size_t seen;             /* processes when last looked */
	size_t granted_since;    /* and what may have come since */
	struct granted *granted; /* what was not known to be among `seen` then */
	size_t granted_count;
};

struct process_limit *process_limit_new(const struct policy_limit *limit)
{
	struct process_limit *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	made->limit = limit;
	made->seen = SIZE_MAX; /* never looked */
	pthread_mutex_init(&made->lock, NULL);
	return made;
}

void process_limit_free(struct process_limit *limit)
{
	if (!limit)
		return;
	pthread_mutex_destroy(&limit->lock);
	free(limit->granted);
	free(limit);
}

const struct policy_limit *process_limit_source(const struct process_limit *limit)
{
	return limit->limit;
}

/* True: the process may still be to come. */
static bool is_under_way(const struct granted *granted, pid_t asking, uint64_t now)
{
	if (granted->tid == asking)
		return false;
	if (now - granted->when < soon_ns)
		return true;
	if (now - granted->when > surely_ns)
		return false;
	switch (tree_state(granted->tid)) {
	case 'R':
		return true;
	case 'D': /* for its memory, or for its child, which then is there */
		return !granted->vfork;
	default:
		return false;
	}
}

static void look(struct process_limit *limit, pid_t root, pid_t asking)
{
	AUTO_FREE struct tree_process *list = NULL;
	const uint64_t now = stats_now();
	size_t kept = 0;

	/* First those under way: what is made between the two looks counts twice, not never. */
	for (size_t i = 0; i < limit->granted_count; i++) {
		if (is_under_way(&limit->granted[i], asking, now))
			limit->granted[kept++] = limit->granted[i];
	}
	limit->granted_count = kept;
	limit->granted_since = kept;
	limit->seen = tree_list(root, &list);
	if (!list)
		limit->seen = SIZE_MAX;
}

static bool has_room(const struct process_limit *limit)
{
	return limit->seen < limit->limit->value &&
	       limit->granted_since < limit->limit->value - limit->seen;
}

static bool grant(struct process_limit *limit, pid_t tid, bool vfork)
{
	struct granted *grown =
		reallocarray(limit->granted, limit->granted_count + 1, sizeof(*grown));

	if (!grown)
		return false;
	limit->granted = grown;
	grown[limit->granted_count++] = (struct granted){tid, vfork, stats_now()};
	limit->granted_since++;
	return true;
}

bool process_limit_take(struct process_limit *limit, pid_t root, pid_t tid, bool vfork)
{
	bool taken;

	pthread_mutex_lock(&limit->lock);
	if (!has_room(limit))
		look(limit, root, tid);
	taken = has_room(limit) && grant(limit, tid, vfork);
	pthread_mutex_unlock(&limit->lock);
	return taken;
}
