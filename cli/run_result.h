/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_RUN_RESULT_H
#define PROCTOR_CLI_RUN_RESULT_H

#include "core/atomic_file.h"
#include "supervisor/run.h"

/* Writes what came of the run to each of the files (at most `count`, closed ones are passed over).
 * Failures are said on standard error. */
void run_result_write(const struct run_config *config, const struct run_outcome *outcome,
		      const struct atomic_file *files, size_t count);

#endif
