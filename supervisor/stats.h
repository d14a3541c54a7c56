/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_STATS_H
#define PROCTOR_SUPERVISOR_STATS_H

#include <stdint.h>
#include <stdio.h>

/* Counts and latencies of mediated calls, by syscall (--stats). */
struct stats;

struct stats *stats_new(void);
void stats_free(struct stats *stats);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t stats_now(void);

/* One call answered in `ns`. From any thread. */
void stats_add(struct stats *stats, int nr, uint64_t ns);

/* Prints the table: name, calls, p50 and p99 in microseconds, most calls first. */
void stats_print(const struct stats *stats, FILE *out);

/* The same in the text format of Prometheus: calls by name, and a histogram of their durations. */
void stats_write_metrics(const struct stats *stats, FILE *out);

#endif
