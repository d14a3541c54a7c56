/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/export.h"
#include "audit/rotate.h"
#include "cli/cli.h"
#include "cli/log_file.h"
#include "cli/log_filter.h"
#include "cli/log_key.h"
#include "cli/log_text.h"
#include "cli/terminal.h"
#include "core/cleanup.h"

enum {
	OPTION_BLOCKED = 256,
	OPTION_CLASS,
	OPTION_FORMAT,
	OPTION_VERIFY,
	OPTION_PATH,
	OPTION_HOST,
	OPTION_PID,
	OPTION_RULE,
	OPTION_SINCE,
	OPTION_UNTIL,
	OPTION_KEY,
	OPTION_KEYGEN,
};

static const struct option options[] = {
	{"blocked", no_argument, NULL, OPTION_BLOCKED},
	{"class", required_argument, NULL, OPTION_CLASS},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"follow", no_argument, NULL, 'f'},
	{"verify", no_argument, NULL, OPTION_VERIFY},
	{"path", required_argument, NULL, OPTION_PATH},
	{"host", required_argument, NULL, OPTION_HOST},
	{"pid", required_argument, NULL, OPTION_PID},
	{"rule", required_argument, NULL, OPTION_RULE},
	{"since", required_argument, NULL, OPTION_SINCE},
	{"until", required_argument, NULL, OPTION_UNTIL},
	{"key", required_argument, NULL, OPTION_KEY},
	{"keygen", no_argument, NULL, OPTION_KEYGEN},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: proctor log [OPTION]... [SESSION|FILE]\n"
	"Prints an audit log: of SESSION (an id, or the start of one), of FILE, or of the newest\n"
	"session.\n"
	"\n"
	"      --blocked      only what was blocked, or would have been\n"
	"      --class C      only this class: file, exec, network, process, system; may repeat\n"
	"      --path GLOB    only names that the pattern matches (as in a policy)\n"
	"      --host GLOB    only connections to this name or address\n"
	"      --pid N        only process N and what descends from it\n"
	"      --rule RULE    only what this rule decided: FILE:LINE or its text; 'none': no rule\n"
	"      --since TIME   from 2026-11-25, 2026-11-25T09:30:00Z, or so long ago: 10m, 2h\n"
	"      --until TIME   to that time\n"
	"      --format F     text (default), json (the records as they are), ocsf, ecs\n"
	"  -f, --follow       go on until the session ends\n"
	"  -v, --verbose      in text, also arguments, folder, rule and stack\n"
	"      --verify       check the chain instead of printing: names the first line that was\n"
	"                     changed, added, removed, moved or torn\n"
	"      --key KEY      with --verify: all must be signed with this public key: a file, or its\n"
	"                     digits\n"
	"      --keygen       make the key that logs are signed with from now on\n"
	"      --help         print this\n"
	"\n"
	"Exit status: 0; 1 when --verify finds something, or a line is not a record; 125 for a\n"
	"wrong option, or when there is no such log.\n";

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_OCSF, FORMAT_ECS };

struct log_command {
	enum format format;
	bool follow;
	bool verify;
	bool keygen;
	const char *key; /* NULL: not said */
	bool verbose;
	bool colour;
	bool terminal; /* standard output is one */
	struct log_filter filter;
	struct policy_context context;
	json_t *start; /* of the session that the records are of */
	bool ended;    /* the last record is an `end` */
	bool faults;   /* a line is not a record */
};

static int parse_format(const char *text, enum format *ret)
{
	static const char *const names[] = {"text", "json", "ocsf", "ecs"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*ret = (enum format)i;
			return 0;
		}
	}
	return usage_error("log", "--format takes text, json, ocsf or ecs, not '%s'", text);
}

/* One option of the filter. 0 or a negative errno with *err set. */
static int take_filter(struct log_command *command, int option, struct error *err)
{
	struct log_filter *filter = &command->filter;

	switch (option) {
	case OPTION_CLASS:
		return log_filter_class(filter, optarg, err);
	case OPTION_PATH:
		return log_filter_path(filter, optarg, command->context.cwd, command->context.home,
				       err);
	case OPTION_PID:
		return log_filter_pid(filter, optarg, err);
	case OPTION_SINCE:
		return log_filter_time(filter->since, optarg, false, err);
	case OPTION_UNTIL:
		return log_filter_time(filter->until, optarg, true, err);
	case OPTION_HOST:
		filter->host = optarg;
		return 0;
	case OPTION_RULE:
		filter->rule = optarg;
		return 0;
	default:
		return -1;
	}
}

/* One option. 0 to go on, else the exit code. */
static int take_option(struct log_command *command, int option)
{
	struct error err = {0};

	switch (option) {
	case OPTION_BLOCKED:
		command->filter.blocked = true;
		return 0;
	case OPTION_FORMAT:
		return parse_format(optarg, &command->format);
	case 'f':
		command->follow = true;
		return 0;
	case OPTION_VERIFY:
		command->verify = true;
		return 0;
	case OPTION_KEY:
		command->key = optarg;
		return 0;
	case OPTION_KEYGEN:
		command->keygen = true;
		return 0;
	case 'v':
		command->verbose = true;
		return 0;
	default:
		if (take_filter(command, option, &err) == 0)
			return 0;
		return err.message[0] ? usage_error("log", "%s", err.message)
				      : EXIT_PROCTOR_FAILED;
	}
}

/* ------------------------------------------------------------------------ printing */

/* JSON has no byte that could harm a terminal, unless somebody forged the file. */
static void print_json(const struct log_command *command, const char *line, size_t len)
{
	if (command->terminal)
		terminal_print(stdout, line, SIZE_MAX);
	else
		fwrite(line, 1, len, stdout);
	putchar('\n');
}

static void print_exported(const struct log_command *command, const json_t *record)
{
	json_t *event = command->format == FORMAT_OCSF ? export_ocsf(record, command->start)
						       : export_ecs(record, command->start);
	AUTO_FREE char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;

	if (text)
		print_json(command, text, strlen(text));
	json_decref(event);
}

static void fault(struct log_command *command, const struct reader *reader, const char *what)
{
	fflush(stdout);
	fprintf(stderr, "proctor log: line %" PRIu64 " %s\n", reader->number, what);
	command->faults = true;
}

static void take_line(struct log_command *command, const struct reader *reader)
{
	json_t *record = reader->too_long ? NULL : reader_parse(reader->line, reader->len);
	const char *event;

	if (!record) {
		fault(command, reader, "is not a record");
		return;
	}
	event = export_text(record, "event");
	command->ended = event && !strcmp(event, "end");
	if (event && !strcmp(event, "start")) {
		json_decref(command->start);
		command->start = json_incref(record);
	}
	if (log_filter_wants(&command->filter, record)) {
		if (command->format == FORMAT_TEXT)
			log_text_print(stdout, record, command->colour, command->verbose);
		else if (command->format == FORMAT_JSON)
			print_json(command, reader->line, reader->len);
		else
			print_exported(command, record);
	}
	json_decref(record);
}

/* ------------------------------------------------------------------------ following */

/* Whoever writes a log holds its lock: see audit_open(). */
static bool has_writer(const struct reader *reader)
{
	int fd = fileno(reader->file);

	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	flock(fd, LOCK_UN);
	return false;
}

/* Waits for more. False: nothing more will come. */
static bool wait_for_more(struct log_command *command, struct reader *reader, unsigned int *quiet)
{
	static const struct timespec pause = {.tv_nsec = 100000000};

	if (command->ended || fflush(stdout) != 0)
		return false;
	/* Not each time: see lock_file() in audit/sink.c. */
	if (++*quiet % 10 == 0 && !has_writer(reader))
		return false;
	nanosleep(&pause, NULL);
	return reader_retry(reader) == 0;
}

/* Says what went wrong; what the tool may have chosen in it does nothing to a terminal. */
static int complain(const char *path, const char *what)
{
	fflush(stdout);
	fputs("proctor log: ", stderr);
	if (path) {
		terminal_print(stderr, path, SIZE_MAX);
		fputs(": ", stderr);
	}
	terminal_print(stderr, what, SIZE_MAX);
	fputc('\n', stderr);
	return EXIT_PROCTOR_FAILED;
}

static int print_log(struct log_command *command, struct row_reader *row, struct error *err)
{
	struct reader *reader = &row->reader;
	unsigned int quiet = 0;
	int r;

	for (;;) {
		r = row_next(row);
		if (r < 0)
			return error_set(err, -r, "cannot read '%s'", row->name);
		if (r > 0 && !reader->torn) {
			quiet = 0;
			take_line(command, reader);
			continue;
		}
		if (command->follow && wait_for_more(command, reader, &quiet))
			continue;
		break;
	}
	if (r > 0) {
		fflush(stdout);
		fprintf(stderr,
			"proctor log: line %" PRIu64
			" is torn: its writer was killed before anybody was answered on it\n",
			reader->number);
	}
	return 0;
}

static int print(struct log_command *command, const char *path)
{
	struct row_reader row;
	struct error err = {0};
	int r = row_open(&row, path, &err);

	if (r == 0)
		r = print_log(command, &row, &err);
	row_close(&row);
	if (r < 0)
		return complain(NULL, err.message);
	return finish_output(command->faults ? EXIT_FOUND : 0);
}

/* ------------------------------------------------------------------------ verifying */

static int verify(const char *path, const char *key)
{
	struct error err = {0};
	uint64_t line = 0;
	int r = audit_verify(path, key, &line, &err);

	if (r > 0) {
		complain(path, err.message);
		return EXIT_FOUND;
	}
	if (r < 0)
		return complain(NULL, err.message);
	terminal_print(stdout, path, SIZE_MAX);
	printf(": %" PRIu64 " records, the chain is whole\n", line);
	if (err.message[0])
		printf("note: %s\n", err.message);
	return finish_output(0);
}

int cmd_log(int argc, char **argv)
{
	struct log_command command = {.terminal = isatty(STDOUT_FILENO),
				      .colour = colour_wanted(stdout)};
	AUTO_FREE char *path = NULL;
	struct error err = {0};
	int option;
	int code = 0;

	if (policy_context_init(&command.context, &err) < 0)
		return usage_error("log", "%s", err.message);
	while (code == 0 && (option = getopt_long(argc, argv, "fv", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help_text, stdout);
			policy_context_clear(&command.context);
			return finish_output(0);
		}
		code = take_option(&command, option);
	}
	if (code == 0 && argc - optind > !command.keygen)
		code = usage_error("log", command.keygen ? "--keygen takes no session"
							 : "expected one session or file");
	if (code == 0 && command.key && !command.verify)
		code = usage_error("log", "--key goes with --verify");
	if (code == 0 && command.keygen) {
		code = log_key_make(command.context.profile_dir, &err) < 0 ? complain(NULL, err.message)
									    : finish_output(0);
	} else if (code == 0) {
		path = log_file_find(command.context.home, optind < argc ? argv[optind] : NULL, &err);
		if (!path)
			code = complain(NULL, err.message);
	}
	if (code == 0 && path)
		code = command.verify ? verify(path, command.key) : print(&command, path);
	json_decref(command.start);
	log_filter_free(&command.filter);
	policy_context_clear(&command.context);
	return code;
}
