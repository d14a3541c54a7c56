/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/stats.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "supervisor/table.h"

enum {
	NUMBERS = 512, /* the last slot is for numbers beyond the table */
	STEPS = 4,     /* of latency within a power of two: 19 % apart */
	BUCKETS = 40 * STEPS,
};

struct stats {
	atomic_uint_fast64_t calls[NUMBERS];
	atomic_uint_fast32_t buckets[NUMBERS][BUCKETS];
};

struct stats *stats_new(void)
{
	return calloc(1, sizeof(struct stats));
}

void stats_free(struct stats *stats)
{
	free(stats);
}

uint64_t stats_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int power;
	unsigned int bucket;

	if (ns < STEPS)
		return 0;
	power = 63 - (unsigned int)__builtin_clzll(ns);
	bucket = power * STEPS + (unsigned int)(ns >> (power - 2) & (STEPS - 1));
	return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* Middle of a bucket, in microseconds. */
static double bucket_us(unsigned int bucket)
{
	const double low = (double)(1ULL << (bucket / STEPS));

	return low * (1 + (bucket % STEPS + 0.5) / STEPS) / 1000;
}

void stats_add(struct stats *stats, int nr, uint64_t ns)
{
	const unsigned int slot = nr >= 0 && nr < NUMBERS - 1 ? (unsigned int)nr : NUMBERS - 1;

	atomic_fetch_add_explicit(&stats->calls[slot], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&stats->buckets[slot][bucket_of(ns)], 1, memory_order_relaxed);
}

static double percentile(const struct stats *stats, unsigned int slot, double part)
{
	const uint64_t calls = stats->calls[slot];
	uint64_t seen = 0;

	for (unsigned int i = 0; i < BUCKETS; i++) {
		seen += stats->buckets[slot][i];
		if ((double)seen >= part * (double)calls)
			return bucket_us(i);
	}
	return 0;
}

struct line {
	unsigned int slot;
	uint64_t calls;
};

static int by_calls(const void *left, const void *right)
{
	const struct line *a = left;
	const struct line *b = right;

	return (a->calls < b->calls) - (a->calls > b->calls);
}

void stats_print(const struct stats *stats, FILE *out)
{
	struct line lines[NUMBERS];
	uint64_t total = 0;

	for (unsigned int i = 0; i < NUMBERS; i++) {
		lines[i] = (struct line){.slot = i, .calls = stats->calls[i]};
		total += lines[i].calls;
	}
	qsort(lines, NUMBERS, sizeof(lines[0]), by_calls);
	fprintf(out, "proctor: mediated calls\n%-20s %10s %10s %10s\n", "call", "count", "p50 us",
		"p99 us");
	for (unsigned int i = 0; i < NUMBERS && lines[i].calls; i++) {
		const struct syscall_row *row = syscall_row((int)lines[i].slot);

		fprintf(out, "%-20s %10" PRIu64 " %10.1f %10.1f\n", row ? row->name : "unknown",
			lines[i].calls, percentile(stats, lines[i].slot, 0.50),
			percentile(stats, lines[i].slot, 0.99));
	}
	fprintf(out, "%-20s %10" PRIu64 "\n", "total", total);
}

/* Upper ends of the histogram's steps: 2^n nanoseconds, 1 us to 1 s. */
enum { LE_FIRST = 10, LE_LAST = 30 };

static void write_histogram(const struct stats *stats, FILE *out)
{
	uint64_t seen = 0;
	uint64_t total = 0;
	double sum = 0;
	unsigned int bucket = 0;

	for (unsigned int slot = 0; slot < NUMBERS; slot++) {
		for (unsigned int i = 0; i < BUCKETS; i++)
			sum += bucket_us(i) / 1e6 * (double)stats->buckets[slot][i];
	}
	fputs("# HELP proctor_call_duration_seconds Time from a call's notification to its answer.\n"
	      "# TYPE proctor_call_duration_seconds histogram\n", out);
	for (unsigned int power = LE_FIRST; power <= LE_LAST; power++) {
		for (; bucket < power * STEPS; bucket++) {
			for (unsigned int slot = 0; slot < NUMBERS; slot++)
				seen += stats->buckets[slot][bucket];
		}
		fprintf(out, "proctor_call_duration_seconds_bucket{le=\"%.9g\"} %" PRIu64 "\n",
			(double)(1ULL << power) / 1e9, seen);
	}
	total = seen;
	for (; bucket < BUCKETS; bucket++) {
		for (unsigned int slot = 0; slot < NUMBERS; slot++)
			total += stats->buckets[slot][bucket];
	}
	fprintf(out,
		"proctor_call_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
		"proctor_call_duration_seconds_sum %.9g\n"
		"proctor_call_duration_seconds_count %" PRIu64 "\n",
		total, sum, total);
}

void stats_write_metrics(const struct stats *stats, FILE *out)
{
	fputs("# HELP proctor_calls_total System calls that were mediated.\n"
	      "# TYPE proctor_calls_total counter\n", out);
	for (unsigned int i = 0; i < NUMBERS; i++) {
		const struct syscall_row *row = syscall_row((int)i);
		const uint64_t calls = stats->calls[i];

		if (calls)
			fprintf(out, "proctor_calls_total{syscall=\"%s\"} %" PRIu64 "\n",
				row ? row->name : "unknown", calls);
	}
	write_histogram(stats, out);
}
