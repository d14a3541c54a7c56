/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client asks the proxy for: any bytes, and requests in order with something changed. */
#include <stdio.h>
#include <string.h>

#include "supervisor/proxy_request.h"
#include "tests/fuzz/net.h"

/* The bytes in memory of just that size. */
static enum proxy_word read_request(const unsigned char *data, size_t size, int greeted,
				    struct proxy_request *ret)
{
	unsigned char *copy = malloc(size ? size : 1);
	char again[HOST_NAME_SIZE];
	enum proxy_word word;

	check(copy != NULL);
	memcpy(copy, data, size);
	memset(ret, 0, sizeof(*ret));
	word = proxy_request_read(copy, size, greeted, ret);
	free(copy);
	if (word != PROXY_MALFORMED && word != PROXY_INCOMPLETE)
		check(ret->len > 0 && ret->len <= size && ret->protocol != PROXY_UNKNOWN);
	if (word != PROXY_CONNECT)
		return word;
	check(strlen(ret->asked) < sizeof(ret->asked));
	if (ret->host[0]) {
		check(host_name_normalise(ret->host, strlen(ret->host), again) == 0);
		check(!strcmp(ret->host, again));
	}
	return word;
}

/* Once it is known, what follows changes nothing. The first byte says where the beginning ends. */
static void read_both(const unsigned char *data, size_t size, int greeted)
{
	struct proxy_request part, whole;
	enum proxy_word first, second;

	if (size < 1)
		return;
	first = read_request(data + 1, (size - 1) * data[0] / 255, greeted, &part);
	second = read_request(data + 1, size - 1, greeted, &whole);
	if (first == PROXY_INCOMPLETE)
		return;
	check(first == second);
	if (first == PROXY_CONNECT)
		check(part.len == whole.len && part.port == whole.port &&
		      !strcmp(part.host, whole.host) &&
		      (whole.host[0] || !memcmp(&part.address, &whole.address, sizeof(part.address))));
}

void fuzz_proxy(const unsigned char *data, size_t size)
{
	read_both(data, size, 0);
	read_both(data, size, 1);
}

/* A request in order with bytes changed, which leads nowhere else than it reads. */
void fuzz_connect(const unsigned char *data, size_t size)
{
	static const char http[] = "CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\n\r\n";
	static const unsigned char socks[] = "\5\1\0\3\14good.example\1\273";
	const int greeted = size > 0 && (data[0] & 1);
	unsigned char bytes[sizeof(http)];
	const size_t len = greeted ? sizeof(socks) - 1 : sizeof(http) - 1;
	struct proxy_request request;

	memcpy(bytes, greeted ? (const void *)socks : http, len);
	check(read_request(bytes, len, greeted, &request) == PROXY_CONNECT);
	check(!strcmp(request.host, "good.example") && request.port == 443 && request.len == len);
	for (size_t i = 1; i + 1 < size; i += 2)
		bytes[data[i] % len] = data[i + 1];
	(void)read_request(bytes, len, greeted, &request);
}
