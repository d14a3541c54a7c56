/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/top_session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "audit/export.h"
#include "audit/rotate.h"
#include "cli/log_text.h"
#include "core/cleanup.h"
#include "supervisor/stats.h"
#include "supervisor/tree.h"

enum {
	PIDS_MAX = 100000,
	COMMAND_MAX = 4096,
};

struct pid_count {
	UT_hash_handle hh;
	pid_t pid;
	uint64_t blocked;
};

struct top_log {
	struct row_reader row;
	struct pid_count *pids; /* hash table */
	bool failed;
};

struct top_session *top_session_open(const char *path, struct error *err)
{
	struct top_session *session = calloc(1, sizeof(*session));
	struct top_log *log = calloc(1, sizeof(*log));

	if (!session || !log || !(session->path = strdup(path))) {
		error_set(err, ENOMEM, "top");
		free(session);
		free(log);
		return NULL;
	}
	session->log = log;
	session->behind = true;
	session->running = true;
	if (row_open(&log->row, path, err) < 0) {
		top_session_close(session);
		return NULL;
	}
	return session;
}

void top_session_close(struct top_session *session)
{
	struct pid_count *entry;
	struct pid_count *next;

	HASH_ITER (hh, session->log->pids, entry, next) {
		HASH_DEL(session->log->pids, entry);
		free(entry);
	}
	row_close(&session->log->row);
	free(session->log);
	for (size_t i = 0; i < TOP_ATTEMPTS; i++)
		free(session->attempts[i]);
	free(session->processes);
	free(session->path);
	free(session->id);
	free(session->command);
	free(session);
}

/* ----------------------------------------------------------------------- the log */

static long long number(const json_t *record, const char *field)
{
	return (long long)json_integer_value(json_object_get(record, field));
}

static void replace(char **text, char *by)
{
	free(*text);
	*text = by;
}

/* A file may hold several sessions, one after the other: the last one counts. */
static void take_start(struct top_session *session, const json_t *record)
{
	const char *id = export_text(record, "session");

	replace(&session->id, strdup(id ? id : "?"));
	replace(&session->command, export_words(json_object_get(record, "command")));
	session->supervisor = (pid_t)number(record, "pid");
	session->began_ms = export_time_ms(record);
	session->records = 0;
	session->blocked = 0;
	session->attempt_count = 0;
	session->ended = false;
}

static void count_pid(struct top_log *log, pid_t pid)
{
	struct pid_count *entry = NULL;

	HASH_FIND_INT(log->pids, &pid, entry);
	if (!entry && HASH_COUNT(log->pids) < PIDS_MAX) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return;
		entry->pid = pid;
		HASH_ADD_INT(log->pids, pid, entry);
	}
	if (entry)
		entry->blocked++;
}

static void take_attempt(struct top_session *session, const json_t *record)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	session->blocked++;
	count_pid(session->log, (pid_t)number(record, "pid"));
	if (!out)
		return;
	log_text_print(out, record, false, false);
	if (fclose(out) != 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	replace(&session->attempts[session->attempt_count++ % TOP_ATTEMPTS], text);
}

static void take_record(struct top_session *session, const json_t *record)
{
	const char *event = export_text(record, "event");

	if (!event)
		return;
	if (!strcmp(event, "start")) {
		take_start(session, record);
	} else if (!strcmp(event, "blocked") || !strcmp(event, "would_block") ||
		   !strcmp(event, "limit")) {
		take_attempt(session, record);
	} else if (!strcmp(event, "end")) {
		session->ended = true;
		session->exit_code = number(record, "exit_code");
		session->duration_s = json_number_value(json_object_get(record, "duration_s"));
	}
	session->records++;
}

void top_session_read(struct top_session *session, uint64_t ns)
{
	struct row_reader *row = &session->log->row;
	const uint64_t until = stats_now() + ns;

	while (!session->log->failed) {
		const int r = row_next(row);
		json_t *record;

		if (r < 0) {
			session->log->failed = true;
			break;
		}
		if (r == 0 || row->reader.torn) {
			session->log->failed = reader_retry(&row->reader) < 0;
			break;
		}
		record = row->reader.too_long ? NULL : reader_parse(row->reader.line, row->reader.len);
		if (record)
			take_record(session, record);
		json_decref(record);
		if (stats_now() >= until) {
			session->behind = true;
			return;
		}
	}
	session->behind = false;
}

bool top_has_writer(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	/* Closing it lets go. */
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

const char *top_session_attempt(const struct top_session *session, uint64_t back)
{
	if (back >= session->attempt_count || back >= TOP_ATTEMPTS)
		return NULL;
	return session->attempts[(session->attempt_count - 1 - back) % TOP_ATTEMPTS];
}

/* ------------------------------------------------------------------------ rates */

static void sample(struct top_rate *rate, uint64_t value)
{
	/* Another session of the same file began anew. */
	if (rate->count && value < rate->samples[0])
		rate->count = 0;
	memmove(rate->samples + 1, rate->samples, TOP_SAMPLES * sizeof(rate->samples[0]));
	rate->samples[0] = value;
	if (rate->count <= TOP_SAMPLES)
		rate->count++;
}

double top_rate(const struct top_rate *rate)
{
	if (rate->count < 2)
		return 0;
	return (double)(rate->samples[0] - rate->samples[rate->count - 1]) / (rate->count - 1);
}

/* -------------------------------------------------------------------- processes */

static int by_parent(const void *left, const void *right)
{
	const struct tree_process *a = left;
	const struct tree_process *b = right;

	if (a->ppid != b->ppid)
		return a->ppid < b->ppid ? -1 : 1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* The first of those that have this parent or a greater one. */
static size_t first_child(const struct tree_process *list, size_t count, pid_t parent)
{
	size_t low = 0;

	while (low < count) {
		const size_t middle = low + (count - low) / 2;

		if (list[middle].ppid < parent)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

static void take_process(struct top_session *session, const struct tree_process *process,
			 unsigned int depth)
{
	struct pid_count *known = NULL;

	HASH_FIND_INT(session->log->pids, &process->pid, known);
	session->processes[session->process_count++] = (struct top_process){
		.pid = process->pid,
		.depth = depth,
		.state = process->state,
		.blocked = known ? known->blocked : 0,
	};
}

/* Parents first. `next` is for each level the child that is still to come. */
static void order(struct top_session *session, const struct tree_process *list, size_t count,
		  size_t *next)
{
	pid_t *parents = calloc(count + 1, sizeof(*parents));
	size_t depth = 0;

	if (!parents)
		return;
	parents[0] = session->supervisor;
	next[0] = first_child(list, count, session->supervisor);
	for (;;) {
		const struct tree_process *child = next[depth] < count ? &list[next[depth]] : NULL;

		if (!child || child->ppid != parents[depth]) {
			if (depth-- == 0)
				break;
			continue;
		}
		next[depth]++;
		/* What is read while it changes may have a loop. */
		if (session->process_count == count)
			break;
		take_process(session, child, (unsigned int)depth);
		depth++;
		parents[depth] = child->pid;
		next[depth] = first_child(list, count, child->pid);
	}
	free(parents);
}

static void look_at_processes(struct top_session *session)
{
	AUTO_FREE struct tree_process *list = NULL;
	AUTO_FREE size_t *next = NULL;
	char comm[32] = "";
	char path[32];
	size_t count;
	AUTO_FILE FILE *file = NULL;

	free(session->processes);
	session->processes = NULL;
	session->process_count = 0;
	if (!session->running || session->supervisor <= 0)
		return;
	/* A log of another host, or of a container's: its numbers mean others here. */
	snprintf(path, sizeof(path), "/proc/%d/comm", session->supervisor);
	file = fopen(path, "re");
	if (!file || !fgets(comm, sizeof(comm), file) || strcmp(comm, "supervisor\n") != 0)
		return;
	count = tree_list(session->supervisor, &list);
	if (count == 0)
		return;
	session->processes = calloc(count, sizeof(*session->processes));
	next = calloc(count + 1, sizeof(*next));
	if (!session->processes || !next)
		return;
	qsort(list, count, sizeof(*list), by_parent);
	order(session, list, count, next);
}

void top_session_look(struct top_session *session)
{
	session->running = !session->ended && top_has_writer(session->path);
	look_at_processes(session);
	if (session->behind)
		return;
	sample(&session->record_rate, session->records);
	sample(&session->blocked_rate, session->blocked);
}

char *top_command_line(pid_t pid)
{
	AUTO_FREE char *text = malloc(COMMAND_MAX + 1);
	AUTO_CLOSE int fd = -1;
	char path[32];
	ssize_t len;

	if (!text)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, COMMAND_MAX);
	close_fd(&fd);
	if (len == 0) { /* it has ended, or has no arguments */
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		len = fd < 0 ? -1 : read(fd, text, COMMAND_MAX);
	}
	if (len <= 0)
		return NULL;
	for (ssize_t i = 0; i < len - 1; i++) {
		if (text[i] == '\0')
			text[i] = ' ';
	}
	if (text[len - 1] == '\0' || text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	return TAKE_PTR(text);
}
