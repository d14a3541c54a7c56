/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_RUN_METRICS_H
#define PROCTOR_CLI_RUN_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/atomic_file.h"
#include "supervisor/run.h"

/*
 * How the run stands, or how it ended, in the text format of Prometheus. Returns the text (free()) and its
 * length, or NULL.
 */
char *run_metrics_text(const struct run_config *config, const struct run_outcome *outcome, bool ended,
		       size_t *ret_len);

/*
 * Writes that (`ended`: how it ended) to the file; does nothing when the file is closed. A failure at the end is said on standard error.
 */
void run_metrics_write(const struct run_config *config, const struct run_outcome *outcome,
		       const struct atomic_file *file, bool ended);

#endif
