/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/utf8.h"

void metrics_label(FILE *out, const char *value)
{
	size_t left = strlen(value);

	putc('"', out);
	while (left > 0) {
		uint32_t character = 0;
		size_t length = utf8_decode(value, left, &character);

		if (length == 0 || utf8_is_hidden(character)) {
			length = length ? length : 1;
			for (size_t i = 0; i < length; i++)
				fprintf(out, "\\\\x%02x", (unsigned char)value[i]);
		} else {
			if (*value == '"' || *value == '\\')
				putc('\\', out);
			fwrite(value, 1, length, out);
		}
		value += length;
		left -= length;
	}
	putc('"', out);
}

static const char *decision_of(const struct audit_blocked *blocked)
{
	if (blocked->observed)
		return "would_deny";
	return blocked->killed ? "kill" : "deny";
}

/* What attempts are told apart by. */
static int by_labels(const void *left, const void *right)
{
	const struct audit_blocked *a = *(const struct audit_blocked *const *)left;
	const struct audit_blocked *b = *(const struct audit_blocked *const *)right;
	int order;

	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	if (a->op != b->op)
		return a->op < b->op ? -1 : 1;
	order = strcmp(decision_of(a), decision_of(b));
	if (order != 0)
		return order;
	order = strcmp(a->rule_file ? a->rule_file : "", b->rule_file ? b->rule_file : "");
	if (order != 0)
		return order;
	return (a->rule_line > b->rule_line) - (a->rule_line < b->rule_line);
}

static void write_attempts(FILE *out, const struct audit_blocked *blocked, uint64_t count)
{
	AUTO_FREE char *rule = NULL;

	if (blocked->rule_file &&
	    asprintf(&rule, "%s:%u", blocked->rule_file, blocked->rule_line) < 0)
		rule = NULL;
	fprintf(out, "proctor_attempts_total{class=\"%s\",op=\"%s\",decision=\"%s\",rule=",
		access_class_name(blocked->class), access_op_name(blocked->op),
		decision_of(blocked));
	metrics_label(out, rule ? rule : "");
	fprintf(out, "} %" PRIu64 "\n", count);
}

static void write_blocked(FILE *out, const struct blocked_set *blocked)
{
	AUTO_FREE const struct audit_blocked **sorted = calloc(blocked->count + 1, sizeof(*sorted));
	uint64_t count = 0;

	fputs("# HELP proctor_attempts_total Attempts that were refused, or under --observe would "
	      "have been.\n# TYPE proctor_attempts_total counter\n", out);
	for (size_t i = 0; sorted && i < blocked->count; i++)
		sorted[i] = &blocked->items[i];
	if (sorted)
		qsort(sorted, blocked->count, sizeof(*sorted), by_labels);
	/* Of attempts that have the same labels, on different targets, the sum. */
	for (size_t i = 0; sorted && i < blocked->count; i++) {
		count += sorted[i]->count;
		if (i + 1 == blocked->count || by_labels(&sorted[i], &sorted[i + 1]) != 0) {
			write_attempts(out, sorted[i], count);
			count = 0;
		}
	}
	fprintf(out,
		"# HELP proctor_attempts_other_total Refused attempts beyond those told apart above.\n"
		"# TYPE proctor_attempts_other_total counter\n"
		"proctor_attempts_other_total %" PRIu64 "\n",
		blocked->other);
}

void metrics_write(FILE *out, const struct record_counts *counts, const struct blocked_set *blocked)
{
	write_blocked(out, blocked);
	fputs("# HELP proctor_records_total Records written to the log.\n"
	      "# TYPE proctor_records_total counter\n", out);
	for (int i = EVENT_START + 1; i < EVENT_END; i++)
		fprintf(out, "proctor_records_total{event=\"%s\"} %" PRIu64 "\n",
			audit_event_name((enum audit_event)i), counts->event[i]);
}
