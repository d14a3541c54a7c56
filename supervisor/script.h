/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_SCRIPT_H
#define PROCTOR_SUPERVISOR_SCRIPT_H

/* A frame of what an interpreter executes: the tool's own word. */
struct script_frame {
	char function[128]; /* UTF-8 */
	char file[256];
	unsigned int line; /* 0: not known */
};

#endif
