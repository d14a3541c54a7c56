/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/pairs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy.h"
#include "tests/fuzz/reference.h"

enum { LISTS = 4, ENTRIES_MAX = 8, TEXT_MAX = 512, PATHS = 96, DEPTH_MAX = 7 };

static char folder[] = "/tmp/proctor-pairs-XXXXXX";
static char file[sizeof(folder) + 16];

/* ------------------------------------------------------------- choices by the bytes */

struct source {
	const unsigned char *data;
	size_t left;
};

static unsigned int choose(struct source *source, unsigned int count)
{
	if (source->left == 0)
		return 0;
	source->left--;
	return *source->data++ % count;
}

struct text {
	char bytes[TEXT_MAX];
	size_t len;
};

static void add(struct text *text, const char *piece)
{
	const size_t len = strlen(piece);

	if (text->len + len >= TEXT_MAX)
		return;
	memcpy(text->bytes + text->len, piece, len + 1);
	text->len += len;
}

/* ------------------------------------------------------------------------- patterns */

static void add_glob(struct source *source, struct text *text)
{
	static const char *const pieces[] = {
		"a", "b", "ab", "a", "b", "c", "*", "?", "[ab]", "[!a]", "[b-c]", "\\*", "\\a", ".a",
		"abcdefghi", "[]a]", "[^]b-]", "cccccccccccccccccccc",
	};
	const unsigned int count = 1 + choose(source, 4);
	bool star = false;

	for (unsigned int i = 0; i < count; i++) {
		const char *piece = pieces[choose(source, sizeof(pieces) / sizeof(pieces[0]))];

		if (star && *piece == '*')
			continue; /* "**" stands alone */
		add(text, piece);
		star = *piece == '*';
	}
}

static void add_component(struct source *source, struct text *text)
{
	switch (choose(source, 10)) {
	case 0:
		add(text, "**");
		break;
	case 1:
		add(text, "{");
		add_glob(source, text);
		add(text, choose(source, 3) ? "," : "/b,");
		add_glob(source, text);
		add(text, choose(source, 3) ? "}" : ",a{b,c}}");
		break;
	case 2:
		add(text, "*");
		break;
	case 3:
	case 4:
	case 5:
		add_glob(source, text);
		break;
	default:
		add(text, choose(source, 2) ? "a" : "b");
		break;
	}
}

static void make_pattern(struct source *source, struct text *text)
{
	static const char *const starts[] = {"/", "/", "/", "**/", "", "./", "/a/", "//"};
	const unsigned int depth = 1 + choose(source, 4);

	text->len = 0;
	text->bytes[0] = '\0';
	add(text, starts[choose(source, sizeof(starts) / sizeof(starts[0]))]);
	for (unsigned int i = 0; i < depth; i++) {
		if (i > 0)
			add(text, choose(source, 12) ? "/" : "//");
		add_component(source, text);
	}
	if (choose(source, 5) == 0)
		add(text, "/**");
	else if (choose(source, 8) == 0)
		add(text, "/");
}

/* ---------------------------------------------------------------------------- paths */

static void add_name(struct source *source, struct text *text)
{
	static const char *const names[] = {"a", "b", "ab", "c", "aa", "*a", ".a", "abcdefghi",
					    "]", "cccccccccccccccccccc", "ba", "b-"};
	const unsigned int count = 1 + choose(source, 2);

	for (unsigned int i = 0; i < count; i++)
		add(text, names[choose(source, sizeof(names) / sizeof(names[0]))]);
}

static void make_path(struct source *source, struct text *text)
{
	const unsigned int depth = choose(source, DEPTH_MAX);

	text->len = 0;
	text->bytes[0] = '\0';
	if (choose(source, 5) == 0)
		add(text, folder);
	for (unsigned int i = 0; i < depth; i++) {
		add(text, "/");
		if (choose(source, 2))
			add(text, choose(source, 2) ? "a" : "b");
		else
			add_name(source, text);
	}
	if (text->len == 0)
		add(text, "/");
}

/* Beyond a "[...]"; see reference.c. */
static const char *after_set(const char *at)
{
	at += at[1] == '!' || at[1] == '^' ? 2 : 1;
	at += *at == ']';
	return strchr(at, ']') + 1;
}

/* Copies one component, in which every wildcard becomes something that it may match. */
static const char *imitate_component(struct source *source, const char *pattern, struct text *text)
{
	while (*pattern && *pattern != '/') {
		char byte[2] = {*pattern, '\0'};

		if (*pattern == '[') {
			byte[0] = "abc"[choose(source, 3)];
			pattern = after_set(pattern) - 1;
		} else if (*pattern == '\\') {
			byte[0] = *++pattern;
		} else if (*pattern == '?') {
			byte[0] = 'b';
		} else if (*pattern == '*') {
			byte[0] = choose(source, 2) ? 'a' : '\0';
		} else if (strchr("{},", *pattern)) {
			byte[0] = '\0';
		}
		add(text, byte);
		pattern++;
	}
	return pattern;
}

static void imitate(struct source *source, const char *pattern, struct text *text)
{
	text->len = 0;
	text->bytes[0] = '\0';
	if (*pattern == '!')
		pattern++;
	if (*pattern != '/' && strncmp(pattern, "**", 2) != 0)
		add(text, folder);
	while (*pattern) {
		size_t before;

		while (*pattern == '/')
			pattern++;
		before = text->len;
		add(text, "/");
		pattern = imitate_component(source, pattern, text);
		if (text->len == before + 1 || !strcmp(text->bytes + before, "/."))
			text->bytes[text->len = before] = '\0';
	}
	if (choose(source, 4) == 0)
		add(text, "/c");
	if (text->len == 0)
		add(text, "/");
}

/* ------------------------------------------------------------------------- policies */

static const char *const keys[LISTS] = {"read", "write", "deny", "hide"};

struct made {
	struct text texts[LISTS][ENTRIES_MAX];
	const char *entries[LISTS][ENTRIES_MAX];
	unsigned int lines[LISTS][ENTRIES_MAX];
	struct reference_list lists[LISTS];
	struct policy *policy;
};

static void write_entry(FILE *out, const char *entry)
{
	fputs("    - \"", out);
	for (; *entry; entry++) {
		if (*entry == '\\')
			fputc('\\', out);
		fputc(*entry, out);
	}
	fputs("\"\n", out);
}

static void make_list(struct source *source, struct made *made, unsigned int list, FILE *out,
		      unsigned int *line)
{
	const unsigned int count = choose(source, list < 2 ? ENTRIES_MAX : 4);

	fprintf(out, "  %s:%s\n", keys[list], count ? "" : " []");
	++*line;
	for (unsigned int i = 0; i < count; i++) {
		struct text pattern;
		struct text *text = &made->texts[list][i];

		make_pattern(source, &pattern);
		text->len = 0;
		text->bytes[0] = '\0';
		if (choose(source, 4) == 0)
			add(text, "!");
		add(text, pattern.bytes);
		made->entries[list][i] = text->bytes;
		made->lines[list][i] = ++*line;
		write_entry(out, text->bytes);
	}
	made->lists[list] = (struct reference_list){made->entries[list], made->lines[list], count};
}

static void show(void)
{
	char line[1024];
	FILE *in = fopen(file, "r");

	while (in && fgets(line, sizeof(line), in))
		fputs(line, stdout);
	if (in)
		fclose(in);
}

static void make_policy(struct source *source, struct made *made)
{
	const struct policy_context context = {.home = "/home/u", .cwd = "/work", .user = "u",
					       .tmpdir = "/tmp"};
	struct diagnostics diagnostics = {NULL, 0};
	const char *name = file;
	unsigned int line = 2;
	FILE *out = fopen(file, "w");

	if (!out)
		abort();
	fputs("version: 1\nfiles:\n", out);
	for (unsigned int i = 0; i < LISTS; i++)
		make_list(source, made, i, out, &line);
	if (fclose(out) != 0)
		abort();
	if (policy_load(&name, 1, &context, &made->policy, &diagnostics) == 0)
		return;
	diagnostics_print(&diagnostics, stdout);
	show();
	fflush(stdout);
	abort();
}

/* ------------------------------------------------------------------------ comparing */

static struct verdict expected(const struct made *made, enum access_op op, const char *path,
			       unsigned int *ret_line)
{
	static const enum access_op first_op[2] = {OP_READ, OP_MODIFY};
	unsigned int taken = 0, last_taken;

	for (unsigned int list = LISTS; list-- > 2;) {
		*ret_line = reference_ask(&made->lists[list], folder, path, &last_taken);
		if (*ret_line)
			return (struct verdict){.decision = DECISION_DENY,
						.error = list == 3 ? ENOENT : EACCES};
	}
	for (unsigned int list = 0; list < 2; list++) {
		if (op != OP_READ && first_op[list] == OP_READ)
			continue;
		*ret_line = reference_ask(&made->lists[list], folder, path, &last_taken);
		if (*ret_line)
			return (struct verdict){.decision = DECISION_ALLOW};
		if (!taken)
			taken = last_taken;
	}
	*ret_line = taken;
	return (struct verdict){.decision = DECISION_DENY, .error = EACCES};
}

static void compare(const struct made *made, enum access_op op, const char *path)
{
	const struct access access = {.class = CLASS_FILE, .op = op, .path = path};
	const struct verdict found = policy_decide(made->policy, &access);
	const unsigned int found_line = found.rule ? found.rule->line : 0;
	unsigned int line;
	const struct verdict wanted = expected(made, op, path, &line);

	if (found.decision == wanted.decision && found.error == wanted.error && found_line == line)
		return;
	printf("%s %s\nreference: %s, errno %d, line %u\nfound: %s, errno %d, line %u\n",
	       access_op_name(op), path, decision_name(wanted.decision), wanted.error, line,
	       decision_name(found.decision), found.error, found_line);
	show();
	fflush(stdout);
	abort();
}

size_t pairs_compare(const unsigned char *data, size_t size)
{
	static struct made made;
	struct source source = {data, size};
	const char *all[LISTS * ENTRIES_MAX];
	unsigned int count = 0;

	make_policy(&source, &made);
	for (unsigned int list = 0; list < LISTS; list++)
		for (size_t i = 0; i < made.lists[list].count; i++)
			all[count++] = made.entries[list][i];
	for (unsigned int i = 0; i < PATHS; i++) {
		struct text path;

		if (count > 0 && choose(&source, 2))
			imitate(&source, all[choose(&source, count)], &path);
		else
			make_path(&source, &path);
		compare(&made, i % 2 ? OP_READ : OP_MODIFY, path.bytes);
	}
	policy_free(made.policy);
	return PATHS;
}

void pairs_start(void)
{
	if (!mkdtemp(folder)) {
		perror(folder);
		exit(EXIT_FAILURE);
	}
	snprintf(file, sizeof(file), "%s/policy.yaml", folder);
}

void pairs_end(void)
{
	unlink(file);
	rmdir(folder);
}
