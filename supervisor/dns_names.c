/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/dns_names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1

#define uthash_nonfatal_oom(entry) ((entry)->number = 0)
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	uint32_t number;
	char name[];
};

struct dns_names {
	pthread_mutex_t lock;
	struct entry *index;
	uint32_t count;
	struct entry *entries[DNS_NAMES_MAX + 1]; /* by number, from 1 */
};

/* fd70:726f:6374:6f72::/64: "proctor". */
static const unsigned char v6_prefix[12] = {0xfd, 'p', 'r', 'o', 'c', 't', 'o', 'r'};
static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

enum { V4_BASE = 198U << 24 | 18U << 16, V4_BITS = 17 };

struct dns_names *dns_names_new(void)
{
	struct dns_names *names = calloc(1, sizeof(*names));

	if (names)
		pthread_mutex_init(&names->lock, NULL);
	return names;
}

void dns_names_free(struct dns_names *names)
{
	struct entry *entry;
	struct entry *next;

	if (!names)
		return;
	HASH_ITER (hh, names->index, entry, next) {
		HASH_DEL(names->index, entry);
		free(entry);
	}
	pthread_mutex_destroy(&names->lock);
	free(names);
}

/* With the lock held. */
static struct entry *add(struct dns_names *names, const char *name, size_t len)
{
	struct entry *entry;

	if (names->count == DNS_NAMES_MAX)
		return NULL;
	entry = calloc(1, sizeof(*entry) + len + 1);
	if (!entry)
		return NULL;
	memcpy(entry->name, name, len + 1);
	entry->number = names->count + 1;
	HASH_ADD_KEYPTR(hh, names->index, entry->name, len, entry);
	if (entry->number == 0) {
		free(entry);
		return NULL;
	}
	names->entries[++names->count] = entry;
	return entry;
}

uint32_t dns_names_number(struct dns_names *names, const char *name)
{
	const size_t len = strlen(name);
	struct entry *entry = NULL;
	uint32_t number;

	pthread_mutex_lock(&names->lock);
	HASH_FIND(hh, names->index, name, len, entry);
	if (!entry)
		entry = add(names, name, len);
	number = entry ? entry->number : 0;
	pthread_mutex_unlock(&names->lock);
	return number;
}

static void put_u32(uint32_t value, unsigned char *ret)
{
	ret[0] = (unsigned char)(value >> 24);
	ret[1] = (unsigned char)(value >> 16);
	ret[2] = (unsigned char)(value >> 8);
	ret[3] = (unsigned char)value;
}

static uint32_t get_u32(const unsigned char *data)
{
	return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

void dns_names_v4(uint32_t number, unsigned char ret[4])
{
	put_u32(V4_BASE + number, ret);
}

void dns_names_v6(uint32_t number, unsigned char ret[16])
{
	memcpy(ret, v6_prefix, sizeof(v6_prefix));
	put_u32(number, ret + sizeof(v6_prefix));
}

/* The number in an address; false when it has not the form. */
static bool number_of(const struct in6_addr *address, uint32_t *ret)
{
	const uint32_t last = get_u32(&address->s6_addr[12]);

	if (!memcmp(address, v6_prefix, sizeof(v6_prefix))) {
		*ret = last;
		return true;
	}
	if (memcmp(address, v4_mapped, sizeof(v4_mapped)) != 0 ||
	    (last ^ V4_BASE) >> V4_BITS != 0)
		return false;
	*ret = last - V4_BASE;
	return true;
}

bool dns_names_has_form(const struct in6_addr *address)
{
	uint32_t number;

	return number_of(address, &number);
}

const char *dns_names_find(struct dns_names *names, const struct in6_addr *address)
{
	const char *name = NULL;
	uint32_t number;

	if (!number_of(address, &number))
		return NULL;
	pthread_mutex_lock(&names->lock);
	if (number > 0 && number <= names->count)
		name = names->entries[number]->name;
	pthread_mutex_unlock(&names->lock);
	return name;
}
