/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_NET_PEERS_H
#define PROCTOR_SUPERVISOR_NET_PEERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Sockets of the tool that talk to another address than the one that the tool used: which address
 * stands for which, so that getpeername(2), recvfrom(2), recvmsg(2) and recvmmsg(2) show the one that it knows.
 * A socket is known by its cookie (SO_COOKIE), which is never used again. What was used longest ago
 * is forgotten beyond NET_PEERS_MAX sockets; the tool is then shown the real address. Any thread
 * may call.
 */
struct net_peers;

enum { NET_PEERS_MAX = 16384 };

/* An address and a port as they stand in a sockaddr; IPv4 as v4-mapped. */
struct net_peer {
	struct in6_addr address;
	uint32_t scope_id;
	uint16_t port; /* host byte order */
};

/* Returns NULL when there is no memory. */
struct net_peers *net_peers_new(void);

/* NULL is fine. */
void net_peers_free(struct net_peers *peers);

/* Remembers that `shown` stands for `real` on the socket. */
void net_peers_put(struct net_peers *peers, uint64_t cookie, const struct net_peer *real,
		   const struct net_peer *shown);

/* True when anything is known of the socket. */
bool net_peers_know(struct net_peers *peers, uint64_t cookie);

/* What is shown for `real`; false, with *ret untouched, when that is itself. */
bool net_peers_shown(struct net_peers *peers, uint64_t cookie, const struct net_peer *real,
		     struct net_peer *ret);

/* What `shown` stood for last; false, with *ret untouched, when that is not known. */
bool net_peers_real(struct net_peers *peers, uint64_t cookie, const struct net_peer *shown,
		    struct net_peer *ret);

/* From and to the kernel's form; false for another family. *ret_len is set by the second, which
 * writes the form that a socket of `domain` shows. */
bool net_peer_from(const struct sockaddr_storage *addr, socklen_t len, struct net_peer *ret);
void net_peer_write(const struct net_peer *peer, int domain, struct sockaddr_storage *ret,
		    socklen_t *ret_len);

#endif
