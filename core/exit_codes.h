/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CORE_EXIT_CODES_H
#define PROCTOR_CORE_EXIT_CODES_H

/* proctor's exit codes besides the tool's own; as of timeout(1) and env(1). */
enum {
	EXIT_FOUND = 1,            /* check found faults; why: denied; doctor: no safe engine */
	EXIT_TIMED_OUT = 124,
	EXIT_PROCTOR_FAILED = 125, /* bad policy, unsafe host, bad option, no log */
	EXIT_CANNOT_EXECUTE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL_BASE = 128,    /* + the signal that killed the tool */
};

#endif
