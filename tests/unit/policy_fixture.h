/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_TESTS_UNIT_POLICY_FIXTURE_H
#define PROCTOR_TESTS_UNIT_POLICY_FIXTURE_H

#include <stddef.h>

#include "policy/policy.h"

/* A scratch folder, and a context: HOME /home/u, PWD /work/p, TMPDIR /tmp/t, USER u, UID 1000. */
extern char folder[];
extern struct policy_context context;

/* Checked fixture: makes the folder and changes into it; takes it away. */
void make_folder(void);
void remove_folder(void);

/* Writes `len` bytes (0: strlen) to a file of the folder. */
void write_file(const char *name, const char *text, size_t len);

/* Loads a file of the folder; its faults, one a line, as text to be freed. "" when good. */
char *load_text(const char *name, struct policy **ret);

/* Writes "policy.yaml" and loads it; fails the test when it has a fault. */
struct policy *load_good(const char *text);

#endif
