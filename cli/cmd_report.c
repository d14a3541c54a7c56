/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "audit/rotate.h"
#include "cli/cli.h"
#include "cli/log_file.h"
#include "cli/report_model.h"
#include "cli/report_page.h"
#include "cli/terminal.h"
#include "core/atomic_file.h"
#include "core/cleanup.h"

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: proctor report [SESSION|FILE] -o FILE.html\n"
	"Writes a page about a run, to be looked at in a browser: what was blocked and which policy\n"
	"lines would allow it, processes in time, files, endpoints. It is one file, and needs no\n"
	"network.\n"
	"\n"
	"  -o, --output FILE  where it goes; - is standard output\n"
	"      --help         print this\n"
	"\n"
	"SESSION is a session's id, or the start of one; without it the newest one is meant.\n"
	"Exit status: 0, or 125 for a wrong option, or when there is no such log.\n";

static int complain(const char *message)
{
	fputs("proctor report: ", stderr);
	terminal_print(stderr, message, SIZE_MAX);
	fputc('\n', stderr);
	return EXIT_PROCTOR_FAILED;
}

/* Lines that are no records are passed over: `proctor log` names them. */
static int collect(const char *path, struct report *report, struct error *err)
{
	struct row_reader row;
	int r = row_open(&row, path, err);

	while (r >= 0 && (r = row_next(&row)) > 0) {
		json_t *record = row.reader.torn || row.reader.too_long
					 ? NULL
					 : reader_parse(row.reader.line, row.reader.len);

		if (record)
			report_add(report, record);
		json_decref(record);
	}
	if (r < 0 && !err->message[0])
		error_set(err, -r, "cannot read '%s'", path);
	row_close(&row);
	return r;
}

static int write_page(const struct report *report, const char *output, struct error *err)
{
	struct atomic_file file = ATOMIC_FILE_CLOSED;
	AUTO_FREE char *page = NULL;
	size_t len = 0;
	FILE *out;
	int r;

	if (!strcmp(output, "-")) {
		report_print(stdout, report);
		return finish_output(0);
	}
	r = atomic_file_open(&file, output, err);
	if (r < 0)
		return r;
	out = open_memstream(&page, &len);
	if (out)
		report_print(out, report);
	if (!out || fclose(out) != 0)
		r = error_set(err, ENOMEM, "cannot make the page");
	if (r == 0) {
		r = atomic_file_write(&file, page, len);
		if (r < 0)
			error_set(err, -r, "cannot write '%s'", output);
	}
	atomic_file_close(&file);
	return r;
}

static int make_report(const char *name, const char *output)
{
	struct policy_context context = {.home = NULL};
	struct report report = {.start = NULL};
	AUTO_FREE char *path = NULL;
	struct error err = {0};
	int r = policy_context_init(&context, &err);

	if (r == 0) {
		path = log_file_find(context.home, name, &err);
		r = path ? collect(path, &report, &err) : -1;
	}
	if (r >= 0) {
		report_finish(&report);
		r = write_page(&report, output, &err);
	}
	report_free(&report);
	policy_context_clear(&context);
	return r < 0 ? complain(err.message) : r;
}

int cmd_report(int argc, char **argv)
{
	const char *output = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		switch (option) {
		case 'o':
			output = optarg;
			break;
		case 'h':
			fputs(help_text, stdout);
			return finish_output(0);
		default:
			return EXIT_PROCTOR_FAILED;
		}
	}
	if (!output)
		return usage_error("report", "expected -o FILE.html");
	if (argc - optind > 1)
		return usage_error("report", "expected one session or file");
	return make_report(optind < argc ? argv[optind] : NULL, output);
}
