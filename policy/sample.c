/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/sample.h"

#include <stdio.h>
#include <string.h>

/* What stands for "*", for "**" and below a folder; a sample takes one of each. */
static const char *const stars[] = {"zq", "q", "zqzqzqzqzqzqz"};
static const char *const any_folders[] = {"", "/zq", "/q/zq/zqzqz"};
static const char *const tails[] = {"", "/zq", "/zqzq/q/z"};

static unsigned char first_of(const struct byte_set *set)
{
	for (unsigned int byte = 0; byte < 256; byte++)
		if (set->bits[byte / 64] >> (byte % 64) & 1)
			return (unsigned char)byte;
	return 0;
}

static void write_glob(const struct glob *glob, const char *star, FILE *out)
{
	if (glob->literal) {
		fwrite(glob->literal, 1, glob->literal_len, out);
		return;
	}
	for (size_t i = 0; i < glob->count; i++) {
		const struct glob_token *token = &glob->tokens[i];

		switch (token->kind) {
		case TOKEN_BYTE:
			fputc(token->byte, out);
			break;
		case TOKEN_ONE:
			fputc('q', out);
			break;
		case TOKEN_SET:
			fputc(first_of(token->set), out);
			break;
		case TOKEN_STAR:
			fputs(star, out);
			break;
		}
	}
}

static bool has_star(const struct glob *glob)
{
	for (size_t i = 0; i < glob->count && !glob->literal; i++)
		if (glob->tokens[i].kind == TOKEN_STAR)
			return true;
	return false;
}

bool sample_path(const struct pattern *pattern, unsigned int index, char ret[PATH_MAX])
{
	const unsigned int star = index % 3;
	const unsigned int any = index / 3 % 3;
	const unsigned int tail = index / 9;
	bool stars_matter = false;
	bool any_matters = false;
	size_t length;
	FILE *out;

	for (size_t i = 0; i < pattern->part_count; i++) {
		any_matters = any_matters || pattern->parts[i].any;
		stars_matter = stars_matter ||
			       (!pattern->parts[i].any && has_star(&pattern->parts[i].glob));
	}
	if ((star && !stars_matter) || (any && !any_matters) || (tail && !pattern->tree))
		return false;
	out = fmemopen(ret, PATH_MAX, "w");
	if (!out)
		return false;
	fputs(pattern->literal, out);
	for (size_t i = 0; i < pattern->part_count; i++) {
		if (pattern->parts[i].any) {
			fputs(any_folders[any], out);
			continue;
		}
		fputc('/', out);
		write_glob(&pattern->parts[i].glob, stars[star], out);
	}
	fputs(tails[tail], out);
	length = (size_t)ftell(out);
	if (fclose(out) != 0 || length >= PATH_MAX - 1)
		return false;
	ret[length] = '\0';
	if (length == 0)
		memcpy(ret, "/", 2);
	return true;
}

static bool sample_abstract(const struct endpoint_pattern *pattern, struct endpoint *ret)
{
	FILE *out = fmemopen(ret->path, sizeof(ret->path), "w");

	if (!out)
		return false;
	ret->transport = TRANSPORT_UNIX_ABSTRACT;
	ret->family = AF_UNIX;
	write_glob(&pattern->names[0], stars[0], out);
	ret->path_len = (size_t)ftell(out);
	return fclose(out) == 0;
}

bool sample_endpoint(const struct endpoint_pattern *pattern, struct endpoint *ret,
		     char host[PATH_MAX])
{
	*ret = (struct endpoint){
		.transport = pattern->tcp ? TRANSPORT_TCP : TRANSPORT_UDP,
		.family = pattern->v4 ? AF_INET : AF_INET6,
		.address = pattern->address,
		.port = pattern->port_count ? pattern->ports[0].first : 0,
	};
	*host = '\0';
	switch (pattern->kind) {
	case ENDPOINT_ADDRESS:
		if (pattern->any_address)
			ret->address.s6_addr[15] = 77; /* neither :: nor ::1 */
		return true;
	case ENDPOINT_ABSTRACT:
		return sample_abstract(pattern, ret);
	case ENDPOINT_HOST:
		ret->family = AF_UNSPEC;
		snprintf(host, PATH_MAX, "%s%s", pattern->below ? "zq." : "", pattern->text);
		return true;
	case ENDPOINT_UNIX_PATH:
		break;
	}
	return false;
}
