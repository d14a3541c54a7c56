/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages in the name of the preload library, and values of LD_PRELOAD. */
#include <stdint.h>
#include <string.h>

#include "supervisor/library.h"
#include "tests/fuzz/net.h"

static void fuzz_message(const unsigned char *data)
{
	struct library_message message;
	uint64_t args[6];

	memcpy(args, data, sizeof(args));
	if (library_decode(args, &message) < 0)
		return;
	check(library_is_message(args) && library_function_name(message.function) != NULL);
	check(message.text_count >= 1 && message.text_count <= 2);
	for (size_t i = 0; i < message.text_count; i++)
		check(message.texts[i].address && message.texts[i].length <= PRELOAD_TEXT_MAX);
}

/* Of what is left nothing is the library's, and what is put together is taken apart again. */
static void fuzz_value(const unsigned char *data, size_t size)
{
	static char ours[] = "/l.so";
	const struct library library = {.paths = {ours, NULL}};
	char *value = malloc(size + 1);
	char *variable;
	char *again;

	check(value != NULL);
	memcpy(value, data, size);
	value[size] = '\0';
	library_strip(&library, value);
	check(strlen(value) <= size);
	variable = library_variable(&library, value);
	check(variable != NULL);
	again = variable + strlen("LD_PRELOAD=");
	library_strip(&library, again);
	check(!strcmp(again, value));
	free(variable);
	free(value);
}

void fuzz_preload(const unsigned char *data, size_t size)
{
	if (size >= 6 * sizeof(uint64_t))
		fuzz_message(data);
	fuzz_value(data, size);
}
