/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_SOCKET_NAMES_H
#define PROCTOR_SUPERVISOR_SOCKET_NAMES_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

/*
 * A unix socket is bound by its last name in a pinned folder, and that short name is what the
 * kernel then shows. Here stands what the tool wrote, for getsockname(2) and for answers to it.
 * What getpeername(2) and recvfrom(2) show stays the short name. Any thread may call.
 * The last SOCKET_NAMES_MAX names in use are kept; beyond them the short name is shown.
 */
struct socket_names;

enum { SOCKET_NAMES_MAX = 1024 };

/* A sun_path and a NUL: unix(7) takes 108 bytes without one. */
enum { SOCKET_NAME_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path) + 1 };

/* Returns NULL when there is no memory. */
struct socket_names *socket_names_new(void);

/* NULL is fine. */
void socket_names_free(struct socket_names *names);

/* Remembers that socket `inode` (fstat(2)) is bound as `bound` for what was written as `given`. */
void socket_names_put(struct socket_names *names, ino_t inode, const char *bound,
		      const char *given);

/*
 * Sets `given` to what was written for the socket. Where the inode is not known (accept(2) makes
 * sockets with the name of the listener), the latest socket bound as `bound` counts.
 * False, with `given` untouched, when nothing is known.
 */
bool socket_names_get(struct socket_names *names, ino_t inode, const char *bound,
		      char given[SOCKET_NAME_SIZE]);

#endif
