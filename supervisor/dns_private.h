/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_DNS_PRIVATE_H
#define PROCTOR_SUPERVISOR_DNS_PRIVATE_H

#include <pthread.h>

#include "supervisor/dns_client.h"
#include "supervisor/dns_message.h"
#include "supervisor/dns_stub.h"

/* Between dns_stub.c, which has the sockets, and dns_answer.c, which has the answers. All of it is
 * the thread's own, but for what `lock` guards. */

enum {
	DNS_CLIENTS_MAX = 32, /* TCP connections at once */
	DNS_PENDING_MAX = 512, /* questions to real resolvers at once */
	DNS_RECENT = 32,
	DNS_PORTS = 65536,
};

/* The tool's socket behind a port of ours. */
struct asker {
	struct in6_addr local; /* under any address if it has none */
	struct net_peer asked; /* where the tool wanted to go */
	const char *name;
	pid_t tid; /* 0: nobody */
	pid_t tgid;
	int nr;
};

struct door {
	int fds[2]; /* IPv4, IPv6 (-1: there is none) */
	struct net_peer addresses[2];
	struct asker askers[DNS_PORTS]; /* by local port; under `lock` */
};

struct dns_client {
	int fd; /* -1: free */
	unsigned int serial;
	struct net_peer from;
	uint64_t active; /* stats_now() */
	unsigned char *data;
	size_t len;
};

/* Where an answer goes. */
struct dns_way_back {
	int client; /* of clients[]; -1: by UDP */
	unsigned int serial;
	int fd;
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

/* A refusal that was recorded a moment ago: A and AAAA of one lookup are one attempt, also where two
 * threads of a process ask for them. */
struct recent {
	uint64_t at;
	pid_t tgid;
	uint16_t port; /* 0: it was to be looked up */
	char name[DNS_TEXT_SIZE];
};

struct dns_stub {
	struct session *session;
	ares_channel channel;
	unsigned int pending;
	struct dns_client clients[DNS_CLIENTS_MAX];
	struct recent recent[DNS_RECENT];
	unsigned int recent_next;
	unsigned char message[DNS_MESSAGE_MAX];
	unsigned char out[DNS_MESSAGE_MAX];
	pthread_mutex_t lock;
	struct door doors[DNS_DOOR_COUNT];
};

/* One message from the tool: answers it now or later. */
void dns_handle(struct dns_stub *stub, const struct asker *asker, const struct dns_way_back *back,
		const unsigned char *message, size_t len);

/* A datagram to a name that the tool may not send to. */
void dns_refuse_datagram(struct dns_stub *stub, const struct asker *asker);

/* Sends an answer, if the asker is still there. */
void dns_send(struct dns_stub *stub, const struct dns_way_back *back,
	      const unsigned char *message, size_t len);

#endif
