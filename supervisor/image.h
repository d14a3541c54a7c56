/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_IMAGE_H
#define PROCTOR_SUPERVISOR_IMAGE_H

#include "supervisor/resolve.h"

/* What the kernel will make of a file that is executed, told from its contents. */

enum image_kind {
	IMAGE_PLAIN,  /* runs by itself; or cannot be read, or is nothing that the kernel knows */
	IMAGE_SCRIPT, /* "#!": by an interpreter */
	IMAGE_LOADED, /* PT_INTERP: with a dynamic loader */
};

enum { IMAGE_HEAD = 256 }; /* BINPRM_BUF_SIZE: what the kernel reads of a file first */

struct image {
	enum image_kind kind;
	char helper[PATH_MAX]; /* the interpreter, or the loader, as the file has it */
	char argument[IMAGE_HEAD]; /* that a script gives its interpreter; empty: none */
};

/* Looks at the pinned object. What is told here can change before the kernel looks: what really
 * came of it is verified afterwards. */
void image_read(struct session *session, const struct object *object, struct image *ret);

#endif
