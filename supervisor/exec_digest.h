/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_EXEC_DIGEST_H
#define PROCTOR_SUPERVISOR_EXEC_DIGEST_H

#include <sys/stat.h>

#include "core/digest.h"
#include "supervisor/call.h"

/* SHA-256 of programs, for exec rules that ask for it. */

struct digest_cache;

struct digest_cache *digest_cache_new(void);

/* What was decided on: the contents of one inode. */
struct program_digest {
	char hex[DIGEST_HEX_SIZE]; /* empty: not asked for */
	struct stat stat;          /* when it was made */
	bool settled;              /* the file had not been changed for so long that a change since
				    * then shows in its times */
};

/*
 * The digest of the file that `fd` (O_PATH) pins. Remembered by device, inode, size and times where
 * those tell. Returns 0 or a negative errno.
 */
int program_digest_make(struct session *session, int fd, struct program_digest *ret);

/*
 * True when the file that `fd` pins has these contents still and, while it runs, keeps them: the
 * kernel lets nobody write to it, or nobody has it open for that. To be asked at the exec event.
 */
bool program_digest_holds(struct session *session, int fd, const struct program_digest *digest);

#endif
