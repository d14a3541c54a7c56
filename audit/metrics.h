/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_METRICS_H
#define PROCTOR_AUDIT_METRICS_H

#include <stdio.h>

#include "audit/blocked.h"
#include "audit/record.h"

/* Prometheus text format (exposition format 0.0.4) of what a log has counted. */
void metrics_write(FILE *out, const struct record_counts *counts, const struct blocked_set *blocked);

/* The value of a label, with its quotes: any bytes become UTF-8 without control characters. */
void metrics_label(FILE *out, const char *value);

#endif
