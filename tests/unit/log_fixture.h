/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_TESTS_UNIT_LOG_FIXTURE_H
#define PROCTOR_TESTS_UNIT_LOG_FIXTURE_H

#include <check.h>

#include "audit/audit.h"

/* Audit logs in a folder of their own, for tests. Every failure ends the test. */

/* A checked fixture: makes the folder and ignores the signals that a caller must. */
void log_setup(void);
void log_teardown(void);

/* The path of a name in the folder. Valid until the next four calls. */
const char *log_path(const char *name);

struct audit *log_open(const char *target, enum audit_level level);
void log_start(struct audit *audit);

extern const struct rule_source log_rule;
extern const struct audit_actor log_actor;

/* A blocked read of /etc/shadow that no rule decided. */
struct audit_record log_blocked(void);

/* Writes start, `count` blocked records and end, and closes. */
void log_session(const char *target, int count);

/* The file's bytes and a NUL; free() it. */
char *log_slurp(const char *file, size_t *ret_len);
void log_spill(const char *file, const char *bytes, size_t len);

/* Number of lines. */
int log_lines(const char *file);

/* Runs python3 with up to three arguments (NULL: no more), which must succeed. */
void log_python(const char *first, const char *second, const char *third);

/* The log is sound, by audit_verify(). */
void log_check_chain(const char *file);

/* And by tests/validate_log.py, which is slower: schema and chain. */
void log_check_sound(const char *file);

#endif
