/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_TESTS_LIVE_NET_COMMON_H
#define PROCTOR_TESTS_LIVE_NET_COMMON_H

#include <sys/socket.h>

/* What the network's live test programs share. They know nothing of proctor. */

struct address {
	struct sockaddr_storage addr;
	socklen_t len; /* 0: none */
};

/*
 * "127.0.0.1:80", "[::1]:80", "[fe80::1%2]:80", "unix:/path", "abs:na%00me", "unspec",
 * "unspec:127.0.0.1:80" (AF_UNSPEC on an IPv4 address), "netlink:PID:GROUPS", "family:N",
 * "-" (none). Ends the program when it is none of these.
 */
void address_parse(struct address *ret, const char *text);

/* The same the other way round; an ephemeral port is "*". Static buffer. */
const char *address_text(const struct address *address);

/* "EACCES"; static. */
const char *error_name(int error);

/* Prints "WHAT -> RESULT" or "WHAT -> EACCES" (errno), one line, at once. */
void report(const char *what, long result);

/* Prints "WHAT: REASON" to standard error and ends the program with 99. */
_Noreturn void give_up(const char *what);

#endif
