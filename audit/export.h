/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_EXPORT_H
#define PROCTOR_AUDIT_EXPORT_H

#include <jansson.h>
#include <stdbool.h>

/*
 * A record in the words of other systems. `record` is what reader_parse() gave;
 * `start` the start record of its session, NULL when it is not known. Both
 * functions return a new reference, NULL when memory is out. They accept records
 * of any version: a field that is not there is left out of the result.
 */

/*
 * OCSF (https://schema.ocsf.io), version EXPORT_OCSF_VERSION: File System (1001), Kernel (1003),
 * Process (1007), Network (4001) and DNS Activity (4003), with the profiles host and
 * security_control. What has no place there is under "unmapped".
 */
#define EXPORT_OCSF_VERSION "1.3.0"
json_t *export_ocsf(const json_t *record, const json_t *start);

/* Elastic Common Schema; what has no place there is under "proctor". */
#define EXPORT_ECS_VERSION "8.11.0"
json_t *export_ecs(const json_t *record, const json_t *start);

/* ------------------------------------------------- shared by both */

/* The text of a field, NULL when it is not there or no text. */
const char *export_text(const json_t *record, const char *field);

/* True when a mapping's text is empty, which matches any, or what was found. */
bool export_fits(const char *wanted, const char *found);

/* A new object of those of the `count` fields that the record has. */
json_t *export_pick(const json_t *record, const char *const *fields, size_t count);

/* Joined by spaces; NULL when it is no list. free() it. */
char *export_words(const json_t *list);

/* What follows the last slash; the whole where there is none or nothing follows. */
const char *export_base_name(const char *path);

/* "tcp:[::1]:443" in its parts; false for what has no address (unix:, family:). */
struct export_address {
	char transport[8];
	char ip[64];
	int port;
};
bool export_split_endpoint(const char *endpoint, struct export_address *ret);

/* Milliseconds since 1970 of a record's ts; 0 when it has none. */
long long export_time_ms(const json_t *record);

#endif
