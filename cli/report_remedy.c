/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/report_remedy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/export.h"
#include "core/cleanup.h"
#include "policy/pattern.h"

const char *report_target(const json_t *record)
{
	static const char *const fields[] = {"path", "endpoint", "host", "arg", "syscall"};

	if (export_text(record, "class") && !strcmp(export_text(record, "class"), "system"))
		return export_text(record, "syscall");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (export_text(record, fields[i]))
			return export_text(record, fields[i]);
	}
	return "?";
}

/* In double quotes, as YAML reads it. */
static char *quoted(const char *text)
{
	char *copy = malloc(2 * strlen(text) + 3);
	char *at = copy;

	if (!copy)
		return NULL;
	*at++ = '"';
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*at++ = '\\';
		*at++ = *text;
	}
	*at++ = '"';
	*at = '\0';
	return copy;
}

static char *line(const char *section, const char *list, const char *entry)
{
	AUTO_FREE char *text = quoted(entry);
	char *made;

	return text && asprintf(&made, "%s: {%s: [%s]}", section, list, text) >= 0 ? made : NULL;
}

/* The endpoint as a policy writes it: TCP goes without a word. */
static char *endpoint_line(const json_t *record, const char *op)
{
	const char *endpoint = export_text(record, "endpoint");
	const char *list = !strcmp(op, "bind") || !strcmp(op, "listen") ? "bind" : "connect";

	if (!endpoint || !strncmp(endpoint, "family:", 7))
		return NULL;
	return line("network", list, !strncmp(endpoint, "tcp:", 4) ? endpoint + 4 : endpoint);
}

char *report_remedy(const json_t *record)
{
	const char *class = export_text(record, "class");
	const char *path = export_text(record, "path");
	const char *op = export_text(record, "op");
	struct memory memory = {0};
	char *made = NULL;

	if (!json_is_null(json_object_get(record, "rule")) || export_text(record, "detail") || !class ||
	    !op)
		return NULL;
	if (!strcmp(class, "network"))
		return endpoint_line(record, op);
	/* A cut or changed name would not be the one that was meant. */
	if (!path || path[0] != '/' || strstr(path, "\xef\xbf\xbd") || strstr(path, "\xe2\x80\xa6") ||
	    strpbrk(path, "\n\r\t\x1b"))
		return NULL;
	if (!strcmp(class, "file"))
		made = line("files", op, pattern_quote(&memory, path));
	else if (!strcmp(class, "exec"))
		made = line("exec", "allow", pattern_quote(&memory, path));
	memory_free(&memory);
	return made;
}
