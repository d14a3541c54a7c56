/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/dns_client.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum {
	TIMEOUT_MS = 2000, /* of one try; it doubles */
	TRIES = 3,
};

int dns_channel_open(ares_channel *ret)
{
	const char *servers = getenv("PROCTOR_NAMESERVERS");
	char lookups[] = "b"; /* servers only; /etc/hosts is net_hosts.c's */
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.lookups = lookups,
	};
	int error = ares_init_options(ret, &options,
				      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					      ARES_OPT_LOOKUPS);

	if (error == ARES_SUCCESS && servers && *servers) {
		error = ares_set_servers_ports_csv(*ret, servers);
		if (error != ARES_SUCCESS)
			ares_destroy(*ret);
	}
	return error;
}

size_t dns_channel_polls(ares_channel channel, struct pollfd polls[ARES_GETSOCK_MAXNUM])
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	const int mask = ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
	size_t count = 0;

	for (unsigned int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		const short events =
			(short)((ARES_GETSOCK_READABLE(mask, i) ? POLLIN : 0) |
				(ARES_GETSOCK_WRITABLE(mask, i) ? POLLOUT : 0));

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

static void add(struct dns_addresses *addresses, const struct in6_addr *address)
{
	if (addresses->count < DNS_ADDRESSES_MAX)
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
		add(addresses, &address);
	}
	return count > 0 ? ARES_SUCCESS : ARES_ENODATA;
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

int dns_lookup(const char *name, int family, struct dns_addresses *ret)
{
	struct lookup lookup = {.family = family};
	struct pollfd polls[ARES_GETSOCK_MAXNUM];
	ares_channel channel;
	bool interrupted = false;

	if (dns_channel_open(&channel) != ARES_SUCCESS)
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
