/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/chain.h"

#include <errno.h>
#include <string.h>

#define PREV_KEY ",\"prev\":\""
#define HASH_KEY ",\"hash\":\""
#define END      "\"}"

enum {
	KEY_LEN = sizeof(PREV_KEY) - 1,
	HEX_LEN = DIGEST_HEX_SIZE - 1,
	END_LEN = sizeof(END) - 1,
	HASH_PART = KEY_LEN + HEX_LEN + END_LEN,
	PREV_PART = KEY_LEN + HEX_LEN + 1, /* the closing quote */
};

_Static_assert(sizeof(PREV_KEY) == sizeof(HASH_KEY), "KEY_LEN serves both");

int chain_seal(struct emitter *line, char prev[DIGEST_HEX_SIZE])
{
	char hash[DIGEST_HEX_SIZE];

	emit_raw(line, PREV_KEY, KEY_LEN);
	emit_raw(line, prev, HEX_LEN);
	emit_raw(line, "\"", 1);
	if (line->failed)
		return -ENOMEM;
	if (digest_hex(line->data, line->len, hash) < 0)
		return -EIO;
	emit_raw(line, HASH_KEY, KEY_LEN);
	emit_raw(line, hash, HEX_LEN);
	emit_raw(line, END "\n", END_LEN + 1);
	if (line->failed)
		return -ENOMEM;
	memcpy(prev, hash, DIGEST_HEX_SIZE);
	return 0;
}

static bool is_hex(const char *text)
{
	return strspn(text, "0123456789abcdef") >= HEX_LEN;
}

bool chain_find(const char *line, size_t len, struct chain_link *ret)
{
	const char *hash_part;
	const char *prev_part;

	if (len < 1 + PREV_PART + HASH_PART || line[0] != '{')
		return false;
	hash_part = line + len - HASH_PART;
	prev_part = hash_part - PREV_PART;
	if (memcmp(prev_part, PREV_KEY, KEY_LEN) != 0 ||
	    memcmp(hash_part, HASH_KEY, KEY_LEN) != 0 ||
	    memcmp(hash_part + KEY_LEN + HEX_LEN, END, END_LEN) != 0 || hash_part[-1] != '"')
		return false;
	/* Both are followed by a quote, where strspn() stops. */
	if (!is_hex(prev_part + KEY_LEN) || !is_hex(hash_part + KEY_LEN))
		return false;
	ret->prev = prev_part + KEY_LEN;
	ret->hash = hash_part + KEY_LEN;
	ret->body = (size_t)(prev_part - line);
	ret->covered = (size_t)(hash_part - line);
	return true;
}

bool chain_holds(const char *line, const struct chain_link *link)
{
	char hash[DIGEST_HEX_SIZE];

	return digest_hex(line, link->covered, hash) == 0 && !memcmp(hash, link->hash, HEX_LEN);
}
