/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/dns_stub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/dns_private.h"
#include "supervisor/session.h"
#include "supervisor/stats.h"

enum {
	BACKLOG = 64,
	CLIENT_IDLE_S = 10,
	CLIENT_TICK_MS = 1000,
	UDP_BURST = 64, /* messages of one socket before the others have their turn */
};

/* ------------------------------------------------------------------------ sockets */

/* A socket on a port of loopback that the kernel picks; -1 where there is no such family. */
static int open_door(int family, int type, struct net_peer *ret)
{
	const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct net_peer loopback = {.address = in6addr_loopback};
	AUTO_CLOSE int fd = socket(family, type | flags, 0);
	struct sockaddr_storage addr;
	socklen_t len;

	if (fd < 0)
		return -1;
	if (family == AF_INET)
		loopback.address = (struct in6_addr){.s6_addr = {[10] = 0xff, 0xff, 127, 0, 0, 1}};
	net_peer_write(&loopback, family, &addr, &len);
	if (bind(fd, (const struct sockaddr *)&addr, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		return -1;
	len = sizeof(addr);
	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
	    !net_peer_from(&addr, len, ret))
		return -1;
	return TAKE_FD(fd);
}

int dns_stub_open(struct session *session, struct dns_stub **ret, struct error *err)
{
	struct dns_stub *stub = calloc(1, sizeof(*stub));

	if (!stub)
		return error_set(err, ENOMEM, "name server");
	stub->session = session;
	pthread_mutex_init(&stub->lock, NULL);
	for (unsigned int i = 0; i < DNS_DOOR_COUNT; i++) {
		struct door *door = &stub->doors[i];
		const int type = i == DNS_DOOR_TCP ? SOCK_STREAM : SOCK_DGRAM;

		door->fds[0] = open_door(AF_INET, type, &door->addresses[0]);
		door->fds[1] = open_door(AF_INET6, type, &door->addresses[1]);
		if (door->fds[0] < 0)
			return error_set(err, errno, "cannot open a socket on 127.0.0.1");
	}
	for (size_t i = 0; i < DNS_CLIENTS_MAX; i++)
		stub->clients[i].fd = -1;
	*ret = stub;
	return 0;
}

struct net_peer dns_stub_address(const struct dns_stub *stub, enum dns_door door, bool v6)
{
	const struct door *which = &stub->doors[door];

	return which->addresses[v6 && which->fds[1] >= 0];
}

/* ------------------------------------------------------------------------ who asks */

void dns_stub_note(struct dns_stub *stub, struct call *call, enum dns_door door, int fd,
		   const struct net_peer *asked, const char *name)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	struct net_peer local;
	const pid_t tgid = call_tgid(call);
	struct asker *asker;

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
	    !net_peer_from(&addr, len, &local))
		return;
	asker = &stub->doors[door].askers[local.port];
	pthread_mutex_lock(&stub->lock);
	*asker = (struct asker){
		.local = local.address,
		.asked = *asked,
		.name = name,
		.tid = call->request.tid,
		.tgid = tgid,
		.nr = call->request.nr,
	};
	pthread_mutex_unlock(&stub->lock);
}

static bool is_loopback(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LOOPBACK(address) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

static bool is_any(const struct in6_addr *address)
{
	static const struct in6_addr v4 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	return IN6_IS_ADDR_UNSPECIFIED(address) || !memcmp(address, &v4, sizeof(v4));
}

/* Who has the socket that `from` is the address of; false: nobody that was noted, a stranger. */
static bool find_asker(struct dns_stub *stub, enum dns_door door, const struct net_peer *from,
		       struct asker *ret)
{
	bool known;

	pthread_mutex_lock(&stub->lock);
	*ret = stub->doors[door].askers[from->port];
	pthread_mutex_unlock(&stub->lock);
	known = is_any(&ret->local) ? is_loopback(&from->address)
				    : !memcmp(&ret->local, &from->address, sizeof(from->address));
	return ret->tid != 0 && known;
}

/* -------------------------------------------------------------------------- by UDP */

static void send_udp(const struct dns_way_back *back, const unsigned char *message, size_t len)
{
	(void)!sendto(back->fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL,
		      (const struct sockaddr *)&back->addr, back->addr_len);
}

static void on_udp(struct dns_stub *stub, enum dns_door door, int fd)
{
	struct dns_way_back back = {.fd = fd, .client = -1};
	struct net_peer from;
	struct asker asker;

	for (int i = 0; i < UDP_BURST; i++) {
		ssize_t len;

		back.addr_len = sizeof(back.addr);
		len = recvfrom(fd, stub->message, sizeof(stub->message), MSG_DONTWAIT,
			       (struct sockaddr *)&back.addr, &back.addr_len);
		if (len < 0)
			return;
		if (!net_peer_from(&back.addr, back.addr_len, &from) ||
		    !find_asker(stub, door, &from, &asker))
			continue;
		if (door == DNS_DOOR_SINK)
			dns_refuse_datagram(stub, &asker);
		else
			dns_handle(stub, &asker, &back, stub->message, (size_t)len);
	}
}

/* -------------------------------------------------------------------------- by TCP */

static void drop_client(struct dns_client *client)
{
	close_fd(&client->fd);
	free(client->data);
	client->data = NULL;
	client->len = 0;
	client->serial++; /* answers that are on their way are nobody's */
}

static void accept_client(struct dns_stub *stub, int listener)
{
	struct dns_client *client = &stub->clients[0];
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	AUTO_CLOSE int fd = accept4(listener, (struct sockaddr *)&addr, &len,
				    SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	/* The one that has been silent for longest makes room. */
	for (size_t i = 0; i < DNS_CLIENTS_MAX; i++) {
		struct dns_client *other = &stub->clients[i];

		if (other->fd < 0 || (client->fd >= 0 && other->active < client->active))
			client = other;
	}
	drop_client(client);
	if (!net_peer_from(&addr, len, &client->from))
		return;
	client->data = malloc(2 + DNS_MESSAGE_MAX);
	if (!client->data)
		return;
	client->fd = TAKE_FD(fd);
	client->active = stats_now();
}

static void send_tcp(struct dns_client *client, const unsigned char *message, size_t len)
{
	unsigned char prefix[2] = {(unsigned char)(len >> 8), (unsigned char)len};
	struct iovec parts[2] = {
		{.iov_base = prefix, .iov_len = sizeof(prefix)},
		{.iov_base = (void *)message, .iov_len = len},
	};
	const struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};

	/* One that does not read what it asked for is let go. */
	if (sendmsg(client->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)(len + 2))
		drop_client(client);
}

static void on_client(struct dns_stub *stub, struct dns_client *client)
{
	struct dns_way_back back = {.client = (int)(client - stub->clients)};
	struct asker asker;
	ssize_t got = recv(client->fd, client->data + client->len,
			   2 + DNS_MESSAGE_MAX - client->len, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || !find_asker(stub, DNS_DOOR_TCP, &client->from, &asker)) {
		drop_client(client);
		return;
	}
	client->len += (size_t)got;
	client->active = stats_now();
	back.serial = client->serial;
	while (client->fd >= 0 && client->len >= 2) {
		const size_t len = (size_t)(client->data[0] << 8 | client->data[1]);

		if (client->len < 2 + len)
			return;
		dns_handle(stub, &asker, &back, client->data + 2, len);
		if (client->fd < 0)
			return;
		client->len -= 2 + len;
		memmove(client->data, client->data + 2 + len, client->len);
	}
}

/* Returns how many are left. */
static unsigned int drop_idle_clients(struct dns_stub *stub)
{
	const uint64_t idle = CLIENT_IDLE_S * 1000000000ULL;
	const uint64_t now = stats_now();
	unsigned int left = 0;

	for (size_t i = 0; i < DNS_CLIENTS_MAX; i++) {
		struct dns_client *client = &stub->clients[i];

		if (client->fd >= 0 && now - client->active > idle)
			drop_client(client);
		left += client->fd >= 0;
	}
	return left;
}

void dns_send(struct dns_stub *stub, const struct dns_way_back *back,
	      const unsigned char *message, size_t len)
{
	if (back->client < 0)
		send_udp(back, message, len);
	else if (stub->clients[back->client].fd >= 0 &&
		 stub->clients[back->client].serial == back->serial)
		send_tcp(&stub->clients[back->client], message, len);
}

/* ------------------------------------------------------------------------- the thread */

enum {
	DOOR_POLLS = 2 * DNS_DOOR_COUNT,
	CLIENT_POLLS = DOOR_POLLS + DNS_CLIENTS_MAX,
	POLLS = CLIENT_POLLS + ARES_GETSOCK_MAXNUM,
};

static int fill_polls(struct dns_stub *stub, struct pollfd polls[POLLS])
{
	for (int i = 0; i < DOOR_POLLS; i++)
		polls[i] = (struct pollfd){.fd = stub->doors[i / 2].fds[i % 2], .events = POLLIN};
	for (int i = 0; i < DNS_CLIENTS_MAX; i++)
		polls[DOOR_POLLS + i] =
			(struct pollfd){.fd = stub->clients[i].fd, .events = POLLIN};
	return CLIENT_POLLS + (int)dns_channel_polls(stub->channel, polls + CLIENT_POLLS);
}

static void *serve(void *argument)
{
	struct dns_stub *stub = argument;
	struct pollfd polls[POLLS];

	prctl(PR_SET_NAME, "names");
	for (;;) {
		const int tick = drop_idle_clients(stub) ? CLIENT_TICK_MS : -1;
		const int timeout = dns_channel_timeout(stub->channel);
		const int count = fill_polls(stub, polls);

		if (poll(polls, (nfds_t)count, timeout >= 0 ? timeout : tick) < 0)
			continue;
		dns_channel_process(stub->channel, polls + CLIENT_POLLS,
				    (size_t)(count - CLIENT_POLLS));
		for (int i = 0; i < DOOR_POLLS; i++) {
			if (!polls[i].revents)
				continue;
			if (i / 2 == DNS_DOOR_TCP)
				accept_client(stub, polls[i].fd);
			else
				on_udp(stub, (enum dns_door)(i / 2), polls[i].fd);
		}
		for (int i = 0; i < DNS_CLIENTS_MAX; i++)
			if (polls[DOOR_POLLS + i].revents &&
			    stub->clients[i].fd == polls[DOOR_POLLS + i].fd)
				on_client(stub, &stub->clients[i]);
	}
	return NULL;
}

int dns_stub_start(struct dns_stub *stub, struct error *err)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	error = dns_channel_open(stub->session->resolvers, &stub->channel);
	if (error != ARES_SUCCESS)
		return error_set(err, 0, "cannot ask name servers: %s", ares_strerror(error));
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attr, serve, stub);
	pthread_attr_destroy(&attr);
	return error ? error_set(err, error, "cannot start a thread") : 0;
}
