/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/pattern.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "policy/canonical.h"

/* ---------------------------------------------------------------- compiling */

/* One alternative on its way from text to pattern. */
struct compile {
	struct memory *memory;
	struct canonical_cache *cache;
	char literal[PATH_MAX]; /* filled as far as `literal_len`, and a NUL */
	size_t literal_len;
	struct pattern_part *parts;
	size_t part_count;
	bool tree;
};

/* ".." leads to the parent of what the path so far reaches, not of its name. */
static const char *literal_up(struct compile *compile)
{
	char reached[PATH_MAX];
	char *slash;

	if (compile->literal_len == 0)
		return NULL;
	if (canonical_path_cached(compile->cache, compile->literal, CANONICAL_FOLLOW, reached) < 0)
		return "the path before '..' cannot be followed";
	slash = strrchr(reached, '/');
	*slash = '\0';
	compile->literal_len = (size_t)(slash - reached);
	memcpy(compile->literal, reached, compile->literal_len + 1);
	return NULL;
}

static const char *literal_add(struct compile *compile, const char *name, size_t len)
{
	if (compile->literal_len + 1 + len >= sizeof(compile->literal))
		return "the path is too long (4095 bytes at most)";
	compile->literal[compile->literal_len++] = '/';
	memcpy(compile->literal + compile->literal_len, name, len);
	compile->literal_len += len;
	compile->literal[compile->literal_len] = '\0';
	return NULL;
}

static const char *wild_add(struct compile *compile, const struct pattern_part *part)
{
	if (part->any && compile->part_count > 0 && compile->parts[compile->part_count - 1].any)
		return NULL;
	if (compile->part_count >= PATTERN_WILD_MAX)
		return "too many components after the first wildcard (more than 62)";
	*memory_push(compile->memory, compile->parts, compile->part_count) = *part;
	return NULL;
}

static bool has_double_star(const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '*' && text[i + 1] == '*')
			return true;
	}
	return false;
}

static const char *add_component(struct compile *compile, const char *text, size_t len)
{
	struct pattern_part part = {.any = len == 2 && !memcmp(text, "**", 2)};
	const char *wrong;

	if (len == 0 || (len == 1 && *text == '.'))
		return NULL;
	if (len == 2 && !memcmp(text, "..", 2))
		return compile->part_count ? "'..' may not stand after a wildcard"
					   : literal_up(compile);
	if (part.any)
		return wild_add(compile, &part);
	if (compile->part_count == 0 && len <= NAME_MAX && glob_is_plain(text, len))
		return literal_add(compile, text, len);
	if (has_double_star(text, len))
		return "'**' must stand alone between slashes";
	wrong = glob_compile(compile->memory, text, len, &part.glob);
	if (wrong)
		return wrong;
	if (part.glob.literal && part.glob.literal_len > NAME_MAX)
		return "no name is longer than 255 bytes";
	if (part.glob.literal && compile->part_count == 0)
		return literal_add(compile, part.glob.literal, part.glob.literal_len);
	return wild_add(compile, &part);
}

/* The end of the component at `at`; a '/' inside [...] belongs to no set. */
static const char *component_end(const char *at)
{
	while (*at && *at != '/')
		at += *at == '\\' && at[1] && at[1] != '/' ? 2 : 1;
	return at;
}

static const char *add_components(struct compile *compile, const char *text)
{
	while (*text) {
		const char *end = component_end(text);
		const char *wrong = add_component(compile, text, (size_t)(end - text));

		if (wrong)
			return wrong;
		text = *end ? end + 1 : end;
	}
	return NULL;
}

static const char *add_folder(struct compile *compile, const char *folder)
{
	while (*folder) {
		size_t len = strcspn(folder, "/");
		const char *wrong = NULL;

		if (len == 2 && !memcmp(folder, "..", 2))
			wrong = literal_up(compile);
		else if (len > 0 && !(len == 1 && *folder == '.'))
			wrong = literal_add(compile, folder, len);
		if (wrong)
			return wrong;
		folder += len + (folder[len] == '/');
	}
	return NULL;
}

/* Rule 2 of the language: what a path counts from. */
static const char *add_start(struct compile *compile, const char **text,
			     const struct pattern_place *place)
{
	const char *at = *text;

	if (*at == '/' || (at[0] == '*' && at[1] == '*' && (at[2] == '/' || at[2] == '\0')))
		return NULL;
	if (*at != '~')
		return add_folder(compile, place->folder);
	if (at[1] != '/' && at[1] != '\0')
		return "'~' stands for the home folder only when a '/' or nothing follows; "
		       "write '\\~' for a file of this name";
	if (!place->home || *place->home != '/')
		return "'~' has no meaning, as HOME is not an absolute path";
	*text = at + 1;
	return add_folder(compile, place->home);
}

static const char *compile_one(struct compile *compile, const char *text,
			       const struct pattern_place *place)
{
	const char *wrong;

	if (!*text)
		return "an alternative is empty";
	wrong = add_start(compile, &text, place);
	if (!wrong)
		wrong = add_components(compile, text);
	if (wrong)
		return wrong;
	compile->tree = compile->part_count == 0;
	if (compile->part_count > 0 && compile->parts[compile->part_count - 1].any) {
		compile->part_count--;
		compile->tree = true;
	}
	return NULL;
}

static void add_pattern(struct compile *compile, const char *literal, struct pattern **patterns,
			size_t *count)
{
	bool root = !strcmp(literal, "/");
	struct pattern *pattern = memory_push(compile->memory, *patterns, *count);

	pattern->literal = root ? "" : memory_strdup(compile->memory, literal);
	pattern->literal_len = strlen(pattern->literal);
	pattern->parts = compile->parts;
	pattern->part_count = compile->part_count;
	pattern->tree = compile->tree;
}

/* /dev/fd, /dev/stdin and their like lead to a place that is each caller's own. */
static bool is_own_descriptor(const char *path)
{
	return !strncmp(path, "/proc/self/fd", 13) || !strncmp(path, "/proc/thread-self/fd", 20);
}

/* Rule 3: both the name as written and what it leads to. */
static void add_names(struct compile *compile, struct pattern **patterns, size_t *count)
{
	char reached[PATH_MAX];

	add_pattern(compile, compile->literal, patterns, count);
	if (compile->literal_len == 0 ||
	    canonical_path_cached(compile->cache, compile->literal, CANONICAL_FOLLOW, reached) < 0)
		return;
	if (strcmp(reached, compile->literal) != 0 && !is_own_descriptor(reached))
		add_pattern(compile, reached, patterns, count);
}

/* Not an initializer: that would clear the long array each time. */
static void start(struct compile *compile, struct memory *memory,
		  const struct pattern_place *place)
{
	compile->memory = memory;
	compile->cache = place->cache;
	compile->literal[0] = '\0';
	compile->literal_len = 0;
	compile->parts = NULL;
	compile->part_count = 0;
	compile->tree = false;
}

const char *pattern_compile(struct memory *memory, const char *text,
			    const struct pattern_place *place, struct pattern **ret, size_t *count)
{
	struct pattern *patterns = NULL;
	size_t pattern_count = 0;
	char **texts;
	size_t text_count;
	const char *wrong;

	if (!*text)
		return "it is empty";
	if (strlen(text) >= PATH_MAX)
		return "it is too long (4095 bytes at most)";
	wrong = glob_expand_braces(memory, text, &texts, &text_count);
	for (size_t i = 0; !wrong && i < text_count; i++) {
		struct compile compile;

		start(&compile, memory, place);
		wrong = compile_one(&compile, texts[i], place);
		if (!wrong)
			add_names(&compile, &patterns, &pattern_count);
	}
	if (wrong)
		return wrong;
	*ret = patterns;
	*count = pattern_count;
	return NULL;
}

char *pattern_quote(struct memory *memory, const char *path)
{
	char *quoted = memory_alloc(memory, 2 * strlen(path) + 1);
	char *out = quoted;

	for (; *path; path++) {
		if (strchr("\\*?[]{},~!$", *path))
			*out++ = '\\';
		*out++ = *path;
	}
	return quoted;
}

/* ----------------------------------------------------------------- matching */

/* "**" may also stand for nothing: the state behind it is reached with it. */
static uint64_t closure(const struct pattern *pattern, uint64_t states)
{
	for (size_t i = 0; i < pattern->part_count; i++)
		if (pattern->parts[i].any && states >> i & 1)
			states |= UINT64_C(2) << i;
	return states;
}

static uint64_t advance(const struct pattern *pattern, uint64_t states, const char *name,
			size_t len)
{
	uint64_t next = 0;

	for (uint64_t left = states; left; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(left);

		if (i >= pattern->part_count)
			continue;
		if (pattern->parts[i].any)
			next |= UINT64_C(1) << i;
		else if (glob_match(&pattern->parts[i].glob, name, len))
			next |= UINT64_C(2) << i;
	}
	return closure(pattern, next);
}

static struct pattern_state run_wild(const struct pattern *pattern, const char *rest)
{
	uint64_t accept = UINT64_C(1) << pattern->part_count;
	uint64_t states = closure(pattern, 1);

	for (;;) {
		size_t len;

		if (!states)
			return (struct pattern_state){.kind = STATE_DEAD};
		if (pattern->tree && states & accept)
			return (struct pattern_state){.kind = STATE_ALL, .accepts = true};
		if (!*rest)
			break;
		len = (size_t)(strchrnul(rest, '/') - rest);
		states = advance(pattern, states, rest, len);
		rest += len + (rest[len] == '/');
	}
	return (struct pattern_state){
		.kind = STATE_WILD,
		.bits = states,
		.accepts = states & accept,
	};
}

struct pattern_state pattern_run(const struct pattern *pattern, const char *path)
{
	size_t len = strlen(path);

	if (len == 1)
		len = 0; /* "/": no component */
	if (len < pattern->literal_len) {
		bool inside = !memcmp(path, pattern->literal, len) && pattern->literal[len] == '/';

		return (struct pattern_state){
			.kind = inside ? STATE_PREFIX : STATE_DEAD,
			.left = pattern->literal + len,
		};
	}
	if (memcmp(path, pattern->literal, pattern->literal_len) != 0 ||
	    (path[pattern->literal_len] != '/' && path[pattern->literal_len] != '\0'))
		return (struct pattern_state){.kind = STATE_DEAD};
	path += pattern->literal_len;
	return run_wild(pattern, path + (*path == '/'));
}

bool pattern_wild_match(const struct pattern *pattern, const char *rest)
{
	return run_wild(pattern, rest).accepts;
}

bool pattern_match(const struct pattern *pattern, const char *path)
{
	return pattern_run(pattern, path).accepts;
}

bool pattern_state_within(const struct pattern_state *a, const struct pattern_state *b)
{
	if (a->kind == STATE_DEAD || b->kind == STATE_ALL)
		return true;
	if (a->kind != b->kind)
		return false;
	if (a->kind == STATE_PREFIX)
		return !strcmp(a->left, b->left);
	return (a->bits & ~b->bits) == 0;
}
