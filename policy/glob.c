/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/glob.h"

#include <ctype.h>
#include <string.h>

/* ---------------------------------------------------------------- compiling */

struct cursor {
	const char *at;
	const char *end;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands after a backslash. Moves beyond it. */
static const char *read_escape(struct cursor *cursor, unsigned char *ret)
{
	int high, low;

	if (cursor->at == cursor->end)
		return "a '\\' has nothing after it";
	if (*cursor->at != 'x') {
		*ret = (unsigned char)*cursor->at++;
		return NULL;
	}
	if (cursor->end - cursor->at < 3)
		return "expected two hexadecimal digits after '\\x'";
	high = hex_digit(cursor->at[1]);
	low = hex_digit(cursor->at[2]);
	if (high < 0 || low < 0)
		return "expected two hexadecimal digits after '\\x'";
	*ret = (unsigned char)(high << 4 | low);
	if (*ret == '\0' || *ret == '/')
		return "no name holds this byte";
	cursor->at += 3;
	return NULL;
}

static void set_add(struct byte_set *set, unsigned int from, unsigned int to)
{
	for (unsigned int byte = from; byte <= to; byte++)
		set->bits[byte / 64] |= UINT64_C(1) << byte % 64;
}

static const char *read_set_byte(struct cursor *cursor, unsigned char *ret)
{
	if (cursor->at == cursor->end)
		return "a '[' has no ']'";
	*ret = (unsigned char)*cursor->at++;
	if (*ret == '[' && cursor->at < cursor->end && strchr(":.=", *cursor->at))
		return "classes such as [:alpha:] are not known; write the ranges";
	if (*ret >= 0x80)
		return "only ASCII stands between '[' and ']'";
	if (*ret == '\\')
		return read_escape(cursor, ret);
	return NULL;
}

/* After the '['. A ']' in the first place is a member, as in the shell. */
static const char *read_set(struct cursor *cursor, struct byte_set *set)
{
	bool negated = cursor->at < cursor->end && (*cursor->at == '!' || *cursor->at == '^');
	const char *first = cursor->at + negated;

	cursor->at = first;
	while (cursor->at == first || cursor->at == cursor->end || *cursor->at != ']') {
		unsigned char from, to;
		const char *wrong = read_set_byte(cursor, &from);

		if (wrong)
			return wrong;
		to = from;
		if (cursor->end - cursor->at >= 2 && cursor->at[0] == '-' && cursor->at[1] != ']') {
			cursor->at++;
			wrong = read_set_byte(cursor, &to);
			if (wrong)
				return wrong;
		}
		if (to < from)
			return "a range between '[' and ']' runs backwards";
		set_add(set, from, to);
	}
	cursor->at++;
	for (int i = 0; negated && i < 4; i++)
		set->bits[i] = ~set->bits[i];
	return NULL;
}

static const char *read_token(struct memory *memory, struct cursor *cursor,
			      struct glob_token *token)
{
	char c = *cursor->at++;

	switch (c) {
	case '*':
		token->kind = TOKEN_STAR;
		return NULL;
	case '?':
		token->kind = TOKEN_ONE;
		return NULL;
	case '[': {
		struct byte_set *set = memory_alloc(memory, sizeof(*set));

		token->kind = TOKEN_SET;
		token->set = set;
		return read_set(cursor, set);
	}
	case '\\':
		token->kind = TOKEN_BYTE;
		return read_escape(cursor, &token->byte);
	default:
		token->kind = TOKEN_BYTE;
		token->byte = (unsigned char)c;
		return NULL;
	}
}

static const char *token_bytes(struct memory *memory, const struct glob_token *tokens, size_t count)
{
	char *bytes = memory_alloc(memory, count + 1);

	for (size_t i = 0; i < count; i++)
		bytes[i] = (char)tokens[i].byte;
	return bytes;
}

static void make_literals(struct memory *memory, struct glob *glob)
{
	size_t first = 0;
	size_t last = glob->count;

	while (first < glob->count && glob->tokens[first].kind == TOKEN_BYTE)
		first++;
	if (first == glob->count) {
		glob->literal = token_bytes(memory, glob->tokens, glob->count);
		glob->literal_len = glob->count;
		return;
	}
	while (glob->tokens[last - 1].kind == TOKEN_BYTE)
		last--;
	glob->prefix = token_bytes(memory, glob->tokens, first);
	glob->prefix_len = first;
	glob->suffix = token_bytes(memory, glob->tokens + last, glob->count - last);
	glob->suffix_len = glob->count - last;
}

bool glob_is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr("*?[\\", text[i]) && text[i])
			return false;
	return true;
}

static struct glob plain_glob(struct memory *memory, const char *text, size_t len)
{
	return (struct glob){.literal = memory_strndup(memory, text, len), .literal_len = len};
}

const char *glob_compile(struct memory *memory, const char *text, size_t len, struct glob *ret)
{
	struct glob_token *tokens;
	struct cursor cursor = {text, text + len};
	struct glob glob = {.count = 0};

	if (glob_is_plain(text, len)) {
		*ret = plain_glob(memory, text, len);
		return NULL;
	}
	tokens = memory_alloc(memory, len * sizeof(*tokens));
	glob.tokens = tokens;
	while (cursor.at < cursor.end) {
		const char *wrong = read_token(memory, &cursor, &tokens[glob.count]);

		if (wrong)
			return wrong;
		glob.count++;
	}
	make_literals(memory, &glob);
	*ret = glob;
	return NULL;
}

/* ----------------------------------------------------------------- matching */

static bool token_takes(const struct glob_token *token, unsigned char byte)
{
	switch (token->kind) {
	case TOKEN_BYTE:
		return token->byte == byte;
	case TOKEN_SET:
		return token->set->bits[byte / 64] >> byte % 64 & 1;
	case TOKEN_ONE:
		return true;
	case TOKEN_STAR:
		break;
	}
	return false;
}

bool glob_match(const struct glob *glob, const char *name, size_t len)
{
	size_t token = 0, byte = 0;
	size_t star = SIZE_MAX, star_byte = 0;

	if (glob->literal)
		return len == glob->literal_len && !memcmp(name, glob->literal, len);
	while (byte < len) {
		if (token < glob->count && glob->tokens[token].kind == TOKEN_STAR) {
			star = token++;
			star_byte = byte;
		} else if (token < glob->count &&
			   token_takes(&glob->tokens[token], (unsigned char)name[byte])) {
			token++;
			byte++;
		} else if (star != SIZE_MAX) {
			token = star + 1;
			byte = ++star_byte;
		} else {
			return false;
		}
	}
	while (token < glob->count && glob->tokens[token].kind == TOKEN_STAR)
		token++;
	return token == glob->count;
}

/* ------------------------------------------------------------- alternatives */

struct braces {
	const char *open;
	const char *close;
};

/* Beyond what a backslash or a set makes literal; braces in a set are members. */
static const char *skip_quoted(const char *at)
{
	const char *end;

	if (*at == '\\' && at[1])
		return at + 2;
	if (*at != '[')
		return at + 1;
	end = at + 1;
	end += *end == '!' || *end == '^';
	end += *end == ']';
	while (*end && *end != ']')
		end += *end == '\\' && end[1] ? 2 : 1;
	return *end ? end + 1 : at + 1;
}

static const char *find_braces(const char *text, struct braces *ret)
{
	int depth = 0;

	ret->open = NULL;
	for (const char *at = text; *at; at = skip_quoted(at)) {
		if (*at == '{' && depth++ == 0)
			ret->open = at;
		if (*at == '}' && depth == 0)
			return "a '}' has no '{'";
		if (*at == '}' && --depth == 0) {
			ret->close = at;
			return NULL;
		}
	}
	return depth ? "a '{' has no '}'" : NULL;
}

/* The end of the alternative at `at`: its ',' or the closing brace. */
static const char *alternative_end(const char *at, const char *close)
{
	for (int depth = 0; at < close; at = skip_quoted(at)) {
		if (*at == ',' && depth == 0)
			return at;
		depth += (*at == '{') - (*at == '}');
	}
	return close;
}

struct expansion {
	struct memory *memory;
	char **texts;
	size_t count;
};

/* Replaces texts[index] by its alternatives in the first pair of braces. */
static const char *expand_first(struct expansion *expansion, size_t index, bool *ret_done)
{
	const char *text = expansion->texts[index];
	struct braces braces = {NULL, NULL};
	const char *wrong = find_braces(text, &braces);
	const char *at;
	bool first = true;

	*ret_done = wrong != NULL || !braces.open;
	if (*ret_done)
		return wrong;
	for (at = braces.open + 1; at <= braces.close;) {
		const char *end = alternative_end(at, braces.close);
		char *made = memory_printf(expansion->memory, "%.*s%.*s%s",
					   (int)(braces.open - text), text, (int)(end - at), at,
					   braces.close + 1);

		if (first)
			expansion->texts[index] = made;
		else if (expansion->count >= BRACES_MAX)
			return "too many alternatives (more than 256)";
		else
			*memory_push(expansion->memory, expansion->texts, expansion->count) = made;
		first = false;
		at = end + 1;
	}
	return NULL;
}

const char *glob_expand_braces(struct memory *memory, const char *text, char ***ret, size_t *count)
{
	struct expansion expansion = {.memory = memory};
	size_t pairs = 0;

	for (const char *at = text; *at; at = skip_quoted(at))
		pairs += *at == '{';
	if (pairs > BRACES_PAIRS_MAX)
		return "too many '{' (more than 16)";
	*memory_push(memory, expansion.texts, expansion.count) = memory_strdup(memory, text);
	for (size_t i = 0; i < expansion.count; i++) {
		bool done = false;

		while (!done) {
			const char *wrong = expand_first(&expansion, i, &done);

			if (wrong)
				return wrong;
		}
	}
	*ret = expansion.texts;
	*count = expansion.count;
	return NULL;
}
