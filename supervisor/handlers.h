/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_HANDLERS_H
#define PROCTOR_SUPERVISOR_HANDLERS_H

#include "supervisor/call.h"

/* The handlers named in syscalls.tbl. Each carries out one call: operands copied once, names
 * resolved, the policy asked, the act done; see doc/HOWTO-add-a-syscall.md. */
#define HANDLER(function) struct reply function(struct call *call);
#include "supervisor/syscall_rows.h"
#undef HANDLER

#endif
