/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/perf_map.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"

enum {
	SIZE_MAX_READ = 8 * 1024 * 1024, /* of a longer file the end, which is the newest */
	/* Bytes of a V8 BytecodeArray in front of the byte code, at most. */
	HEADER_MAX = 64,
	LINE_LEN_MAX = 1024,
};

char *perf_map_read(pid_t pid, size_t *ret_len)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	struct stat stat;
	char path[48];
	size_t used = 0;
	off_t from = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) || stat.st_size <= 0)
		return NULL;
	if (stat.st_size > SIZE_MAX_READ)
		from = stat.st_size - SIZE_MAX_READ;
	text = malloc((size_t)(stat.st_size - from));
	while (text && used < (size_t)(stat.st_size - from) &&
	       (got = pread(fd, text + used, (size_t)(stat.st_size - from) - used,
			    from + (off_t)used)) > 0)
		used += (size_t)got;
	*ret_len = used;
	return TAKE_PTR(text);
}

/* True when the entry is that of the place. */
static bool covers(const struct perf_place *place, uint64_t start, uint64_t size)
{
	if (!place->words)
		return place->ip - start <= size; /* behind a call, which may be the last */
	for (size_t i = 0; i < place->word_count; i++) {
		/* Tagged pointers are odd. */
		if ((place->words[i] & 1) && start - place->words[i] < HEADER_MAX)
			return true;
	}
	return false;
}

static bool is_function(const char *kind, size_t len)
{
	static const char *const kinds[] = {"JS", "LazyCompile", "Function", "Eval", "Script"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i]) == len && !memcmp(kinds[i], kind, len))
			return true;
	}
	return false;
}

/* Where the file's name begins: a function's may have blanks as well. */
static const char *find_file(const char *name)
{
	static const char *const beginnings[] = {" /", " node:", " file:"};
	const char *first = NULL;

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		const char *found = strstr(name, beginnings[i]);

		if (found && (!first || found < first))
			first = found;
	}
	return first ? first : strrchr(name, ' ');
}

/* "JS:~function /file.js:2:15"; the sign says how it was compiled. */
static bool parse_name(const char *name, struct script_frame *ret)
{
	const size_t kind = strcspn(name, ":");
	const char *file;
	char *colon;
	int len;

	if (!name[kind] || !is_function(name, kind))
		return false;
	name += kind + 1;
	name += strspn(name, "~*^+");
	file = find_file(name);
	if (!file)
		return false;
	len = file - name > (ptrdiff_t)sizeof(ret->function) ? (int)sizeof(ret->function)
							     : (int)(file - name);
	*ret = (struct script_frame){.line = 0};
	snprintf(ret->function, sizeof(ret->function), "%.*s", len ? len : 11,
		 len ? name : "(anonymous)");
	snprintf(ret->file, sizeof(ret->file), "%s", file + 1);
	/* Behind the file stand line and column. */
	for (int i = 0; i < 2 && (colon = strrchr(ret->file, ':')); i++) {
		const unsigned long number = strtoul(colon + 1, NULL, 10);

		if (strspn(colon + 1, "0123456789") != strlen(colon + 1) || !colon[1])
			break;
		ret->line = number <= INT_MAX ? (unsigned int)number : 0;
		*colon = '\0';
	}
	return true;
}

static void use_line(const char *line, const struct perf_place *places, size_t count,
		     struct script_frame *ret)
{
	struct script_frame frame;
	uint64_t start;
	uint64_t size;
	int used = 0;

	if (sscanf(line, "%" SCNx64 " %" SCNx64 " %n", &start, &size, &used) != 2 || !used)
		return;
	for (size_t i = 0; i < count; i++) {
		if (covers(&places[i], start, size) && parse_name(line + used, &frame))
			ret[i] = frame;
	}
}

void perf_map_name(const char *text, size_t len, const struct perf_place *places, size_t count,
		   struct script_frame *ret)
{
	char line[LINE_LEN_MAX];

	memset(ret, 0, count * sizeof(*ret));
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		const size_t step = end ? (size_t)(end - text) : len;

		snprintf(line, sizeof(line), "%.*s",
			 (int)(step < sizeof(line) ? step : sizeof(line) - 1), text);
		use_line(line, places, count, ret);
		text += step + (end != NULL);
		len -= step + (end != NULL);
	}
}
