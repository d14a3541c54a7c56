/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_PROXY_H
#define PROCTOR_SUPERVISOR_PROXY_H

#include <sys/types.h>

struct session;

/*
 * A proxy that speaks HTTP CONNECT and SOCKS5 with the tool. One thread reads what the clients ask for and
 * waits for connections that are on their way; a few others, which come and go, decide, look names up and
 * dial (proxy_dial.h). Connections that stand are the relay's (relay.h). A client has ten seconds to say
 * what it wants, and the one that has taken longest makes room for others.
 */
struct proxy;

/* Returns NULL when there is no memory. The thread starts with the first client. */
struct proxy *proxy_new(struct session *session);

/* Takes `fd`, our end of a connection with thread `tid`, which made it by call number `nr`, also on failure.
 * 0 or a negative errno. Any thread may call. */
int proxy_serve(struct proxy *proxy, int fd, pid_t tid, int nr);

#endif
