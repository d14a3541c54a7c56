/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/top_screen.h"

#define NCURSES_WIDECHAR 1
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/cli.h"
#include "core/cleanup.h"
#include "core/utf8.h"

enum { COLUMNS_MAX = 1024, PAIR_BLOCKED = 1 };

static SCREEN *screen;

/* -------------------------------------------------------------------------- text */

static bool speaks_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/*
 * One character of `text`, as it is shown: itself, or \xNN for each byte of what could do something to a
 * terminal or takes no room. Returns the bytes used; *ret_width is how many columns it takes.
 */
static size_t show(const char *text, size_t len, wchar_t ret[20], int *ret_width)
{
	uint32_t character = 0;
	size_t used = utf8_decode(text, len, &character);
	const bool plain = used && !utf8_is_hidden(character) && (character < 0x80 || speaks_utf8());
	const int width = plain ? wcwidth((wchar_t)character) : -1;

	if (width > 0) {
		ret[0] = (wchar_t)character;
		ret[1] = L'\0';
		*ret_width = width;
		return used;
	}
	used = used ? used : 1;
	for (size_t i = 0; i < used; i++)
		swprintf(ret + 4 * i, 5, L"\\x%02x", (unsigned int)(unsigned char)text[i]);
	*ret_width = (int)(4 * used);
	return used;
}

/* Writes at most `width` columns. Returns how many it has taken. */
static int put(int row, int column, int width, const char *text)
{
	size_t left = strlen(text);
	wchar_t line[COLUMNS_MAX + 1];
	size_t used = 0;
	int taken = 0;

	while (left > 0) {
		wchar_t shown[20];
		int wide;
		const size_t step = show(text, left, shown, &wide);

		if (taken + wide > width || used + wcslen(shown) > COLUMNS_MAX)
			break;
		wmemcpy(line + used, shown, wcslen(shown));
		used += wcslen(shown);
		taken += wide;
		text += step;
		left -= step;
	}
	mvaddnwstr(row, column, line, (int)used);
	return taken;
}

/* The same, of a whole line. */
static void put_line(int row, attr_t attributes, const char *text)
{
	if (row < 0 || row >= LINES)
		return;
	attrset((int)attributes);
	move(row, 0);
	clrtoeol();
	put(row, 0, COLS, text);
	attrset((int)A_NORMAL);
}

/* Bold where there are no colours. */
static attr_t alarming(void)
{
	return COLOR_PAIRS > PAIR_BLOCKED ? (attr_t)COLOR_PAIR(PAIR_BLOCKED) : A_BOLD;
}

/* A heading over the whole width. */
static void put_heading(int row, const char *text)
{
	if (row < 0 || row >= LINES)
		return;
	put_line(row, A_BOLD, text);
	mvchgat(row, 0, -1, A_BOLD | A_UNDERLINE, 0, NULL);
}

/* ------------------------------------------------------------------------- parts */

static void format_duration(char *buf, size_t size, double seconds)
{
	const long whole = seconds > 0 ? (long)seconds : 0;

	if (whole >= 3600)
		snprintf(buf, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
	else
		snprintf(buf, size, "%ld:%02ld", whole / 60, whole % 60);
}

static double duration_of(const struct top_session *session)
{
	struct timespec now;

	if (session->ended)
		return session->duration_s;
	clock_gettime(CLOCK_REALTIME, &now);
	return session->began_ms ? (double)now.tv_sec - (double)session->began_ms / 1000 : 0;
}

/* "running", "exit 3", or "killed": there is no end, and nobody writes. */
static void format_state(char *buf, size_t size, const struct top_session *session)
{
	if (session->ended)
		snprintf(buf, size, "exit %lld", session->exit_code);
	else
		snprintf(buf, size, "%s", !session->running ? "killed" : session->behind ? "reading" : "running");
}

static void put_session(int row, const struct top_session *session, bool chosen)
{
	AUTO_FREE char *line = NULL;
	char duration[32];
	char state[32];

	format_duration(duration, sizeof(duration), duration_of(session));
	format_state(state, sizeof(state), session);
	if (asprintf(&line, "%c %-24s %-8s %8s %8" PRIu64 " %7.1f %8" PRIu64 " %8.1f  %s", chosen ? '>' : ' ',
		     session->id ? session->id : "?", state, duration, session->blocked,
		     top_rate(&session->blocked_rate), session->records, top_rate(&session->record_rate),
		     session->command ? session->command : session->path) < 0) {
		line = NULL;
		return;
	}
	put_line(row, chosen ? A_REVERSE : A_NORMAL, line);
}

/* Returns the row behind them. */
static int put_sessions(const struct top_view *view, int row, int rows)
{
	size_t first = 0;

	put_heading(row++, "  SESSION                  STATE        TIME  BLOCKED    /s   RECORDS       /s  COMMAND");
	rows--;
	/* The chosen one is always there. */
	if (rows > 0 && view->chosen >= (size_t)rows)
		first = view->chosen - (size_t)rows + 1;
	for (size_t i = first; i < view->count && rows > 0; i++, rows--)
		put_session(row++, view->sessions[i], i == view->chosen);
	return row;
}

static void put_process(int row, const struct top_process *process)
{
	AUTO_FREE char *words = top_command_line(process->pid);
	AUTO_FREE char *line = NULL;
	char count[32] = "";
	const int indent = (int)(process->depth < 20 ? process->depth : 20) * 2;

	if (process->blocked)
		snprintf(count, sizeof(count), "%" PRIu64, process->blocked);
	if (asprintf(&line, "%8d %c %8s  %*s%s", process->pid, process->state, count, indent, "",
		     words ? words : "(ended)") < 0) {
		line = NULL;
		return;
	}
	put_line(row, process->blocked ? alarming() : A_NORMAL, line);
}

static int put_processes(const struct top_session *session, int row, int rows)
{
	char line[160];
	size_t shown = session->process_count;

	put_heading(row++, "     PID S  BLOCKED  PROCESS");
	rows--;
	if (shown == 0 && rows > 0) {
		put_line(row++, A_NORMAL,
			 session->running ? "         its processes cannot be seen from here" :
					    "         it has ended");
		return row;
	}
	if (shown > (size_t)rows)
		shown = rows > 1 ? (size_t)rows - 1 : 0;
	for (size_t i = 0; i < shown; i++)
		put_process(row++, &session->processes[i]);
	if (shown < session->process_count && rows > 0) {
		snprintf(line, sizeof(line), "         and %zu more", session->process_count - shown);
		put_line(row++, A_NORMAL, line);
	}
	return row;
}

static void put_attempts(const struct top_view *view, const struct top_session *session, int row, int end)
{
	char heading[160];

	if (view->back)
		snprintf(heading, sizeof(heading), "LAST BLOCKED ATTEMPTS, without the newest %" PRIu64,
			 view->back);
	else
		snprintf(heading, sizeof(heading), "LAST BLOCKED ATTEMPTS");
	put_heading(row++, heading);
	for (uint64_t back = view->back; row < end; back++) {
		const char *text = top_session_attempt(session, back);

		if (!text)
			break;
		put_line(row++, A_NORMAL, text);
	}
}

static void put_title(const struct top_view *view)
{
	char title[256];
	char clock[16] = "";
	const time_t now = time(NULL);
	size_t running = 0;
	struct tm tm;

	for (size_t i = 0; i < view->count; i++)
		running += view->sessions[i]->running;
	if (localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%T", &tm);
	snprintf(title, sizeof(title), "proctor top  %s  %zu running, %zu ended%s", clock, running,
		 view->count - running, view->paused ? "  PAUSED" : "");
	put_line(0, A_BOLD, title);
}

void top_screen_draw(const struct top_view *view)
{
	const int end = LINES - 1; /* the last row is for the keys */
	const struct top_session *session = view->count ? view->sessions[view->chosen] : NULL;
	int row = 1;

	erase();
	put_title(view);
	if (!session) {
		put_line(2, A_NORMAL, "No session is running. This shows those that begin.");
	} else {
		/* A quarter each, the rest is for the attempts. */
		const int sessions = (int)(view->count + 1 < (size_t)(end / 4) ? view->count + 1
									       : (size_t)(end / 4));

		row = put_sessions(view, row, sessions < 2 ? 2 : sessions);
		if (end - row > 6)
			row = put_processes(session, row + 1, (end - row) / 2);
		if (end - row > 2)
			put_attempts(view, session, row + 1, end);
	}
	if (end > 0)
		put_line(end, A_REVERSE,
			 "q quit  up/down session  PgDn/PgUp older/newer attempts  Home newest  space pause");
	refresh();
}

/* ------------------------------------------------------------------- the terminal */

int top_screen_open(struct error *err)
{
	const char *term = getenv("TERM");
	int status;
	bool able;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return error_set(err, 0, "standard input and output must be a terminal; 'proctor log --follow' "
					 "needs none");
	setlocale(LC_CTYPE, "");
	/* Asked first: newterm() does not clean up behind itself when it fails. */
	if (setupterm(NULL, STDOUT_FILENO, &status) == ERR)
		return error_set(err, 0, "the terminal '%s' (TERM) is unknown", term ? term : "");
	able = tigetstr("cup");
	del_curterm(cur_term);
	screen = able ? newterm(NULL, stdout, stdin) : NULL;
	if (!screen)
		return error_set(err, 0, "the terminal '%s' (TERM) cannot do this", term ? term : "");
	set_term(screen);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	set_escdelay(25);
	if (has_colors() && colour_wanted(stdout)) {
		start_color();
		use_default_colors();
		init_pair(PAIR_BLOCKED, COLOR_RED, -1);
	}
	return 0;
}

void top_screen_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

enum top_key top_screen_key(int timeout_ms)
{
	timeout(timeout_ms);
	switch (getch()) {
	case 'q':
	case 'Q':
		return TOP_QUIT;
	case KEY_UP:
	case 'k':
		return TOP_UP;
	case KEY_DOWN:
	case 'j':
		return TOP_DOWN;
	case KEY_NPAGE: /* the newest are on top */
	case 'f':
		return TOP_OLDER;
	case KEY_PPAGE:
	case 'b':
		return TOP_NEWER;
	case KEY_HOME:
	case 'g':
		return TOP_NEWEST;
	case ' ':
		return TOP_PAUSE;
	case ERR:
		return TOP_NONE;
	default: /* KEY_RESIZE among them */
		return TOP_REDRAW;
	}
}
