/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_TESTS_UNIT_ADDRESS_H
#define PROCTOR_TESTS_UNIT_ADDRESS_H

#include <arpa/inet.h>
#include <check.h>
#include <string.h>

/* The address that `text` is, IPv4 mapped into IPv6. */
static inline struct in6_addr address_of(const char *text)
{
	struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (strchr(text, ':'))
		ck_assert_int_eq(inet_pton(AF_INET6, text, &address), 1);
	else
		ck_assert_int_eq(inet_pton(AF_INET, text, &address.s6_addr[12]), 1);
	return address;
}

#endif
