/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/hello.h"

#include <string.h>

struct out {
	unsigned char *data;
	size_t len;
};

static void put(struct out *out, size_t value, size_t bytes)
{
	while (bytes-- > 0)
		out->data[out->len++] = (unsigned char)(value >> 8 * bytes);
}

static void put_bytes(struct out *out, const void *data, size_t len)
{
	memcpy(out->data + out->len, data, len);
	out->len += len;
}

/* Leaves room for a length, which end() fills in. */
static size_t begin(struct out *out, size_t bytes)
{
	put(out, 0, bytes);
	return out->len;
}

static void end(struct out *out, size_t start, size_t bytes)
{
	const struct out length = {out->data, start - bytes};
	struct out at = length;

	put(&at, out->len - start, bytes);
}

static void put_name(struct out *out, const char *name)
{
	put(out, 0, 1); /* host_name */
	put(out, strlen(name), 2);
	put_bytes(out, name, strlen(name));
}

static void put_server_name(struct out *out, const char *first, const char *second)
{
	size_t extension, list;

	put(out, 0, 2);
	extension = begin(out, 2);
	list = begin(out, 2);
	put_name(out, first);
	if (second)
		put_name(out, second);
	end(out, list, 2);
	end(out, extension, 2);
}

static void put_extensions(struct out *out, const struct hello *hello)
{
	const size_t all = begin(out, 2);

	if (hello->padding) {
		put(out, 21, 2);
		put(out, hello->padding, 2);
		memset(out->data + out->len, 0, hello->padding);
		out->len += hello->padding;
	}
	if (hello->encrypted) {
		put(out, 0xfe0d, 2);
		put(out, 4, 2);
		put(out, 0x00010203, 4);
	}
	if (hello->two_in_one) {
		put_server_name(out, hello->names[0], hello->names[1]);
	} else {
		for (size_t i = 0; i < 2; i++)
			if (hello->names[i])
				put_server_name(out, hello->names[i], NULL);
	}
	end(out, all, 2);
}

size_t hello_write(const struct hello *hello, unsigned char ret[HELLO_MAX])
{
	static unsigned char message[HELLO_MAX];
	struct out body = {message, 0};
	struct out records = {ret, 0};
	size_t start;

	put(&body, 1, 1); /* ClientHello */
	start = begin(&body, 3);
	put(&body, 0x0303, 2);
	memset(message + body.len, 'r', 32);
	body.len += 32;
	put(&body, 0, 1);          /* session id */
	put(&body, 0x00021301, 4); /* one cipher suite */
	put(&body, 0x0100, 2);     /* no compression */
	if (!hello->no_extensions)
		put_extensions(&body, hello);
	end(&body, start, 3);
	for (size_t at = 0; at < body.len;) {
		const size_t left = body.len - at;
		const size_t max = hello->record_max ? hello->record_max : 1 << 14;
		const size_t size = left < max ? left : max;

		put(&records, 22, 1);
		put(&records, 0x0301, 2);
		put(&records, size, 2);
		put_bytes(&records, message + at, size);
		at += size;
	}
	return records.len;
}
