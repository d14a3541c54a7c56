/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_POLICY_SAMPLE_H
#define PROCTOR_POLICY_SAMPLE_H

#include <limits.h>

#include "policy/endpoint_pattern.h"
#include "policy/pattern.h"

/*
 * Examples of what a pattern matches, to find out how patterns lie to each other. In place
 * of wildcards stand names that nobody writes into a policy: what matches all samples of a
 * pattern does so by wildcards of its own, and so matches, as good as certainly, whatever the
 * pattern matches.
 */
enum { SAMPLE_COUNT = 27 };

/*
 * Writes sample number `index` (below SAMPLE_COUNT) of the pattern. Returns false when there is no
 * such sample: it would be too long, or is the same as one before.
 */
bool sample_path(const struct pattern *pattern, unsigned int index, char ret[PATH_MAX]);

/*
 * An endpoint that the pattern matches, and the name of its host ("" if the pattern has none).
 * Returns false for a pattern that is a path.
 */
bool sample_endpoint(const struct endpoint_pattern *pattern, struct endpoint *ret,
		     char host[PATH_MAX]);

#endif
