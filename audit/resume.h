/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_RESUME_H
#define PROCTOR_AUDIT_RESUME_H

#include "audit/sink.h"
#include "core/digest.h"

/*
 * Prepares a sink for a new session: finds the hash that the chain goes on
 * from, CHAIN_FIRST in an empty file and in what is not a regular file.
 * The rest of a line whose writer was killed in mid-write (a record that
 * nobody was answered on) is cut off; *ret_torn is its length, else 0.
 * Returns 0, or a negative errno with *err set when the file does not end in a
 * record: it is then some other file, and left as it is.
 */
int resume_chain(struct sink *sink, char ret_prev[DIGEST_HEX_SIZE], size_t *ret_torn,
		 struct error *err);

#endif
