/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_DNS_CLIENT_H
#define PROCTOR_SUPERVISOR_DNS_CLIENT_H

#include <ares.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The host's real resolvers, asked by c-ares: those of /etc/resolv.conf, or those that the
 * environment variable PROCTOR_NAMESERVERS lists ("192.0.2.53,[2001:db8::53]:5353"). Which they are
 * is settled before the tool runs: one that may write resolv.conf must not choose who answers.
 */
struct dns_client;

/* Finds out who is to be asked. ARES_SUCCESS and *ret, or c-ares's error. */
int dns_client_new(struct dns_client **ret);

enum { DNS_ADDRESSES_MAX = 16 };

struct dns_addresses {
	struct in6_addr list[DNS_ADDRESSES_MAX]; /* IPv4 as v4-mapped */
	size_t count;
	int ttl; /* seconds that all of them are good for; with dns_client_remember() */
};

/* Opens a channel. Names are asked for as they are: no search list, no aliases. Returns
 * ARES_SUCCESS or c-ares's error. */
int dns_channel_open(const struct dns_client *client, ares_channel *ret);

/* What poll(2) waits for on behalf of a channel: sockets, whose number is returned, and how long
 * in milliseconds (-1: for ever). dns_channel_process() is called after each poll, whatever it
 * said. */
size_t dns_channel_polls(ares_channel channel, struct pollfd polls[ARES_GETSOCK_MAXNUM]);
int dns_channel_timeout(ares_channel channel);
void dns_channel_process(ares_channel channel, const struct pollfd *polls, size_t count);

/* Adds the addresses of an answer to a question for `family` (AF_INET, AF_INET6). Returns
 * ARES_SUCCESS or c-ares's error (ARES_ENODATA: there are none). */
int dns_addresses_parse(int family, const unsigned char *answer, int len,
			struct dns_addresses *addresses);

/*
 * Keeps what a name server just said of a name and a family, for the connection that follows: for
 * as long as it says itself, and no longer than DNS_FRESH_S. Any thread may call.
 */
enum { DNS_FRESH_S = 2 };
void dns_client_remember(struct dns_client *client, const char *name, int family,
			 const struct dns_addresses *addresses);

/*
 * Asks for the addresses of a name in one family, unless they are remembered, and waits; in a
 * worker, between blocking_begin() and blocking_end(). Returns 0 with at least one, -ENOENT when
 * there are none, -EAGAIN when no server answers or they fail, -EINTR when interrupted; *ret is then
 * untouched.
 */
int dns_lookup(struct dns_client *client, const char *name, int family,
	       struct dns_addresses *ret);

#endif
