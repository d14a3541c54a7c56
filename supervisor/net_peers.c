/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_peers.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1

#define uthash_nonfatal_oom(entry) ((entry)->cookie = 0)
#include <uthash.h>

enum { PAIRS = 4 }; /* peers of a socket without connection; the oldest is forgotten */

struct pair {
	struct net_peer real;
	struct net_peer shown;
};

struct known {
	UT_hash_handle hh;
	uint64_t cookie;
	unsigned int count; /* pairs put so far */
	struct pair pairs[PAIRS];
};

struct net_peers {
	pthread_mutex_t lock;
	struct known *index; /* in the order of use */
};

struct net_peers *net_peers_new(void)
{
	struct net_peers *peers = calloc(1, sizeof(*peers));

	if (peers)
		pthread_mutex_init(&peers->lock, NULL);
	return peers;
}

void net_peers_free(struct net_peers *peers)
{
	struct known *known;
	struct known *next;

	if (!peers)
		return;
	HASH_ITER (hh, peers->index, known, next) {
		HASH_DEL(peers->index, known);
		free(known);
	}
	pthread_mutex_destroy(&peers->lock);
	free(peers);
}

static bool same(const struct net_peer *a, const struct net_peer *b)
{
	return a->port == b->port && !memcmp(&a->address, &b->address, sizeof(a->address));
}

static struct known *find(struct net_peers *peers, uint64_t cookie)
{
	struct known *known = NULL;

	HASH_FIND(hh, peers->index, &cookie, sizeof(cookie), known);
	return known;
}

/* The socket's entry, made if there is none and moved to the end of the order of use; or NULL. */
static struct known *touch(struct net_peers *peers, uint64_t cookie)
{
	struct known *known = find(peers, cookie);
	struct known *oldest = peers->index;

	if (known) {
		HASH_DEL(peers->index, known);
	} else if (HASH_COUNT(peers->index) >= NET_PEERS_MAX) {
		HASH_DEL(peers->index, oldest);
		known = oldest;
		memset(known, 0, sizeof(*known));
	} else {
		known = calloc(1, sizeof(*known));
	}
	if (!known)
		return NULL;
	known->cookie = cookie;
	HASH_ADD(hh, peers->index, cookie, sizeof(known->cookie), known);
	if (known->cookie == 0) {
		free(known);
		return NULL;
	}
	return known;
}

void net_peers_put(struct net_peers *peers, uint64_t cookie, const struct net_peer *real,
		   const struct net_peer *shown)
{
	struct known *known;
	unsigned int at;

	pthread_mutex_lock(&peers->lock);
	known = touch(peers, cookie);
	if (known) {
		for (at = 0; at < PAIRS && at < known->count; at++)
			if (same(&known->pairs[at].real, real))
				break;
		if (at == known->count || at == PAIRS)
			at = known->count++ % PAIRS;
		known->pairs[at] = (struct pair){.real = *real, .shown = *shown};
	}
	pthread_mutex_unlock(&peers->lock);
}

bool net_peers_know(struct net_peers *peers, uint64_t cookie)
{
	bool known;

	pthread_mutex_lock(&peers->lock);
	known = find(peers, cookie) != NULL;
	pthread_mutex_unlock(&peers->lock);
	return known;
}

/* The other half of the pair that has `wanted` at `from`. */
static bool other(struct net_peers *peers, uint64_t cookie, const struct net_peer *wanted,
		  bool from_shown, struct net_peer *ret)
{
	const struct known *known;
	bool found = false;

	pthread_mutex_lock(&peers->lock);
	known = find(peers, cookie);
	for (unsigned int i = 0; known && i < PAIRS && i < known->count && !found; i++) {
		const struct pair *pair = &known->pairs[i];

		found = same(from_shown ? &pair->shown : &pair->real, wanted);
		if (found)
			*ret = from_shown ? pair->real : pair->shown;
	}
	pthread_mutex_unlock(&peers->lock);
	return found;
}

bool net_peers_shown(struct net_peers *peers, uint64_t cookie, const struct net_peer *real,
		     struct net_peer *ret)
{
	return other(peers, cookie, real, false, ret);
}

bool net_peers_real(struct net_peers *peers, uint64_t cookie, const struct net_peer *shown,
		    struct net_peer *ret)
{
	return other(peers, cookie, shown, true, ret);
}

bool net_peer_from(const struct sockaddr_storage *addr, socklen_t len, struct net_peer *ret)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;

	if (len >= sizeof(*in) && addr->ss_family == AF_INET) {
		*ret = (struct net_peer){.port = ntohs(in->sin_port)};
		memset(&ret->address.s6_addr[10], 0xff, 2);
		memcpy(&ret->address.s6_addr[12], &in->sin_addr, sizeof(in->sin_addr));
		return true;
	}
	if (len < sizeof(*in6) || addr->ss_family != AF_INET6)
		return false;
	*ret = (struct net_peer){
		.address = in6->sin6_addr,
		.scope_id = in6->sin6_scope_id,
		.port = ntohs(in6->sin6_port),
	};
	return true;
}

void net_peer_write(const struct net_peer *peer, int domain, struct sockaddr_storage *ret,
		    socklen_t *ret_len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = (sa_family_t)domain;
	if (domain == AF_INET) {
		in->sin_port = htons(peer->port);
		memcpy(&in->sin_addr, &peer->address.s6_addr[12], sizeof(in->sin_addr));
		*ret_len = sizeof(*in);
		return;
	}
	in6->sin6_port = htons(peer->port);
	in6->sin6_addr = peer->address;
	in6->sin6_scope_id = peer->scope_id;
	*ret_len = sizeof(*in6);
}
