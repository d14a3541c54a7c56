/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_peers.h"

#include <arpa/inet.h>
#include <string.h>

#include "tests/unit/runner.h"

static struct net_peers *peers;
static struct net_peer got;

static struct net_peer peer(unsigned char last, uint16_t port)
{
	return (struct net_peer){
		.address = {.s6_addr = {[10] = 0xff, 0xff, 192, 0, 2, last}},
		.port = port,
	};
}

static void put(uint64_t cookie, struct net_peer real, struct net_peer shown)
{
	net_peers_put(peers, cookie, &real, &shown);
}

static bool shown(uint64_t cookie, struct net_peer real)
{
	return net_peers_shown(peers, cookie, &real, &got);
}

static void setup(void)
{
	peers = net_peers_new();
	ck_assert_ptr_nonnull(peers);
}

static void teardown(void)
{
	net_peers_free(peers);
}

START_TEST(both_ways)
{
	const struct net_peer asked = peer(2, 53);

	put(7, peer(1, 4000), asked);
	ck_assert(shown(7, peer(1, 4000)));
	ck_assert_uint_eq(got.port, 53);
	ck_assert_uint_eq(got.address.s6_addr[15], 2);
	ck_assert(net_peers_real(peers, 7, &asked, &got));
	ck_assert_uint_eq(got.port, 4000);
	ck_assert(net_peers_know(peers, 7));
}
END_TEST

START_TEST(only_that_socket_and_peer)
{
	put(7, peer(1, 4000), peer(2, 53));
	ck_assert(!shown(8, peer(1, 4000)));
	ck_assert(!shown(7, peer(1, 4001)));
	ck_assert(!shown(7, peer(3, 4000)));
	ck_assert(!net_peers_know(peers, 8));
}
END_TEST

START_TEST(the_last_word_counts)
{
	put(7, peer(1, 4000), peer(2, 53));
	put(7, peer(1, 4000), peer(3, 53));
	ck_assert(shown(7, peer(1, 4000)));
	ck_assert_uint_eq(got.address.s6_addr[15], 3);
}
END_TEST

START_TEST(the_oldest_is_forgotten)
{
	for (uint16_t i = 0; i < 5; i++)
		put(7, peer(1, (uint16_t)(4000 + i)), peer(2, i));
	ck_assert(!shown(7, peer(1, 4000)));
	ck_assert(shown(7, peer(1, 4001)));
	ck_assert(shown(7, peer(1, 4004)));
	for (uint64_t cookie = 100; cookie < 100 + NET_PEERS_MAX - 1; cookie++)
		put(cookie, peer(1, 1), peer(2, 2));
	ck_assert(net_peers_know(peers, 7));
	put(8, peer(1, 1), peer(2, 2));
	ck_assert(!net_peers_know(peers, 7));
	ck_assert(net_peers_know(peers, 100));
}
END_TEST

START_TEST(kernel_form)
{
	struct sockaddr_storage addr;
	struct sockaddr_in *in = (struct sockaddr_in *)&addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr;
	const struct net_peer mapped = peer(9, 443);
	socklen_t len;

	net_peer_write(&mapped, AF_INET, &addr, &len);
	ck_assert_uint_eq(len, sizeof(*in));
	ck_assert_uint_eq(ntohl(in->sin_addr.s_addr), 0xc0000209);
	ck_assert(net_peer_from(&addr, len, &got));
	ck_assert_mem_eq(&got.address, &mapped.address, 16);
	ck_assert_uint_eq(got.port, 443);
	ck_assert(!net_peer_from(&addr, len - 1, &got));

	net_peer_write(&mapped, AF_INET6, &addr, &len);
	ck_assert_uint_eq(len, sizeof(*in6));
	ck_assert_mem_eq(&in6->sin6_addr, &mapped.address, 16);
	ck_assert(net_peer_from(&addr, len, &got));
	addr.ss_family = AF_UNIX;
	ck_assert(!net_peer_from(&addr, len, &got));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("net_peers");
	TCase *tests = tcase_create("net_peers");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, both_ways);
	tcase_add_test(tests, only_that_socket_and_peer);
	tcase_add_test(tests, the_last_word_counts);
	tcase_add_test(tests, the_oldest_is_forgotten);
	tcase_add_test(tests, kernel_form);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
