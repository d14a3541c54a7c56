/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a libFuzzer target without libFuzzer: on each input of a corpus, and on inputs that a
 * seed makes out of those. So the target is tried by every compiler and in every run of the
 * tests; what clang's search finds goes into the corpus.
 *
 * The corpus is the folders of fuzz_corpus, relative to $srcdir. Of a table *.bad the cases are
 * inputs by themselves; *.hex are hexadecimal digits, with comments from '#' to the end of a line. FUZZ_RUNS and FUZZ_SEED in the environment give the number of inputs that
 * are made, and the seed.
 */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

enum { RUNS = 4000, INPUT_MAX = 8192, CHANGES_MAX = 6 };

/* The target's: folders, ending with NULL. */
extern const char *const fuzz_corpus[];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct input {
	char *bytes;
	size_t len;
};

struct corpus {
	struct input *inputs;
	size_t count;
	uint64_t random;
};

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* --------------------------------------------------------------------- corpus */

static void add_input(struct corpus *corpus, const char *bytes, size_t len)
{
	struct input *grown = reallocarray(corpus->inputs, corpus->count + 1, sizeof(*grown));
	char *copy = malloc(len + 1);

	if (!grown || !copy)
		die("memory");
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	corpus->inputs = grown;
	corpus->inputs[corpus->count++] = (struct input){copy, len};
}

/* The pieces of a table: "=== name" and "=== says" part them. */
static void add_cases(struct corpus *corpus, char *text)
{
	static const char mark[] = "\n=== ";

	for (char *at = strstr(text, mark); at; at = strstr(at, mark)) {
		char *end;

		at = strchr(at + 1, '\n');
		if (!at)
			return;
		end = strstr(at, mark);
		add_input(corpus, at + 1, end && end > at ? (size_t)(end - at) : 0);
	}
}

/* Puts the bytes in the place of their digits. Returns how many. */
static size_t decode_hex(char *text)
{
	size_t digits = 0;
	unsigned int value = 0;

	for (const char *at = text; *at; at++) {
		if (*at == '#')
			at += strcspn(at, "\n");
		if (!isxdigit((unsigned char)*at))
			continue;
		value = value << 4 | (unsigned int)(isdigit((unsigned char)*at)
							     ? *at - '0'
							     : tolower((unsigned char)*at) - 'a' + 10);
		if (++digits % 2 == 0)
			text[digits / 2 - 1] = (char)value;
	}
	return digits / 2;
}

static void add_file(struct corpus *corpus, const char *path)
{
	AUTO_FILE FILE *in = fopen(path, "r");
	AUTO_FREE char *text = NULL;
	size_t capacity = 0;
	ssize_t len;

	if (!in)
		die(path);
	len = getdelim(&text, &capacity, '\0', in);
	if (len < 0)
		return;
	if (!strcmp(path + strlen(path) - 4, ".bad"))
		add_cases(corpus, text);
	else if (!strcmp(path + strlen(path) - 4, ".hex"))
		add_input(corpus, text, decode_hex(text));
	else
		add_input(corpus, text, (size_t)len);
}

static int is_named(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && !strstr(entry->d_name, ".py");
}

static void add_folder(struct corpus *corpus, const char *folder)
{
	const char *srcdir = getenv("srcdir");
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int count;

	snprintf(path, sizeof(path), "%s/%s", srcdir ? srcdir : ".", folder);
	count = scandir(path, &entries, is_named, alphasort);
	if (count <= 0)
		die(path);
	for (int i = 0; i < count; i++) {
		char file[2 * PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		add_file(corpus, file);
		free(entries[i]);
	}
	free(entries);
}

/* ------------------------------------------------------------------- mutation */

/* xorshift64*; below `limit`, which is not 0. */
static size_t random_below(struct corpus *corpus, size_t limit)
{
	corpus->random ^= corpus->random >> 12;
	corpus->random ^= corpus->random << 25;
	corpus->random ^= corpus->random >> 27;
	return (size_t)((corpus->random * UINT64_C(2685821657736338717)) >> 32) % limit;
}

static void change_bytes(struct corpus *corpus, char *bytes, size_t len)
{
	static const char special[] = "*?[]{}!&\"'\\/:,.-#$~\n\t \0\x80\xff";

	if (len == 0)
		return;
	if (random_below(corpus, 2))
		bytes[random_below(corpus, len)] ^= (char)(1 << random_below(corpus, 8));
	else
		bytes[random_below(corpus, len)] = special[random_below(corpus, sizeof(special))];
}

/* Takes a piece out. Returns the new length. */
static size_t cut(struct corpus *corpus, char *bytes, size_t len)
{
	size_t at = random_below(corpus, len + 1);
	size_t size = random_below(corpus, len - at + 1);

	memmove(bytes + at, bytes + at + size, len - at - size);
	return len - size;
}

/* Puts in a piece of another input, or of the same. Returns the new length. */
static size_t splice(struct corpus *corpus, char *bytes, size_t len)
{
	const struct input *other = &corpus->inputs[random_below(corpus, corpus->count)];
	size_t at = random_below(corpus, len + 1);
	size_t from = random_below(corpus, other->len + 1);
	size_t size = random_below(corpus, other->len - from + 1);

	if (size > INPUT_MAX - len)
		size = INPUT_MAX - len;
	memmove(bytes + at + size, bytes + at, len - at);
	memcpy(bytes + at, other->bytes + from, size);
	return len + size;
}

static void run_mutated(struct corpus *corpus)
{
	const struct input *seed = &corpus->inputs[random_below(corpus, corpus->count)];
	size_t len = seed->len < INPUT_MAX ? seed->len : INPUT_MAX;
	char *bytes = malloc(INPUT_MAX);
	char *exact;

	if (!bytes)
		die("memory");
	memcpy(bytes, seed->bytes, len);
	for (size_t left = 1 + random_below(corpus, CHANGES_MAX); left > 0; left--) {
		switch (random_below(corpus, 4)) {
		case 0:
			len = cut(corpus, bytes, len);
			break;
		case 1:
			len = splice(corpus, bytes, len);
			break;
		default:
			change_bytes(corpus, bytes, len);
			break;
		}
	}
	/* A block of just this size, so that a sanitizer sees a read beyond. */
	exact = malloc(len ? len : 1);
	if (!exact)
		die("memory");
	memcpy(exact, bytes, len);
	free(bytes);
	LLVMFuzzerTestOneInput((unsigned char *)exact, len);
	free(exact);
}

static unsigned long long number(const char *name, unsigned long long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	struct corpus corpus = {.random = number("FUZZ_SEED", 1) * 2 + 1};
	unsigned long long runs = number("FUZZ_RUNS", RUNS);

	LLVMFuzzerInitialize(&argc, &argv);
	for (size_t i = 0; fuzz_corpus[i]; i++)
		add_folder(&corpus, fuzz_corpus[i]);
	for (size_t i = 0; i < corpus.count; i++)
		LLVMFuzzerTestOneInput((unsigned char *)corpus.inputs[i].bytes,
				       corpus.inputs[i].len);
	if (corpus.count == 0)
		die("the corpus");
	for (unsigned long long i = 0; i < runs; i++)
		run_mutated(&corpus);
	printf("%zu inputs, and %llu made of them by seed %llu\n", corpus.count, runs,
	       number("FUZZ_SEED", 1));
	for (size_t i = 0; i < corpus.count; i++)
		free(corpus.inputs[i].bytes);
	free(corpus.inputs);
	return EXIT_SUCCESS;
}
