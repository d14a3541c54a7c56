/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/private.h"

/* What a policy says besides its rules. The numbers of words are those of policy/schema.c. */

const struct policy_limit *policy_limit(const struct policy *policy, enum policy_limit_kind kind)
{
	return policy->limited[kind] ? &policy->limits[kind] : NULL;
}

enum decision policy_on_block(const struct policy *policy)
{
	return policy->on_block ? DECISION_KILL : DECISION_DENY;
}

enum policy_rollback policy_rollback(const struct policy *policy)
{
	return (enum policy_rollback)policy->rollback;
}

bool policy_offers_proxy(const struct policy *policy)
{
	return policy->proxy;
}

enum policy_library policy_observes_library(const struct policy *policy)
{
	return (enum policy_library)policy->observe_library;
}
