/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_HOSTS_H
#define PROCTOR_SUPERVISOR_NET_HOSTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The host's own table of names (hosts(5)). Every resolver of a tool reads it before it asks a
 * server, so the tool comes with the address that stands there; by it such a connection is known
 * again by its names. It is read before the tool runs, and not again: a tool that may write it must
 * not choose what a name leads to. Names are normalised; IPv4 as v4-mapped. "localhost" and what ends
 * in ".localhost" are the loopback addresses (RFC 6761) even if the table does not say so. Any thread
 * may call.
 */
struct net_hosts;

/* Reads the file `path`, which need not exist. NULL when there is no memory. */
struct net_hosts *net_hosts_new(const char *path);

/* NULL is fine. */
void net_hosts_free(struct net_hosts *hosts);

/* The addresses of a name, at most `max`; returns how many. */
size_t net_hosts_addresses(const struct net_hosts *hosts, const char *name, struct in6_addr *ret,
			   size_t max);

/*
 * Calls found() for each name of the address until it says true. Returns whether it did.
 */
bool net_hosts_find_name(const struct net_hosts *hosts, const struct in6_addr *address,
			 bool (*found)(const char *name, void *context), void *context);

#endif
