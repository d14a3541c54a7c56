/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/program.h"

#include <stdint.h>
#include <string.h>

const char *arg_pattern_compile(struct memory *memory, const char *text, struct arg_pattern *ret)
{
	struct arg_pattern pattern = {.any = !strcmp(text, "**")};
	struct glob *globs = NULL;
	char **texts;
	size_t count;
	const char *wrong;

	if (pattern.any) {
		*ret = pattern;
		return NULL;
	}
	wrong = glob_expand_braces(memory, text, &texts, &count);
	for (size_t i = 0; !wrong && i < count; i++)
		wrong = glob_compile(memory, texts[i], strlen(texts[i]),
				     memory_push(memory, globs, pattern.glob_count));
	if (wrong)
		return wrong;
	pattern.globs = globs;
	*ret = pattern;
	return NULL;
}

static bool takes_one(const struct arg_pattern *pattern, const char *arg)
{
	const size_t len = strlen(arg);

	for (size_t i = 0; i < pattern->glob_count; i++)
		if (glob_match(&pattern->globs[i], arg, len))
			return true;
	return false;
}

/* As glob_match(), with arguments for bytes: only the last "**" is ever taken back. */
bool program_takes_args(const struct program *program, const char *const *argv)
{
	const char *const *arg = argv + (*argv != NULL);
	const char *const *any_arg = NULL;
	size_t at = 0, any = SIZE_MAX;

	while (*arg) {
		if (at < program->arg_count && program->args[at].any) {
			any = at++;
			any_arg = arg;
		} else if (at < program->arg_count && takes_one(&program->args[at], *arg)) {
			at++;
			arg++;
		} else if (any != SIZE_MAX) {
			at = any + 1;
			arg = ++any_arg;
		} else {
			return false;
		}
	}
	while (at < program->arg_count && program->args[at].any)
		at++;
	return at == program->arg_count;
}
