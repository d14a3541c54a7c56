/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_DNS_NAMES_H
#define PROCTOR_SUPERVISOR_DNS_NAMES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The addresses that stand for host names: each name has one of its own in 198.18.0.0/15 (set aside
 * for tests of devices, RFC 2544) and one in a unique local prefix (RFC 4193), for the whole run.
 * So two names never share an address, whatever they share in the world. Any thread may call.
 */
struct dns_names;

enum { DNS_NAMES_MAX = 65535 };

/* Returns NULL when there is no memory. */
struct dns_names *dns_names_new(void);

/* NULL is fine. */
void dns_names_free(struct dns_names *names);

/*
 * The number of a name, which must be normalised; given to it when it is asked for first. 0: there
 * are DNS_NAMES_MAX already, or no memory.
 */
uint32_t dns_names_number(struct dns_names *names, const char *name);

/* The two addresses of a number. */
void dns_names_v4(uint32_t number, unsigned char ret[4]);
void dns_names_v6(uint32_t number, unsigned char ret[16]);

/*
 * The name that an address (IPv4 as v4-mapped) stands for, which lives as long as `names`; NULL: it
 * stands for none.
 */
const char *dns_names_find(struct dns_names *names, const struct in6_addr *address);

/* True for every address that could stand for a name. */
bool dns_names_has_form(const struct in6_addr *address);

#endif
