/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *export_text(const json_t *record, const char *field)
{
	return json_string_value(json_object_get(record, field));
}

bool export_fits(const char *wanted, const char *found)
{
	return !*wanted || (found && !strcmp(wanted, found));
}

json_t *export_pick(const json_t *record, const char *const *fields, size_t count)
{
	json_t *picked = json_object();

	for (size_t i = 0; i < count; i++) {
		json_t *value = json_object_get(record, fields[i]);

		if (value)
			json_object_set(picked, fields[i], value);
	}
	return picked;
}

char *export_words(const json_t *list)
{
	size_t size = 1;
	size_t index;
	const json_t *item;
	char *words;
	char *at;

	if (!json_is_array(list))
		return NULL;
	json_array_foreach (list, index, item)
		size += strlen(json_is_string(item) ? json_string_value(item) : "") + 1;
	words = malloc(size);
	if (!words)
		return NULL;
	at = words;
	json_array_foreach (list, index, item) {
		if (index > 0)
			*at++ = ' ';
		at = stpcpy(at, json_is_string(item) ? json_string_value(item) : "");
	}
	*at = '\0';
	return words;
}

const char *export_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

bool export_split_endpoint(const char *endpoint, struct export_address *ret)
{
	const char *colon = strchr(endpoint, ':');
	const char *address = colon ? colon + 1 : NULL;
	const char *port = address ? strrchr(address, ':') : NULL;
	size_t transport_len = colon ? (size_t)(colon - endpoint) : 0;
	size_t len = port ? (size_t)(port - address) : 0;
	char *end;

	if (len == 0 || transport_len >= sizeof(ret->transport) || !strncmp(endpoint, "unix:", 5) ||
	    !strncmp(endpoint, "family:", 7))
		return 0;
	if (address[0] == '[' && port[-1] == ']') {
		address++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(ret->ip))
		return 0;
	ret->port = (int)strtol(port + 1, &end, 10);
	if (end == port + 1 || *end)
		return 0;
	snprintf(ret->transport, sizeof(ret->transport), "%.*s", (int)transport_len, endpoint);
	snprintf(ret->ip, sizeof(ret->ip), "%.*s", (int)len, address);
	return 1;
}

long long export_time_ms(const json_t *record)
{
	const char *ts = export_text(record, "ts");
	struct tm tm = {0};
	const char *rest = ts ? strptime(ts, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	double fraction = 0;

	if (!rest)
		return 0;
	if (*rest == '.')
		fraction = strtod(rest, NULL);
	return (long long)timegm(&tm) * 1000 + (long long)(fraction * 1000);
}
