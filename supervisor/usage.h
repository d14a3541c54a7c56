/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_USAGE_H
#define PROCTOR_SUPERVISOR_USAGE_H

#include <stdint.h>

/* What the tool's tree has used. */
struct usage {
	double user_s;
	double system_s;
	uint64_t max_rss_bytes; /* of the largest process */
	uint64_t bytes_written; /* by write(2) and its like, to whatever */
};

/* Once all of the tree was waited for. The supervisor is dumpable afterwards: call it last. */
void usage_take(struct usage *ret);

#endif
