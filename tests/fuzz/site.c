/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which site is asked for: any bytes, and ClientHellos with something changed. */
#include <string.h>

#include "supervisor/site_name.h"
#include "tests/fuzz/hello.h"
#include "tests/fuzz/net.h"

/* The bytes in memory of just that size. */
static enum site_answer read_site(const unsigned char *data, size_t size, char name[HOST_NAME_SIZE])
{
	unsigned char *copy = malloc(size ? size : 1);
	char again[HOST_NAME_SIZE];
	enum site_protocol protocol;
	enum site_answer answer;

	check(copy != NULL);
	memcpy(copy, data, size);
	answer = site_name_read(copy, size, name, &protocol);
	free(copy);
	if (answer == SITE_NAMED) {
		check(protocol != SITE_UNKNOWN);
		check(host_name_normalise(name, strlen(name), again) == 0);
		check(!strcmp(name, again));
	}
	return answer;
}

/* Once it is known, what follows changes nothing. The first byte says where the beginning ends. */
void fuzz_site(const unsigned char *data, size_t size)
{
	char part_name[HOST_NAME_SIZE] = "";
	char name[HOST_NAME_SIZE] = "";
	enum site_answer part, whole;

	if (size < 1)
		return;
	part = read_site(data + 1, (size - 1) * data[0] / 255, part_name);
	whole = read_site(data + 1, size - 1, name);
	if (part == SITE_INCOMPLETE)
		return;
	check(part == whole && !strcmp(part_name, name));
}

/* A hello in order names its host; with bytes changed it may name another, but reads no memory that
 * is not its own. */
void fuzz_hello(const unsigned char *data, size_t size)
{
	static unsigned char bytes[HELLO_MAX];
	struct hello hello = {.names = {"good.example"}};
	char name[HOST_NAME_SIZE];
	size_t len;

	if (size < 2)
		return;
	hello.padding = data[0] * 8u;
	hello.record_max = data[1];
	len = hello_write(&hello, bytes);
	check(read_site(bytes, len, name) == SITE_NAMED && !strcmp(name, "good.example"));
	for (size_t i = 2; i + 2 < size; i += 3)
		bytes[(size_t)(data[i] << 8 | data[i + 1]) % len] = data[i + 2];
	(void)read_site(bytes, len, name);
}
