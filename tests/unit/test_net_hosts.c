/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_hosts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/address.h"
#include "tests/unit/runner.h"

static char path[] = "/tmp/proctor-hosts-XXXXXX";
static struct net_hosts *hosts;
static char names[256];

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void setup(void)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	write_file("# comment\n"
		   "127.0.0.1\tlocalhost Me.Example # not.this\n"
		   "::1 localhost\r\n"
		   "10.0.0.5 db.internal. db\n"
		   "2001:db8::5 db.internal\n"
		   "nonsense some.name\n"
		   "192.0.2.1\n"
		   "192.0.2.2 bad..name good.name\n");
	hosts = net_hosts_new(path);
	ck_assert_ptr_nonnull(hosts);
}

static void teardown(void)
{
	net_hosts_free(hosts);
	unlink(path);
}

static bool collect(const char *name, void *context)
{
	(void)context;
	strcat(names, name);
	strcat(names, " ");
	return false;
}

static const char *names_of(const char *text)
{
	const struct in6_addr address = address_of(text);

	names[0] = '\0';
	ck_assert(!net_hosts_find_name(hosts, &address, collect, NULL));
	return names;
}

START_TEST(addresses_of_names)
{
	struct in6_addr list[4];
	const struct in6_addr v4 = address_of("10.0.0.5");
	const struct in6_addr v6 = address_of("2001:db8::5");

	ck_assert_uint_eq(net_hosts_addresses(hosts, "db.internal", list, 4), 2);
	ck_assert_mem_eq(&list[0], &v4, sizeof(v4));
	ck_assert_mem_eq(&list[1], &v6, sizeof(v6));
	ck_assert_uint_eq(net_hosts_addresses(hosts, "db.internal", list, 1), 1);
	ck_assert_uint_eq(net_hosts_addresses(hosts, "me.example", list, 4), 1);
	ck_assert_uint_eq(net_hosts_addresses(hosts, "good.name", list, 4), 1);
	ck_assert_uint_eq(net_hosts_addresses(hosts, "not.this", list, 4), 0);
	ck_assert_uint_eq(net_hosts_addresses(hosts, "some.name", list, 4), 0);
}
END_TEST

START_TEST(names_of_addresses)
{
	ck_assert_str_eq(names_of("10.0.0.5"), "db.internal db ");
	ck_assert_str_eq(names_of("192.0.2.2"), "good.name ");
	ck_assert_str_eq(names_of("192.0.2.3"), "");
	ck_assert_str_eq(names_of("127.0.0.1"), "localhost me.example localhost ");
}
END_TEST

START_TEST(localhost_needs_no_line)
{
	struct in6_addr list[4];

	net_hosts_free(hosts);
	hosts = net_hosts_new("/nonexistent/hosts");
	ck_assert_ptr_nonnull(hosts);
	ck_assert_uint_eq(net_hosts_addresses(hosts, "localhost", list, 4), 2);
	ck_assert_uint_eq(net_hosts_addresses(hosts, "x.localhost", list, 4), 2);
	ck_assert_uint_eq(net_hosts_addresses(hosts, "xlocalhost", list, 4), 0);
	ck_assert_str_eq(names_of("127.0.0.1"), "localhost ");
	ck_assert_str_eq(names_of("::1"), "localhost ");
}
END_TEST

START_TEST(a_change_means_nothing)
{
	struct in6_addr list[4];

	write_file("192.0.2.9 new.name\n");
	ck_assert_uint_eq(net_hosts_addresses(hosts, "new.name", list, 4), 0);
	ck_assert_uint_eq(net_hosts_addresses(hosts, "db", list, 4), 1);
	ck_assert_str_eq(names_of("192.0.2.9"), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("net_hosts");
	TCase *tests = tcase_create("net_hosts");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, addresses_of_names);
	tcase_add_test(tests, names_of_addresses);
	tcase_add_test(tests, localhost_needs_no_line);
	tcase_add_test(tests, a_change_means_nothing);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
