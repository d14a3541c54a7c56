/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/dns_client.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "core/host_name.h"
#include "supervisor/stats.h"

enum {
	TIMEOUT_MS = 2000, /* of one try; it doubles */
	TRIES = 3,
	FRESH_MAX = 16,
};

/* What was said of a name a moment ago. */
struct fresh {
	uint64_t until; /* stats_now() */
	int family;
	char name[HOST_NAME_SIZE];
	struct dns_addresses addresses;
};

struct dns_client {
	struct ares_addr_port_node *servers;
	pthread_mutex_t lock;
	unsigned int next;
	struct fresh fresh[FRESH_MAX];
};

static int open_channel(ares_channel *ret)
{
	char lookups[] = "b"; /* servers only; /etc/hosts is net_hosts.c's */
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.lookups = lookups,
	};

	return ares_init_options(ret, &options,
				 ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					 ARES_OPT_LOOKUPS);
}

int dns_client_new(struct dns_client **ret)
{
	const char *servers = getenv("PROCTOR_NAMESERVERS");
	struct dns_client *client = calloc(1, sizeof(*client));
	ares_channel channel;
	int error = client ? open_channel(&channel) : ARES_ENOMEM;

	if (error == ARES_SUCCESS) {
		if (servers && *servers)
			error = ares_set_servers_ports_csv(channel, servers);
		if (error == ARES_SUCCESS)
			error = ares_get_servers_ports(channel, &client->servers);
		ares_destroy(channel);
	}
	if (error == ARES_SUCCESS)
		pthread_mutex_init(&client->lock, NULL);
	if (error == ARES_SUCCESS)
		*ret = client;
	else
		free(client);
	return error;
}

int dns_channel_open(const struct dns_client *client, ares_channel *ret)
{
	int error = open_channel(ret);

	if (error != ARES_SUCCESS)
		return error;
	error = ares_set_servers_ports(*ret, client->servers);
	if (error != ARES_SUCCESS)
		ares_destroy(*ret);
	return error;
}

size_t dns_channel_polls(ares_channel channel, struct pollfd polls[ARES_GETSOCK_MAXNUM])
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	/* ARES_GETSOCK_WRITABLE() shifts into the sign. */
	const unsigned int mask = (unsigned int)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
	size_t count = 0;

	for (unsigned int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		const short events =
			(short)((mask >> i & 1 ? POLLIN : 0) |
				(mask >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));

		if (events)
			polls[count++] = (struct pollfd){.fd = sockets[i], .events = events};
	}
	return count;
}

int dns_channel_timeout(ares_channel channel)
{
	struct timeval room;
	const struct timeval *timeout = ares_timeout(channel, NULL, &room);

	return timeout ? (int)(timeout->tv_sec * 1000 + (timeout->tv_usec + 999) / 1000) : -1;
}

void dns_channel_process(ares_channel channel, const struct pollfd *polls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const short events = polls[i].revents;
		const bool in = events & (POLLIN | POLLERR | POLLHUP);

		if (events)
			ares_process_fd(channel, in ? polls[i].fd : ARES_SOCKET_BAD,
					events & POLLOUT ? polls[i].fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what took too long */
}

static void add(struct dns_addresses *addresses, const struct in6_addr *address, int ttl)
{
	if (addresses->count == DNS_ADDRESSES_MAX)
		return;
	if (addresses->count == 0 || ttl < addresses->ttl)
		addresses->ttl = ttl;
	addresses->list[addresses->count++] = *address;
}

int dns_addresses_parse(int family, const unsigned char *answer, int len,
			struct dns_addresses *addresses)
{
	struct ares_addrttl v4[DNS_ADDRESSES_MAX];
	struct ares_addr6ttl v6[DNS_ADDRESSES_MAX];
	struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
	int count = DNS_ADDRESSES_MAX;
	int error;

	if (family == AF_INET)
		error = ares_parse_a_reply(answer, len, NULL, v4, &count);
	else
		error = ares_parse_aaaa_reply(answer, len, NULL, v6, &count);
	if (error != ARES_SUCCESS)
		return error;
	for (int i = 0; i < count; i++) {
		if (family == AF_INET)
			memcpy(&address.s6_addr[12], &v4[i].ipaddr, sizeof(v4[i].ipaddr));
		else
			memcpy(&address, &v6[i].ip6addr, sizeof(address));
		add(addresses, &address, family == AF_INET ? v4[i].ttl : v6[i].ttl);
	}
	return count > 0 ? ARES_SUCCESS : ARES_ENODATA;
}

void dns_client_remember(struct dns_client *client, const char *name, int family,
			 const struct dns_addresses *addresses)
{
	const int ttl = addresses->ttl < DNS_FRESH_S ? addresses->ttl : DNS_FRESH_S;
	struct fresh *fresh;

	if (ttl <= 0)
		return;
	pthread_mutex_lock(&client->lock);
	fresh = &client->fresh[client->next++ % FRESH_MAX];
	fresh->until = stats_now() + (uint64_t)ttl * 1000000000U;
	fresh->family = family;
	fresh->addresses = *addresses;
	snprintf(fresh->name, sizeof(fresh->name), "%s", name);
	pthread_mutex_unlock(&client->lock);
}

static bool is_remembered(struct dns_client *client, const char *name, int family,
			  struct dns_addresses *ret)
{
	const uint64_t now = stats_now();
	bool found = false;

	pthread_mutex_lock(&client->lock);
	for (size_t i = 0; i < FRESH_MAX && !found; i++) {
		const struct fresh *fresh = &client->fresh[i];

		found = fresh->until > now && fresh->family == family && !strcmp(fresh->name, name);
		if (found)
			*ret = fresh->addresses;
	}
	pthread_mutex_unlock(&client->lock);
	return found;
}

struct lookup {
	int family;
	bool done;
	int status;
	struct dns_addresses addresses;
};

static void on_answer(void *argument, int status, int timeouts, unsigned char *answer, int len)
{
	struct lookup *lookup = argument;

	(void)timeouts;
	lookup->done = true;
	lookup->status = status;
	if (status == ARES_SUCCESS)
		lookup->status =
			dns_addresses_parse(lookup->family, answer, len, &lookup->addresses);
}

int dns_lookup(struct dns_client *client, const char *name, int family,
	       struct dns_addresses *ret)
{
	struct lookup lookup = {.family = family};
	struct pollfd polls[ARES_GETSOCK_MAXNUM];
	ares_channel channel;
	bool interrupted = false;

	if (is_remembered(client, name, family, ret))
		return 0;
	if (dns_channel_open(client, &channel) != ARES_SUCCESS)
		return -EAGAIN;
	ares_query(channel, name, ns_c_in, family == AF_INET ? ns_t_a : ns_t_aaaa, on_answer,
		   &lookup);
	while (!lookup.done && !interrupted) {
		const size_t count = dns_channel_polls(channel, polls);

		interrupted = poll(polls, count, dns_channel_timeout(channel)) < 0;
		if (!interrupted)
			dns_channel_process(channel, polls, count);
	}
	ares_destroy(channel);
	if (interrupted)
		return -EINTR;
	switch (lookup.status) {
	case ARES_SUCCESS:
		*ret = lookup.addresses;
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
		return -ENOENT;
	default:
		return -EAGAIN;
	}
}
