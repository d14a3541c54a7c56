/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_WATCH_H
#define PROCTOR_SUPERVISOR_WATCH_H

#include "supervisor/call.h"

/*
 * fcntl(2) F_SETLEASE: a lease holds up whoever else opens the file, so it is for those who may
 * modify it. Giving one back is free.
 */
struct reply watch_set_lease(struct call *call);

#endif
