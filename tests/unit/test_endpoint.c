/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "tests/unit/runner.h"

static char text[ENDPOINT_TEXT_MAX];

static const char *formatted(const struct endpoint *endpoint)
{
	return endpoint_format(endpoint, text, sizeof(text));
}

/* ------------------------------------------------------------------------ parsing */

static const struct {
	const char *text;
	const char *formatted; /* NULL: refused */
} spellings[] = {
	{"192.0.2.1:443", "tcp:192.0.2.1:443"},
	{"tcp:192.0.2.1:443", "tcp:192.0.2.1:443"},
	{"udp:192.0.2.1:53", "udp:192.0.2.1:53"},
	{"0.0.0.0:0", "tcp:0.0.0.0:0"},
	{"255.255.255.255:65535", "tcp:255.255.255.255:65535"},
	{"[::1]:80", "tcp:[::1]:80"},
	{"udp:[2001:DB8:0::1]:53", "udp:[2001:db8::1]:53"},
	{"[::]:0", "tcp:[::]:0"},
	{"[::ffff:192.0.2.1]:80", "tcp:192.0.2.1:80"}, /* the IPv4 address that it holds */
	{"[::FFFF:c000:0201]:80", "tcp:192.0.2.1:80"},
	{"[::192.0.2.1]:80", "tcp:[::192.0.2.1]:80"}, /* not a mapped one */
	{"[fe80::1%lo]:22", "tcp:[fe80::1%1]:22"},
	{"[fe80::1%1]:22", "tcp:[fe80::1%1]:22"},
	{"[ff02::1%1]:22", "tcp:[ff02::1%1]:22"},
	{"unix:/run/x", "unix:/run/x"},
	{"unix:/", "unix:/"},
	{"unix:@name", "unix:@name"},
	{"unix:@", "unix:@"},
	{"unix:@a/b c", "unix:@a/b c"},

	/* What other readers would take for 127.0.0.1, or for another address. */
	{"2130706433:80", NULL},
	{"0x7f000001:80", NULL},
	{"0x7f.0.0.1:80", NULL},
	{"0177.0.0.1:80", NULL},
	{"017700000001:80", NULL},
	{"127.0.0.01:80", NULL},
	{"127.1:80", NULL},
	{"127.0.1:80", NULL},
	{"127.0.0.1.:80", NULL},
	{" 127.0.0.1:80", NULL},
	{"127.0.0.1 :80", NULL},
	{"127.0.0.256:80", NULL},
	{"127.0.0.1.1:80", NULL},
	{"localhost:80", NULL},
	{"*:80", NULL},
	{"", NULL},
	{":80", NULL},
	{"[]:80", NULL},
	{"127.0.0.1", NULL},
	{"127.0.0.1:", NULL},
	{"127.0.0.1:http", NULL},
	{"127.0.0.1:-1", NULL},
	{"127.0.0.1:+1", NULL},
	{"127.0.0.1: 1", NULL},
	{"127.0.0.1:65536", NULL},
	{"127.0.0.1:99999999999999999999999", NULL},
	{"127.0.0.1:0443", NULL},
	{"127.0.0.1:0x50", NULL},
	{"127.0.0.1:80 ", NULL},
	{"::1:80", NULL},
	{"[::1]", NULL},
	{"[::1", NULL},
	{"[::1]80", NULL},
	{"[::1]:", NULL},
	{"[:::1]:80", NULL},
	{"[::1%lo]:80", NULL}, /* loopback is on no other link */
	{"[fe80::1%]:80", NULL},
	{"[fe80::1%0]:80", NULL},
	{"[fe80::1%nosuchlink]:80", NULL},
	{"[fe80::1%4294967296]:80", NULL},
	{"[127.0.0.1]:80", NULL},
	{"[00000000000000000000000000000000000000000000000000000000000000000000001]:80", NULL},
	{"udp:tcp:127.0.0.1:80", NULL},
	{"UDP:127.0.0.1:80", NULL},
	{"unix:", NULL},
	{"unix:run/x", NULL},
};

START_TEST(parses)
{
	struct endpoint endpoint;
	struct endpoint before;
	int result;

	memset(&endpoint, 0x5a, sizeof(endpoint));
	before = endpoint;
	result = endpoint_parse(&endpoint, spellings[_i].text);
	if (!spellings[_i].formatted) {
		ck_assert_msg(result == -EINVAL, "%s", spellings[_i].text);
		/* Padding included: both were filled as bytes. NOLINTNEXTLINE */
		ck_assert_msg(!memcmp(&endpoint, &before, sizeof(before)),
			      "%s: refused, but something was written", spellings[_i].text);
		return;
	}
	ck_assert_msg(result == 0, "%s", spellings[_i].text);
	ck_assert_str_eq(formatted(&endpoint), spellings[_i].formatted);
}
END_TEST

START_TEST(refuses_a_path_too_long)
{
	struct endpoint endpoint;
	char path[PATH_MAX + 16] = "unix:/";

	memset(path + 6, 'x', PATH_MAX - 2);
	ck_assert_int_eq(endpoint_parse(&endpoint, path), 0);
	ck_assert_uint_eq(endpoint.path_len, PATH_MAX - 1);
	path[6 + PATH_MAX - 2] = 'x';
	ck_assert_int_eq(endpoint_parse(&endpoint, path), -EINVAL);
}
END_TEST

/* -------------------------------------------------------- addresses from the kernel's view */

static struct sockaddr_storage storage;

static struct sockaddr_in *in4(const char *address, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&storage;

	memset(&storage, 0xee, sizeof(storage));
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	ck_assert_int_eq(inet_pton(AF_INET, address, &in->sin_addr), 1);
	return in;
}

static struct sockaddr_in6 *in6(const char *address, uint16_t port, uint32_t scope)
{
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)&storage;

	memset(&storage, 0xee, sizeof(storage));
	in->sin6_family = AF_INET6;
	in->sin6_port = htons(port);
	in->sin6_scope_id = scope;
	ck_assert_int_eq(inet_pton(AF_INET6, address, &in->sin6_addr), 1);
	return in;
}

static int convert(struct endpoint *endpoint, socklen_t len, enum transport transport)
{
	memset(endpoint, 0x5a, sizeof(*endpoint));
	return endpoint_from_sockaddr(endpoint, &storage, len, transport);
}

START_TEST(takes_ipv4)
{
	struct endpoint endpoint;

	in4("192.0.2.7", 8080);
	ck_assert_int_eq(convert(&endpoint, sizeof(struct sockaddr_in), TRANSPORT_TCP), 0);
	ck_assert_str_eq(formatted(&endpoint), "tcp:192.0.2.7:8080");
	ck_assert(endpoint_is_v4(&endpoint));
	ck_assert_int_eq(endpoint.family, AF_INET);
	/* Longer than need be, as with a sockaddr_storage. */
	ck_assert_int_eq(convert(&endpoint, sizeof(storage), TRANSPORT_UDP), 0);
	ck_assert_str_eq(formatted(&endpoint), "udp:192.0.2.7:8080");
}
END_TEST

START_TEST(takes_ipv6)
{
	struct endpoint endpoint;

	in6("2001:db8::7", 8080, 3);
	ck_assert_int_eq(convert(&endpoint, sizeof(struct sockaddr_in6), TRANSPORT_TCP), 0);
	ck_assert_str_eq(formatted(&endpoint), "tcp:[2001:db8::7]:8080");
	ck_assert(!endpoint_is_v4(&endpoint));
	ck_assert_uint_eq(endpoint.scope_id, 0); /* means nothing for a global address */

	in6("fe80::7", 8080, 3);
	ck_assert_int_eq(convert(&endpoint, sizeof(struct sockaddr_in6), TRANSPORT_UDP), 0);
	ck_assert_str_eq(formatted(&endpoint), "udp:[fe80::7%3]:8080");
	/* RFC 2133's structure ends before the scope. */
	ck_assert_int_eq(
		convert(&endpoint, offsetof(struct sockaddr_in6, sin6_scope_id), TRANSPORT_UDP), 0);
	ck_assert_uint_eq(endpoint.scope_id, 0);

	in6("ff02::fb", 5353, 2);
	ck_assert_int_eq(convert(&endpoint, sizeof(struct sockaddr_in6), TRANSPORT_UDP), 0);
	ck_assert_uint_eq(endpoint.scope_id, 2);
}
END_TEST

START_TEST(takes_a_mapped_address_for_ipv4)
{
	struct endpoint endpoint;
	struct endpoint plain;

	in4("127.0.0.1", 443);
	ck_assert_int_eq(convert(&plain, sizeof(struct sockaddr_in), TRANSPORT_TCP), 0);
	in6("::ffff:127.0.0.1", 443, 0);
	ck_assert_int_eq(convert(&endpoint, sizeof(struct sockaddr_in6), TRANSPORT_TCP), 0);
	ck_assert_str_eq(formatted(&endpoint), "tcp:127.0.0.1:443");
	ck_assert(endpoint_is_v4(&endpoint));
	ck_assert_int_eq(endpoint.family, AF_INET);
	ck_assert_mem_eq(&endpoint.address, &plain.address, sizeof(plain.address));
}
END_TEST

START_TEST(knows_the_unspecified_address)
{
	struct endpoint endpoint;

	ck_assert_int_eq(endpoint_parse(&endpoint, "0.0.0.0:1"), 0);
	ck_assert(endpoint_is_unspecified(&endpoint));
	ck_assert_int_eq(endpoint_parse(&endpoint, "[::ffff:0.0.0.0]:1"), 0);
	ck_assert(endpoint_is_unspecified(&endpoint));
	ck_assert_int_eq(endpoint_parse(&endpoint, "[::]:1"), 0);
	ck_assert(endpoint_is_unspecified(&endpoint));
	ck_assert_int_eq(endpoint_parse(&endpoint, "0.0.0.1:1"), 0);
	ck_assert(!endpoint_is_unspecified(&endpoint));
	ck_assert_int_eq(endpoint_parse(&endpoint, "[::1]:1"), 0);
	ck_assert(!endpoint_is_unspecified(&endpoint));
}
END_TEST

static const struct {
	sa_family_t family;
	socklen_t len;
	int result;
} lengths[] = {
	{AF_INET, 0, -EINVAL},
	{AF_INET, 1, -EINVAL},
	{AF_INET, 2, -EINVAL},
	{AF_INET, sizeof(struct sockaddr_in) - 1, -EINVAL},
	{AF_INET, sizeof(struct sockaddr_in), 0},
	{AF_INET, sizeof(storage), 0},
	{AF_INET, sizeof(storage) + 1, -EINVAL},
	{AF_INET, (socklen_t)-1, -EINVAL},
	{AF_INET6, sizeof(struct sockaddr_in), -EINVAL},
	{AF_INET6, offsetof(struct sockaddr_in6, sin6_scope_id) - 1, -EINVAL},
	{AF_INET6, offsetof(struct sockaddr_in6, sin6_scope_id), 0},
	{AF_INET6, sizeof(struct sockaddr_in6), 0},
	{AF_UNIX, 2, -EINVAL},
	{AF_UNIX, sizeof(struct sockaddr_un), 0},
	{AF_UNIX, sizeof(struct sockaddr_un) + 1, -EINVAL},
	{AF_UNSPEC, sizeof(struct sockaddr_in), -EAFNOSUPPORT},
	{AF_PACKET, sizeof(storage), -EAFNOSUPPORT},
	{0xffff, sizeof(storage), -EAFNOSUPPORT},
};

START_TEST(looks_at_the_length)
{
	struct endpoint endpoint;

	in4("192.0.2.7", 1);
	storage.ss_family = lengths[_i].family;
	ck_assert_int_eq(convert(&endpoint, lengths[_i].len, TRANSPORT_TCP), lengths[_i].result);
	if (lengths[_i].result < 0)
		ck_assert_int_eq(endpoint.transport, TRANSPORT_OTHER);
	if (lengths[_i].result == -EAFNOSUPPORT)
		ck_assert_int_eq(endpoint.family, lengths[_i].family);
}
END_TEST

static int convert_unix(struct endpoint *endpoint, const char *path, size_t len)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&storage;

	memset(&storage, 0xee, sizeof(storage));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len);
	return convert(endpoint, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len),
		       TRANSPORT_TCP);
}

START_TEST(takes_a_unix_path)
{
	char full[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct endpoint endpoint;

	ck_assert_int_eq(convert_unix(&endpoint, "/run/x", 7), 0);
	ck_assert_str_eq(formatted(&endpoint), "unix:/run/x");
	ck_assert_int_eq(convert_unix(&endpoint, "/run/x", 6), 0); /* without its NUL */
	ck_assert_str_eq(formatted(&endpoint), "unix:/run/x");
	ck_assert_int_eq(convert_unix(&endpoint, "/run/x\0/etc", 11), 0); /* ends at the NUL */
	ck_assert_str_eq(formatted(&endpoint), "unix:/run/x");
	ck_assert_uint_eq(endpoint.path_len, 6);
	memset(full, 'y', sizeof(full));
	ck_assert_int_eq(convert_unix(&endpoint, full, sizeof(full)), 0);
	ck_assert_uint_eq(endpoint.path_len, sizeof(full));
	ck_assert_uint_eq(strlen(endpoint.path), sizeof(full));
}
END_TEST

START_TEST(keeps_every_byte_of_an_abstract_name)
{
	struct endpoint endpoint;

	ck_assert_int_eq(convert_unix(&endpoint, "\0name", 5), 0);
	ck_assert_int_eq(endpoint.transport, TRANSPORT_UNIX_ABSTRACT);
	ck_assert_uint_eq(endpoint.path_len, 4);
	ck_assert_str_eq(formatted(&endpoint), "unix:@name");
	/* A NUL behind it is part of the name: another name. */
	ck_assert_int_eq(convert_unix(&endpoint, "\0name\0", 6), 0);
	ck_assert_uint_eq(endpoint.path_len, 5);
	ck_assert_str_eq(formatted(&endpoint), "unix:@name\\x00");
	ck_assert_int_eq(convert_unix(&endpoint, "\0na\0me", 6), 0);
	ck_assert_uint_eq(endpoint.path_len, 5);
	ck_assert_mem_eq(endpoint.path, "na\0me", 5);
	ck_assert_str_eq(formatted(&endpoint), "unix:@na\\x00me");
	ck_assert_int_eq(convert_unix(&endpoint, "\0", 1), 0);
	ck_assert_uint_eq(endpoint.path_len, 0);
	ck_assert_str_eq(formatted(&endpoint), "unix:@");
	/* A slash does not make it a path. */
	ck_assert_int_eq(convert_unix(&endpoint, "\0/run/x", 7), 0);
	ck_assert_int_eq(endpoint.transport, TRANSPORT_UNIX_ABSTRACT);
}
END_TEST

/* --------------------------------------------------------------------- formatting */

START_TEST(cuts_what_does_not_fit)
{
	char small[9];
	struct endpoint endpoint;

	memset(small, 0x5a, sizeof(small));
	ck_assert_int_eq(endpoint_parse(&endpoint, "192.0.2.1:443"), 0);
	ck_assert_str_eq(endpoint_format(&endpoint, small, 8), "tcp:192");
	ck_assert_int_eq(small[8], 0x5a);
	ck_assert_int_eq(endpoint_parse(&endpoint, "unix:@name"), 0);
	ck_assert_str_eq(endpoint_format(&endpoint, small, 8), "unix:@n");
	ck_assert_int_eq(small[8], 0x5a);
	ck_assert_str_eq(endpoint_format(&endpoint, small, 1), "");
	ck_assert_int_eq(endpoint_parse(&endpoint, "unix:/some/path"), 0);
	ck_assert_str_eq(endpoint_format(&endpoint, small, 8), "unix:/s");
}
END_TEST

START_TEST(names_other_families_by_number)
{
	struct endpoint endpoint = {.transport = TRANSPORT_OTHER, .family = AF_PACKET};

	ck_assert_str_eq(formatted(&endpoint), "family:17");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("endpoint");
	TCase *tcase = tcase_create("endpoint");

	tcase_add_loop_test(tcase, parses, 0, sizeof(spellings) / sizeof(spellings[0]));
	tcase_add_test(tcase, refuses_a_path_too_long);
	tcase_add_test(tcase, takes_ipv4);
	tcase_add_test(tcase, takes_ipv6);
	tcase_add_test(tcase, takes_a_mapped_address_for_ipv4);
	tcase_add_test(tcase, knows_the_unspecified_address);
	tcase_add_loop_test(tcase, looks_at_the_length, 0, sizeof(lengths) / sizeof(lengths[0]));
	tcase_add_test(tcase, takes_a_unix_path);
	tcase_add_test(tcase, keeps_every_byte_of_an_abstract_name);
	tcase_add_test(tcase, cuts_what_does_not_fit);
	tcase_add_test(tcase, names_other_families_by_number);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
