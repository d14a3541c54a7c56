/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "supervisor/net_dial.h"
#include "tests/unit/address.h"
#include "tests/unit/runner.h"

static bool special(const char *text)
{
	const struct in6_addr address = address_of(text);

	return net_is_special(&address);
}

START_TEST(not_the_worlds)
{
	static const char *const addresses[] = {
		"0.0.0.0",	   "10.1.2.3",	     "100.64.0.1",	"100.127.255.255",
		"127.0.0.1",	   "127.8.8.8",	     "169.254.169.254", "172.16.0.1",
		"172.31.255.255",  "192.0.0.192",    "192.168.1.1",	"198.18.0.1",
		"198.19.255.255",  "224.0.0.251",    "255.255.255.255", "::",
		"::1",		   "::10.0.0.1",     "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b:1::1",   "2001::1",		"2002:7f00:1::1",
		"2002:a00:1::",	   "fc00::1",	     "fd00:ec2::254",	"fe80::1",
		"febf::1",	   "fec0::1",	     "ff02::1",		"100::1",
	};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		ck_assert_msg(special(addresses[i]), "%s", addresses[i]);
}
END_TEST

START_TEST(the_worlds)
{
	static const char *const addresses[] = {
		"1.1.1.1",	  "9.255.255.255",   "11.0.0.0",	"100.63.255.255",
		"100.128.0.0",	  "126.255.255.255", "128.0.0.1",	"169.253.255.255",
		"172.15.255.255", "172.32.0.0",	     "192.0.1.0",	"192.167.255.255",
		"198.17.255.255", "198.20.0.0",	     "223.255.255.255", "2606:4700::1111",
		"2001:db8::1",	  "2001:4860::8888", "64:ff9b::1.1.1.1", "2002:101:101::1",
	};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		ck_assert_msg(!special(addresses[i]), "%s", addresses[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("net_special");
	TCase *tests = tcase_create("net_special");

	tcase_add_test(tests, not_the_worlds);
	tcase_add_test(tests, the_worlds);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
