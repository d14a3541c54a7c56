/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/log_file.h"
#include "cli/session_folder.h"
#include "cli/terminal.h"
#include "cli/top_screen.h"
#include "cli/top_session.h"
#include "core/cleanup.h"
#include "supervisor/stats.h"

enum {
	REFRESH_MS = 250,
	READ_NS = 50 * 1000 * 1000, /* of one log, until keys are looked for again */
	BEHIND_MS = 1,
	JUMP = 10,       /* attempts */
	SESSIONS_MAX = 64, /* ended ones beyond go */
	LATE_S = 10,     /* so long a session's folder may be there before its log is */
};

static const struct option options[] = {
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: proctor top [SESSION|FILE]...\n"
	"Shows sessions while they run: their processes, how many attempts are blocked a second, and\n"
	"the last of them. Without a name, those that run now and those that begin meanwhile, as far as\n"
	"their logs are in the folder of sessions.\n"
	"\n"
	"      --help  print this\n"
	"\n"
	"Keys: q quits; up and down (k, j) choose a session; PgDn, PgUp and Home (f, b, g) move in its\n"
	"attempts; space stops the view and lets it go on.\n"
	"\n"
	"Exit status: 0; 125 without a terminal, for a wrong option, or when there is no such log.\n";

struct top {
	struct policy_context context;
	struct top_session *sessions[SESSIONS_MAX];
	size_t count;
	bool discovers;  /* looks for sessions that run */
	char looked[32]; /* when it did last, as the beginning of a session's id: "20261125-081500" */
	struct top_view view;
};

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

/* So that the terminal is given back whatever ends this. */
static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	const struct sigaction action = {.sa_handler = on_signal};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

/* ---------------------------------------------------------------- which sessions */

static void drop(struct top *top, size_t index)
{
	top_session_close(top->sessions[index]);
	top->count--;
	memmove(&top->sessions[index], &top->sessions[index + 1],
		(top->count - index) * sizeof(top->sessions[0]));
	if (top->view.chosen > index || top->view.chosen == top->count)
		top->view.chosen -= top->view.chosen > 0;
}

/* False: all that there is room for run. */
static bool make_room(struct top *top)
{
	for (size_t i = 0; top->count == SESSIONS_MAX && i < top->count; i++) {
		if (!top->sessions[i]->running)
			drop(top, i);
	}
	return top->count < SESSIONS_MAX;
}

static int add(struct top *top, const char *path, struct error *err)
{
	struct top_session *session;

	if (!make_room(top))
		return error_set(err, 0, "more than %d sessions", SESSIONS_MAX);
	session = top_session_open(path, err);
	if (!session)
		return -1;
	top->sessions[top->count++] = session;
	return 0;
}

static bool is_known(const struct top *top, const char *path)
{
	for (size_t i = 0; i < top->count; i++) {
		if (!strcmp(top->sessions[i]->path, path))
			return true;
	}
	return false;
}

static void consider(struct top *top, const char *folder, const char *name)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s/audit.jsonl", folder, name) < 0) {
		path = NULL;
		return;
	}
	if (!is_known(top, path) && top_has_writer(path))
		(void)add(top, path, NULL);
}

/* Of those that were looked at before, the younger ones again: their log may have been late. */
static void discover(struct top *top)
{
	AUTO_FREE char *folder = session_state_folder(top->context.home, NULL);
	const time_t before = time(NULL) - LATE_S;
	struct dirent **names;
	struct tm tm;
	int count = folder ? scandir(folder, &names, NULL, alphasort) : -1;

	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.' && strcmp(names[i]->d_name, top->looked) >= 0)
			consider(top, folder, names[i]->d_name);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	if (gmtime_r(&before, &tm))
		strftime(top->looked, sizeof(top->looked), "%Y%m%d-%H%M%S", &tm);
}

/* ---------------------------------------------------------------------- the loop */

static void move_back(struct top *top, int by)
{
	const struct top_session *session = top->count ? top->sessions[top->view.chosen] : NULL;
	const uint64_t kept = !session				       ? 0
			      : session->attempt_count < TOP_ATTEMPTS ? session->attempt_count
									: TOP_ATTEMPTS;

	if (by < 0)
		top->view.back -= top->view.back < (uint64_t)-by ? top->view.back : (uint64_t)-by;
	else if (top->view.back + (uint64_t)by < kept)
		top->view.back += (uint64_t)by;
	else
		top->view.back = kept ? kept - 1 : 0;
}

/* False: the user has seen enough. */
static bool take_key(struct top *top, enum top_key key)
{
	struct top_view *view = &top->view;

	switch (key) {
	case TOP_QUIT:
		return false;
	case TOP_UP:
		view->chosen -= view->chosen > 0;
		view->back = 0;
		break;
	case TOP_DOWN:
		view->chosen += view->chosen + 1 < top->count;
		view->back = 0;
		break;
	case TOP_OLDER:
		move_back(top, JUMP);
		break;
	case TOP_NEWER:
		move_back(top, -JUMP);
		break;
	case TOP_NEWEST:
		view->back = 0;
		break;
	case TOP_PAUSE:
		view->paused = !view->paused;
		break;
	case TOP_NONE:
	case TOP_REDRAW:
		break;
	}
	return true;
}

/* Reads on. True: some of it is still to come. */
static bool update(struct top *top, uint64_t *looked)
{
	const uint64_t now = stats_now();
	const bool second = now - *looked >= 1000000000U;
	bool behind = false;

	if (second)
		*looked = now;
	if (second && top->discovers)
		discover(top);
	for (size_t i = 0; i < top->count; i++) {
		top_session_read(top->sessions[i], READ_NS);
		if (second)
			top_session_look(top->sessions[i]);
		behind = behind || top->sessions[i]->behind;
	}
	top->view.count = top->count;
	return behind;
}

static void watch(struct top *top)
{
	uint64_t looked = 0;
	bool behind = false;

	top->view.sessions = top->sessions;
	do {
		if (!top->view.paused)
			behind = update(top, &looked);
		top_screen_draw(&top->view);
	} while (!caught && take_key(top, top_screen_key(behind && !top->view.paused ? BEHIND_MS : REFRESH_MS)));
}

static int complain(const char *what)
{
	fputs("proctor top: ", stderr);
	terminal_print(stderr, what, SIZE_MAX);
	fputc('\n', stderr);
	return EXIT_PROCTOR_FAILED;
}

static int open_named(struct top *top, int count, char *const *names)
{
	struct error err = {0};

	for (int i = 0; i < count; i++) {
		AUTO_FREE char *path = log_file_find(top->context.home, names[i], &err);

		if (!path || add(top, path, &err) < 0)
			return complain(err.message);
	}
	top->discovers = count == 0;
	return 0;
}

static int show(int count, char *const *names)
{
	struct top top = {.count = 0};
	struct error err = {0};
	int code = 0;

	if (policy_context_init(&top.context, &err) < 0)
		return complain(err.message);
	code = open_named(&top, count, names);
	if (code == 0 && top_screen_open(&err) < 0)
		code = complain(err.message);
	if (code == 0) {
		catch_signals();
		watch(&top);
		top_screen_close();
	}
	while (top.count)
		drop(&top, top.count - 1);
	policy_context_clear(&top.context);
	if (caught) {
		signal(caught, SIG_DFL);
		raise(caught);
	}
	return code;
}

int cmd_top(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'h')
			return EXIT_PROCTOR_FAILED;
		fputs(help_text, stdout);
		return finish_output(0);
	}
	return show(argc - optind, argv + optind);
}
