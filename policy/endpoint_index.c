/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <string.h>

#include "policy/ruleset.h"

/*
 * A hash table of what rules name: a host, a domain, a network, an abstract name, each with the port
 * where a rule lists few of them. A connection is looked up under every key that could name it: its
 * name, the domains above, its address cut to each length of prefix that there is, with its port and
 * without. What has no key ("*" with a range of ports, an abstract name with wildcards) is tried
 * always. The pattern itself has the last word, so that keys may be no more than hashes.
 */
enum { PORTS_KEYED_MAX = 8, ANY_PORT = UINT16_MAX + 1 };

enum kind { KIND_HOST, KIND_DOMAIN, KIND_NETWORK, KIND_EVERYWHERE, KIND_ABSTRACT, KINDS };

struct entry {
	const struct rule *rule;
	uint32_t next; /* 0: none */
};

struct slot {
	uint64_t key; /* 0: free */
	uint32_t head;
};

struct endpoint_index {
	struct memory *memory;
	struct entry *entries;
	size_t entry_count;
	uint32_t unkeyed;
	struct slot *slots;
	size_t slot_count;
	size_t used;
	bool with_port[KINDS]; /* there are such keys */
	bool without_port[KINDS];
	bool prefixes[129];   /* lengths in use, of IPv6 and of v4-mapped addresses */
	unsigned char *lengths; /* the same as a list */
	size_t length_count;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0xff51afd7ed558ccd);
	return hash ^ hash >> 29;
}

/* From the last byte to the first, so that the hashes of the domains above come on the way. */
static uint64_t hash_byte(uint64_t hash, char byte)
{
	return (hash ^ (unsigned char)byte) * UINT64_C(1099511628211);
}

static uint64_t hash_text(const char *text, size_t len)
{
	uint64_t hash = 0;

	while (len > 0)
		hash = hash_byte(hash, text[--len]);
	return hash;
}

static uint64_t make_key(enum kind kind, uint64_t hash, unsigned int port)
{
	const uint64_t key = mix(mix(kind + 1, hash), port);

	return key ? key : 1;
}

static uint64_t hash_network(const struct in6_addr *address, unsigned int prefix)
{
	uint64_t halves[2];

	memcpy(halves, address, sizeof(halves));
	for (unsigned int i = 0; i < 2; i++) {
		const unsigned int bits = prefix > 64 * i ? prefix - 64 * i : 0;

		if (bits < 64)
			halves[i] &= bits ? htobe64(~UINT64_C(0) << (64 - bits)) : 0;
	}
	return mix(mix(prefix, halves[0]), halves[1]);
}

/* ----------------------------------------------------------------------- building */

struct endpoint_index *endpoint_index_new(struct memory *memory)
{
	struct endpoint_index *index = memory_alloc(memory, sizeof(*index));

	index->memory = memory;
	(void)memory_push(memory, index->entries, index->entry_count);
	index->slot_count = 32;
	index->slots = memory_alloc(memory, index->slot_count * sizeof(*index->slots));
	return index;
}

static struct slot *find_slot(const struct endpoint_index *index, uint64_t key)
{
	size_t at = key & (index->slot_count - 1);

	while (index->slots[at].key && index->slots[at].key != key)
		at = (at + 1) & (index->slot_count - 1);
	return &index->slots[at];
}

static void grow(struct endpoint_index *index)
{
	const struct slot *old = index->slots;
	const size_t old_count = index->slot_count;

	index->slot_count *= 2;
	index->slots = memory_alloc(index->memory, index->slot_count * sizeof(*index->slots));
	for (size_t i = 0; i < old_count; i++)
		if (old[i].key)
			*find_slot(index, old[i].key) = old[i];
}

static void add_entry(struct endpoint_index *index, uint32_t *head, const struct rule *rule)
{
	struct entry *entry = memory_push(index->memory, index->entries, index->entry_count);

	entry->rule = rule;
	entry->next = *head;
	*head = (uint32_t)(index->entry_count - 1);
}

static void add_key(struct endpoint_index *index, uint64_t key, const struct rule *rule)
{
	struct slot *slot = find_slot(index, key);

	if (!slot->key && 2 * ++index->used >= index->slot_count) {
		grow(index);
		slot = find_slot(index, key);
	}
	slot->key = key;
	add_entry(index, &slot->head, rule);
}

static bool has_few_ports(const struct endpoint_pattern *pattern)
{
	if (pattern->port_count > PORTS_KEYED_MAX)
		return false;
	for (size_t i = 0; i < pattern->port_count; i++)
		if (pattern->ports[i].first != pattern->ports[i].last)
			return false;
	return true;
}

static void add_ports(struct endpoint_index *index, enum kind kind, uint64_t hash,
		      const struct rule *rule)
{
	const struct endpoint_pattern *pattern = rule->endpoint;

	if (!has_few_ports(pattern)) {
		index->without_port[kind] = true;
		add_key(index, make_key(kind, hash, ANY_PORT), rule);
		return;
	}
	index->with_port[kind] = true;
	for (size_t i = 0; i < pattern->port_count; i++)
		add_key(index, make_key(kind, hash, pattern->ports[i].first), rule);
}

static void add_network(struct endpoint_index *index, const struct rule *rule)
{
	const struct endpoint_pattern *pattern = rule->endpoint;

	if (!index->prefixes[pattern->prefix]) {
		index->prefixes[pattern->prefix] = true;
		*memory_push(index->memory, index->lengths, index->length_count) =
			(unsigned char)pattern->prefix;
	}
	add_ports(index, KIND_NETWORK, hash_network(&pattern->address, pattern->prefix), rule);
}

static void add_abstract(struct endpoint_index *index, const struct rule *rule)
{
	const struct endpoint_pattern *pattern = rule->endpoint;

	for (size_t i = 0; i < pattern->name_count; i++) {
		const struct glob *glob = &pattern->names[i];

		if (glob->literal)
			add_key(index,
				make_key(KIND_ABSTRACT, hash_text(glob->literal, glob->literal_len), 0),
				rule);
		else
			add_entry(index, &index->unkeyed, rule);
	}
}

void endpoint_index_add(struct endpoint_index *index, const struct rule *rule)
{
	const struct endpoint_pattern *pattern = rule->endpoint;

	if (pattern->kind == ENDPOINT_ABSTRACT)
		add_abstract(index, rule);
	else if (pattern->kind == ENDPOINT_HOST)
		add_ports(index, pattern->below ? KIND_DOMAIN : KIND_HOST,
			  hash_text(pattern->text, strlen(pattern->text)), rule);
	else if (!pattern->any_address)
		add_network(index, rule);
	else if (has_few_ports(pattern))
		add_ports(index, KIND_EVERYWHERE, 0, rule);
	else
		add_entry(index, &index->unkeyed, rule);
}

/* ----------------------------------------------------------------------- visiting */

struct visit {
	const struct endpoint_index *index;
	const struct endpoint *endpoint;
	const char *host;
	const struct endpoint_visitor *visitor;
};

static void try_chain(const struct visit *visit, uint32_t head)
{
	const struct endpoint_visitor *visitor = visit->visitor;

	for (uint32_t i = head; i; i = visit->index->entries[i].next) {
		const struct rule *rule = visit->index->entries[i].rule;

		if (visitor->wanted(rule, visitor->query) &&
		    endpoint_pattern_match(rule->endpoint, visit->endpoint, visit->host))
			visitor->found(rule, visit->endpoint, visit->host, visitor->query);
	}
}

static void try_key(const struct visit *visit, enum kind kind, uint64_t hash)
{
	const struct endpoint_index *index = visit->index;
	const unsigned int port = visit->endpoint->port;

	if (index->with_port[kind])
		try_chain(visit, find_slot(index, make_key(kind, hash, port))->head);
	if (index->without_port[kind])
		try_chain(visit, find_slot(index, make_key(kind, hash, ANY_PORT))->head);
}

static void try_host(const struct visit *visit)
{
	uint64_t hash = 0;

	for (size_t at = strlen(visit->host); at-- > 0;) {
		if (visit->host[at] == '.')
			try_key(visit, KIND_DOMAIN, hash);
		hash = hash_byte(hash, visit->host[at]);
	}
	try_key(visit, KIND_HOST, hash);
}

void endpoint_index_visit(const struct endpoint_index *index, const struct endpoint *endpoint,
			  const char *host, const struct endpoint_visitor *visitor)
{
	const struct visit visit = {index, endpoint, host, visitor};

	try_chain(&visit, index->unkeyed);
	if (endpoint->transport == TRANSPORT_UNIX_ABSTRACT) {
		const uint64_t hash = hash_text(endpoint->path, endpoint->path_len);

		try_chain(&visit, find_slot(index, make_key(KIND_ABSTRACT, hash, 0))->head);
		return;
	}
	try_key(&visit, KIND_EVERYWHERE, 0);
	if (host)
		try_host(&visit);
	for (size_t i = 0; i < index->length_count && endpoint->family != AF_UNSPEC; i++)
		try_key(&visit, KIND_NETWORK, hash_network(&endpoint->address, index->lengths[i]));
}
