/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/endpoint_pattern.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "core/host_name.h"

static const char expected[] =
	"expected ADDRESS:PORT such as \"10.0.0.0/8:5432,8000-8999\", \"[::1]:*\", "
	"\"udp:192.0.2.7:123\", \"unix:/run/x\" or \"unix:@name\"";

/* -------------------------------------------------------------------- ports */

static const char *read_number(const char **text, unsigned long max, unsigned long *ret)
{
	unsigned long value = 0;
	const char *at = *text;

	if (!isdigit((unsigned char)*at))
		return "expected a number";
	for (; isdigit((unsigned char)*at); at++) {
		value = value * 10 + (unsigned long)(*at - '0');
		if (value > max)
			return "the number is too large";
	}
	*text = at;
	*ret = value;
	return NULL;
}

static const char *compile_ports(struct memory *memory, const char *text,
				 struct endpoint_pattern *ret)
{
	static const char bad[] = "expected a port from 0 to 65535, a range \"8000-8999\", "
				  "a list of them, or \"*\" after the last ':'";
	struct port_range *ranges = NULL;

	if (!strcmp(text, "*")) {
		memory_push(memory, ranges, ret->port_count)->last = UINT16_MAX;
		ret->ports = ranges;
		return NULL;
	}
	for (;;) {
		struct port_range *range = memory_push(memory, ranges, ret->port_count);
		unsigned long first, last;

		if (read_number(&text, UINT16_MAX, &first))
			return bad;
		last = first;
		if (*text == '-') {
			text++;
			if (read_number(&text, UINT16_MAX, &last))
				return bad;
		}
		if (last < first)
			return "the port range runs backwards";
		range->first = (uint16_t)first;
		range->last = (uint16_t)last;
		if (!*text)
			break;
		if (*text++ != ',')
			return bad;
	}
	ret->ports = ranges;
	return NULL;
}

/* ---------------------------------------------------------------- addresses */

static void clear_beyond(struct in6_addr *address, unsigned int prefix)
{
	for (unsigned int bit = prefix; bit < 128; bit++)
		address->s6_addr[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
}

static bool set_address(const char *host, int family, struct endpoint_pattern *ret)
{
	if (family == AF_INET6) {
		if (inet_pton(AF_INET6, host, &ret->address) != 1)
			return false;
		ret->v4 = false;
		return true;
	}
	memset(&ret->address, 0, sizeof(ret->address));
	ret->address.s6_addr[10] = 0xff;
	ret->address.s6_addr[11] = 0xff;
	ret->v4 = true;
	return inet_pton(AF_INET, host, &ret->address.s6_addr[12]) == 1;
}

/* `bits` is what stands after the '/', or NULL. */
static const char *set_prefix(struct memory *memory, const char *host, const char *bits,
			      struct endpoint_pattern *ret)
{
	unsigned int width = ret->v4 ? 32 : 128;
	char text[INET6_ADDRSTRLEN];
	struct in6_addr whole;
	unsigned long count = width;

	if (bits && (read_number(&bits, width, &count) || *bits))
		return ret->v4 ? "expected 0 to 32 bits after the '/'"
			       : "expected 0 to 128 bits after the '/'";
	ret->prefix = (unsigned int)count + (ret->v4 ? 96 : 0);
	whole = ret->address;
	clear_beyond(&whole, ret->prefix);
	/* ::ffff:192.0.2.1 is the IPv4 address that it holds. */
	if (!ret->v4 && IN6_IS_ADDR_V4MAPPED(&whole) && ret->prefix >= 96)
		ret->v4 = true;
	if (!memcmp(&whole, &ret->address, sizeof(whole)))
		return NULL;
	if (width == 32)
		inet_ntop(AF_INET, &whole.s6_addr[12], text, sizeof(text));
	else
		inet_ntop(AF_INET6, &whole, text, sizeof(text));
	return memory_printf(memory, "the address %s has bits set beyond its first %lu; write %s/%lu",
			     host, count, text, count);
}

static const char *compile_v6(struct memory *memory, char *host, const char *bits,
			      struct endpoint_pattern *ret)
{
	char *slash = strchr(host, '/');

	if (slash && bits)
		return "the number of bits stands twice";
	if (slash) {
		*slash = '\0';
		bits = slash + 1;
	}
	if (!set_address(host, AF_INET6, ret))
		return "expected an IPv6 address between '[' and ']'";
	return set_prefix(memory, host, bits, ret);
}

/* "*." in front stands for one label or more. */
static const char *compile_host(struct memory *memory, const char *host,
				struct endpoint_pattern *ret)
{
	const bool below = host[0] == '*' && host[1] == '.';
	char name[HOST_NAME_SIZE];

	host += below ? 2 : 0;
	if (host_name_normalise(host, strlen(host), name) < 0)
		return "this is no host name; \"*.\" may stand in front of one";
	ret->kind = ENDPOINT_HOST;
	ret->text = memory_strdup(memory, name);
	ret->below = below;
	return NULL;
}

/* "1.2.3", "0x7f000001": some programs read these as addresses, so they are no names. */
static bool looks_like_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *last = dot && dot[1] ? dot + 1 : host;

	if (last[0] == '0' && (last[1] == 'x' || last[1] == 'X'))
		return true;
	return last[strspn(last, "0123456789")] == '\0';
}

static const char *compile_v4_or_name(struct memory *memory, char *host, struct endpoint_pattern *ret)
{
	char *slash;

	if (!strcmp(host, "*")) {
		ret->any_address = true;
		return NULL;
	}
	slash = strchr(host, '/');
	if (slash)
		*slash = '\0';
	if (set_address(host, AF_INET, ret))
		return set_prefix(memory, host, slash ? slash + 1 : NULL, ret);
	if (strchr(host, ':'))
		return "an IPv6 address stands in brackets: \"[::1]:443\"";
	if (!*host || slash || looks_like_number(host))
		return "expected an IPv4 address of four decimal numbers, or a host name";
	return compile_host(memory, host, ret);
}

static const char *compile_inet(struct memory *memory, const char *text,
				struct endpoint_pattern *ret)
{
	const char *colon = strrchr(text, ':');
	const char *wrong;
	char *host;

	if (*text == '[') {
		const char *close = strchr(text, ']');
		const char *bits = NULL;

		if (!close)
			return "a '[' has no ']'";
		if (!colon || colon < close || (close[1] != ':' && close[1] != '/'))
			return expected;
		if (close[1] == '/')
			bits = memory_strndup(memory, close + 2, (size_t)(colon - close - 2));
		host = memory_strndup(memory, text + 1, (size_t)(close - text - 1));
		wrong = compile_v6(memory, host, bits, ret);
	} else {
		if (!colon)
			return expected;
		host = memory_strndup(memory, text, (size_t)(colon - text));
		wrong = compile_v4_or_name(memory, host, ret);
	}
	return wrong ? wrong : compile_ports(memory, colon + 1, ret);
}

static const char *compile_abstract(struct memory *memory, const char *text,
				    struct endpoint_pattern *ret)
{
	struct glob *globs = NULL;
	char **texts;
	size_t count;
	const char *wrong = glob_expand_braces(memory, text, &texts, &count);

	for (size_t i = 0; !wrong && i < count; i++)
		wrong = glob_compile(memory, texts[i], strlen(texts[i]),
				     memory_push(memory, globs, ret->name_count));
	ret->kind = ENDPOINT_ABSTRACT;
	ret->names = globs;
	return wrong;
}

const char *endpoint_pattern_compile(struct memory *memory, const char *text, bool both,
				     struct endpoint_pattern *ret)
{
	struct endpoint_pattern pattern = {.kind = ENDPOINT_ADDRESS, .tcp = true, .udp = both};
	const char *wrong = NULL;

	if (!strncmp(text, "unix:@", 6)) {
		wrong = compile_abstract(memory, text + 6, &pattern);
	} else if (!strncmp(text, "unix:", 5)) {
		pattern.kind = ENDPOINT_UNIX_PATH;
		pattern.text = text + 5;
	} else if (!strncmp(text, "tcp:", 4)) {
		pattern.udp = false;
		pattern.site = SITE_ANY;
		wrong = compile_inet(memory, text + 4, &pattern);
	} else if (!strncmp(text, "tls:", 4)) {
		pattern.site = SITE_SAME;
		wrong = compile_inet(memory, text + 4, &pattern);
		if (!wrong && (both || pattern.kind != ENDPOINT_HOST))
			wrong = "\"tls:\" says that a connection must ask for the name that a rule "
				"allows: expected NAME:PORT behind it, in network.connect";
	} else if (!strncmp(text, "udp:", 4)) {
		pattern.tcp = false;
		pattern.udp = true;
		wrong = compile_inet(memory, text + 4, &pattern);
	} else {
		wrong = compile_inet(memory, text, &pattern);
	}
	if (!wrong)
		*ret = pattern;
	return wrong;
}

/* ----------------------------------------------------------------- matching */

static bool same_bits(const struct in6_addr *a, const struct in6_addr *b, unsigned int bits)
{
	unsigned int bytes = bits / 8;
	unsigned int rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return !rest || ((a->s6_addr[bytes] ^ b->s6_addr[bytes]) >> (8 - rest)) == 0;
}

static bool port_listed(const struct endpoint_pattern *pattern, uint16_t port)
{
	for (size_t i = 0; i < pattern->port_count; i++)
		if (port >= pattern->ports[i].first && port <= pattern->ports[i].last)
			return true;
	return false;
}

static bool name_listed(const struct endpoint_pattern *pattern, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < pattern->name_count; i++)
		if (glob_match(&pattern->names[i], endpoint->path, endpoint->path_len))
			return true;
	return false;
}

bool endpoint_pattern_names(const struct endpoint_pattern *pattern, const char *host)
{
	const size_t host_len = strlen(host);
	const size_t len = strlen(pattern->text);

	if (!pattern->below)
		return !strcmp(host, pattern->text);
	return host_len > len + 1 && host[host_len - len - 1] == '.' &&
	       !memcmp(host + host_len - len, pattern->text, len);
}

bool endpoint_pattern_binds_site(const struct endpoint_pattern *pattern,
				 const struct endpoint *endpoint)
{
	enum { HTTPS = 443 };

	return pattern->kind == ENDPOINT_HOST && endpoint->transport == TRANSPORT_TCP &&
	       (pattern->site == SITE_SAME ||
		(pattern->site == SITE_BY_PORT && endpoint->port == HTTPS));
}

static bool transport_listed(const struct endpoint_pattern *pattern, enum transport transport)
{
	return (transport == TRANSPORT_TCP && pattern->tcp) ||
	       (transport == TRANSPORT_UDP && pattern->udp);
}

bool endpoint_pattern_match(const struct endpoint_pattern *pattern, const struct endpoint *endpoint,
			    const char *host)
{
	if (pattern->kind == ENDPOINT_ABSTRACT)
		return endpoint->transport == TRANSPORT_UNIX_ABSTRACT &&
		       name_listed(pattern, endpoint);
	if (pattern->kind == ENDPOINT_UNIX_PATH ||
	    !transport_listed(pattern, endpoint->transport) || !port_listed(pattern, endpoint->port))
		return false;
	if (pattern->kind == ENDPOINT_HOST)
		return host && endpoint_pattern_names(pattern, host);
	if (pattern->any_address)
		return true;
	return endpoint->family != AF_UNSPEC && pattern->v4 == endpoint_is_v4(endpoint) &&
	       same_bits(&pattern->address, &endpoint->address, pattern->prefix);
}
