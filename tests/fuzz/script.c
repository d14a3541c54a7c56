/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tool's memory and files say of an interpreter. */
#include <stdbool.h>
#include <string.h>

#include "supervisor/perf_map.h"
#include "supervisor/python.h"
#include "tests/fuzz/net.h"

enum { FRAMES = 16 };

struct bytes {
	const unsigned char *data;
	size_t size;
};

/* Memory that is there everywhere: the input, again and again. */
static bool read_bytes(void *arg, uint64_t address, void *buf, size_t len)
{
	const struct bytes *bytes = arg;

	for (size_t i = 0; i < len; i++)
		((unsigned char *)buf)[i] = bytes->data[(address + i) % bytes->size];
	return address % 1021 != 0;
}

static void check_frames(const struct script_frame *frames, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(memchr(frames[i].function, '\0', sizeof(frames[i].function)) &&
		      memchr(frames[i].file, '\0', sizeof(frames[i].file)));
}

void fuzz_script(const unsigned char *data, size_t size)
{
	static const uint32_t versions[] = {0x030b07f0, 0x030c01f0, 0x030d00f0, 0x030e0000};
	struct bytes bytes = {.data = data, .size = size};
	const struct python_memory memory = {.read = read_bytes, .arg = &bytes};
	struct script_frame frames[FRAMES];
	struct perf_place places[FRAMES] = {{.ip = 0x1000}};
	size_t count;

	if (size < 2)
		return;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		const struct python_place place = {.runtime = data[0] + 1, .version = versions[i]};

		count = python_walk(&memory, &place, data[1], frames, FRAMES);
		check(count <= FRAMES);
		check_frames(frames, count);
	}
	(void)python_line(data, size, data[0], UINT64_MAX);
	perf_map_name((const char *)data, size, places, FRAMES, frames);
	check_frames(frames, FRAMES);
}
