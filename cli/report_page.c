/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/report_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/export.h"
#include "cli/report_assets.h"
#include "cli/report_html.h"
#include "cli/report_remedy.h"
#include "core/access.h"
#include "core/cleanup.h"

/* A page is for people: of more than so many rows the rest is in the list of all records. */
enum { ROWS_MAX = 5000, LANES_MAX = 2000, MARKS_MAX = 20000, DEPTH_MAX = 64 };

static long long number(const json_t *record, const char *field)
{
	return (long long)json_integer_value(json_object_get(record, field));
}

static void print_rest(FILE *out, size_t count, size_t max)
{
	if (count > max)
		fprintf(out, "<p class=none>%zu more are left out here.</p>\n", count - max);
}

/* -------------------------------------------------------------------------------- the head */

static void print_pair(FILE *out, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(out, "<dt>%s</dt><dd>", name);
	html_print(out, value);
	fputs("</dd>\n", out);
}

static void print_head(FILE *out, const struct report *report, const char *command)
{
	const json_t *policies = json_object_get(report->start, "policies");

	fputs("<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
	      "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
	      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>proctor: ", out);
	html_print(out, command);
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>", report_css);
	html_print(out, command);
	fputs("</h1>\n<dl>\n", out);
	print_pair(out, "session", export_text(report->start, "session"));
	print_pair(out, "host", export_text(report->start, "host"));
	print_pair(out, "started", export_text(report->start, "ts"));
	if (report->end)
		fprintf(out, "<dt>ended</dt><dd>exit code %lld after %.3f s</dd>\n",
			number(report->end, "exit_code"),
			json_number_value(json_object_get(report->end, "duration_s")));
	else
		fputs("<dt>ended</dt><dd>no record of it: it still runs, or was killed</dd>\n", out);
	for (size_t i = 0; i < json_array_size(policies); i++)
		print_pair(out, "policy", export_text(json_array_get(policies, i), "file"));
	print_pair(out, "logged", export_text(report->start, "log"));
	fprintf(out, "<dt>records</dt><dd>%zu, of which <span class=blocked>%" PRIu64
		     " blocked</span></dd>\n</dl>\n",
		report->event_count + (size_t)report->left_out, report->blocked_total);
	fputs("<nav><a href='#blocked'>Blocked</a> <a href='#timeline'>Processes</a> "
	      "<a href='#files'>Files</a> <a href='#endpoints'>Endpoints</a> "
	      "<a href='#all'>All records</a> <input id=search type=search hidden "
	      "placeholder='search ( / )' aria-label='search in all tables'></nav>\n<main>\n",
	      out);
}

/* --------------------------------------------------------------------------- blocked attempts */

/* Who started whom, from the one that asked outwards. */
static void print_ancestry(FILE *out, const struct report *report, const json_t *record)
{
	const long long exec_id = number(record, "exec_id");
	size_t at = SIZE_MAX;

	for (size_t i = 0; i < report->process_count && at == SIZE_MAX; i++) {
		if ((long long)report->processes[i].exec_id == exec_id &&
		    report->processes[i].pid == number(record, "pid"))
			at = i;
	}
	fputs("<p>Ancestry</p><pre>", out);
	for (int depth = 0; at != SIZE_MAX && depth < DEPTH_MAX; depth++) {
		const struct report_process *process = &report->processes[at];

		fprintf(out, "%*s", depth * 2, "");
		html_print(out, process->command ? process->command : process->exe);
		fprintf(out, "  (pid %lld, exec %" PRIu64 ")\n", process->pid, process->exec_id);
		if (process->parent == SIZE_MAX && process->parent_exec_id)
			fprintf(out, "%*sstarted by exec %" PRIu64 ", which has no record here\n",
				depth * 2 + 2, "", process->parent_exec_id);
		at = process->parent;
	}
	fputs("</pre>\n", out);
}

static void print_stack(FILE *out, const json_t *stack)
{
	if (json_array_size(stack) == 0)
		return;
	fputs("<p>Stack</p><pre>", out);
	for (size_t i = 0; i < json_array_size(stack); i++) {
		const json_t *frame = json_array_get(stack, i);
		const char *symbol = export_text(frame, "symbol");

		html_print(out, symbol ? symbol : "?");
		fprintf(out, "+0x%llx in ", (unsigned long long)number(frame, "offset"));
		html_print(out, export_text(frame, "object"));
		putc('\n', out);
	}
	fputs("</pre>\n", out);
}

static void print_script(FILE *out, const json_t *script)
{
	if (json_array_size(script) == 0)
		return;
	fputs("<p>Script, by the tool's own word</p><pre>", out);
	for (size_t i = 0; i < json_array_size(script); i++) {
		const json_t *frame = json_array_get(script, i);

		html_print(out, export_text(frame, "function"));
		fputs(" in ", out);
		html_print(out, export_text(frame, "file"));
		if (json_object_get(frame, "line"))
			fprintf(out, ":%lld", (long long)number(frame, "line"));
		putc('\n', out);
	}
	fputs("</pre>\n", out);
}

static void print_detail(FILE *out, const char *label, const char *text)
{
	if (!text)
		return;
	fprintf(out, "%s: ", label);
	html_print(out, text);
	putc('\n', out);
}

static void print_blocked_row(FILE *out, const struct report *report,
			      const struct report_blocked *blocked)
{
	const json_t *record = blocked->record;
	const json_t *rule = json_object_get(record, "rule");
	AUTO_FREE char *remedy = report_remedy(record);
	AUTO_FREE char *argv = export_words(json_object_get(record, "argv"));

	fprintf(out, "<tr data-row><td class=number>%" PRIu64 "</td><td class=blocked>",
		blocked->count);
	html_print(out, export_text(record, "op"));
	fputs("</td><td class=mono><details><summary>", out);
	html_print(out, report_target(record));
	fputs("</summary><pre>", out);
	print_detail(out, "first", export_text(record, "ts"));
	print_detail(out, "call", export_text(record, "syscall"));
	print_detail(out, "as written", export_text(record, "arg"));
	print_detail(out, "errno", export_text(record, "errno"));
	print_detail(out, "program", export_text(record, "exe"));
	print_detail(out, "command", argv);
	print_detail(out, "folder", export_text(record, "cwd"));
	fputs("</pre>\n", out);
	print_stack(out, json_object_get(record, "stack"));
	print_script(out, json_object_get(record, "script"));
	print_ancestry(out, report, record);
	fputs("</details></td><td>", out);
	if (json_is_object(rule)) {
		fputs("rule <code>", out);
		html_print(out, export_text(rule, "text"));
		fputs("</code> at ", out);
		html_print(out, export_text(rule, "source"));
	} else {
		html_print(out, export_text(record, "detail") ? export_text(record, "detail")
							      : "no rule allows it");
	}
	fputs("</td><td class=mono>", out);
	html_print(out, remedy ? remedy : "");
	fputs("</td></tr>\n", out);
}

static void print_blocked(FILE *out, const struct report *report)
{
	fputs("<section id=blocked><h2>Blocked</h2>\n", out);
	if (report->blocked_count == 0) {
		fputs("<p class=none>Nothing was blocked.</p></section>\n", out);
		return;
	}
	fputs("<table><thead><tr><th class=number>times<th>act<th>on<th>why<th>line that would allow it"
	      "</thead><tbody>\n", out);
	for (size_t i = 0; i < report->blocked_count && i < ROWS_MAX; i++)
		print_blocked_row(out, report, &report->blocked[i]);
	fputs("</tbody></table>\n", out);
	print_rest(out, report->blocked_count, ROWS_MAX);
	fputs("</section>\n", out);
}

/* --------------------------------------------------------------------------------- processes */

static double percent(const struct report *report, long long ms)
{
	const double span = (double)(report->last_ms - report->first_ms);

	return span > 0 ? 100.0 * (double)(ms - report->first_ms) / span : 0;
}

static int depth_of(const struct report *report, size_t at)
{
	int depth = 0;

	while ((at = report->processes[at].parent) != SIZE_MAX && depth < DEPTH_MAX)
		depth++;
	return depth;
}

/* Execs, blocked and rewritten calls of a process. `left`: how many may still be printed. */
static void print_marks(FILE *out, const struct report *report,
			const struct report_process *process, size_t *left)
{
	size_t at = process->first_event;

	for (; at && *left > 0; at = report->events[at - 1].next) {
		const struct report_event *event = &report->events[at - 1];
		const char *kind = report->strings[event->event];

		if (!strcmp(kind, "allowed") || !strcmp(kind, "exit"))
			continue;
		fprintf(out, "<b class=\"%s\" style='left:%.2f%%' title=\"",
			!strcmp(kind, "exec") || !strcmp(kind, "rewritten") ? kind : "blocked",
			percent(report, event->ms));
		html_print(out, kind);
		putc(' ', out);
		html_print(out, report->strings[event->target]);
		fputs("\"></b>", out);
		--*left;
	}
}

static void print_lane(FILE *out, const struct report *report, size_t at, size_t *marks)
{
	const struct report_process *process = &report->processes[at];
	const double left = percent(report, process->first_ms);

	fprintf(out, "<tr data-row><td class=mono style='padding-left:%dem'>", depth_of(report, at));
	html_print(out, process->command ? process->command : process->exe);
	fprintf(out, "</td><td class=number>%lld</td><td class=number>%" PRIu64 "</td>"
		     "<td class='number%s'>%" PRIu64 "</td><td><div class=lane>"
		     "<i style='left:%.2f%%;width:%.2f%%'></i>",
		process->pid, process->exec_id, process->blocked ? " blocked" : "",
		process->blocked, left, percent(report, process->last_ms) - left);
	print_marks(out, report, process, marks);
	fputs("</div></td></tr>\n", out);
}

/* A child stands below its parent: `next` and `child` are lists through the processes. */
static void print_processes(FILE *out, const struct report *report)
{
	const size_t count = report->process_count < LANES_MAX ? report->process_count : LANES_MAX;
	AUTO_FREE size_t *next = calloc(count + 1, sizeof(*next));
	AUTO_FREE size_t *child = calloc(count + 1, sizeof(*child));
	size_t marks = MARKS_MAX;
	size_t root = 0;

	fputs("<section id=timeline><h2>Processes in time</h2>\n", out);
	/* Places count from 1; backwards, so that the lists are in order. */
	for (size_t i = count; next && child && i-- > 0;) {
		size_t parent = report->processes[i].parent;
		size_t *list = parent < count ? &child[parent + 1] : &root;

		next[i + 1] = *list;
		*list = i + 1;
	}
	if (count)
		fputs("<table><thead><tr><th>program<th class=number>pid<th class=number>exec"
		      "<th class=number>blocked<th>start to end: execs, blocked and rewritten calls"
		      "</thead><tbody>\n", out);
	else
		fputs("<p class=none>No record names a process.</p>\n", out);
	for (size_t at = root; at && next && child;) {
		size_t up = at;

		print_lane(out, report, at - 1, &marks);
		if (child[at]) {
			at = child[at];
			continue;
		}
		while (up && !next[up]) {
			const size_t parent = report->processes[up - 1].parent;

			up = parent < count ? parent + 1 : 0;
		}
		at = up ? next[up] : 0;
	}
	if (count)
		fputs("</tbody></table>\n", out);
	print_rest(out, report->process_count, LANES_MAX);
	fputs("</section>\n", out);
}

/* ------------------------------------------------------------------------ files and endpoints */

static void print_counts(FILE *out, const struct report_target *target)
{
	const struct {
		const char *name;
		uint64_t count;
	} counts[] = {{"allowed", target->allowed},
		      {"rewritten", target->rewritten},
		      {"blocked", target->blocked}};

	for (unsigned int i = 0; i < OP_COUNT; i++) {
		if (target->ops & 1U << i)
			fprintf(out, " %s", access_op_name((enum access_op)i));
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (counts[i].count)
			fprintf(out, " <span class=%s>%s %" PRIu64 "</span>", counts[i].name,
				counts[i].name, counts[i].count);
	}
}

/* How many folders two names have in common. */
static int common_depth(const char *name, const char *other)
{
	int depth = 0;

	for (; *name && *name == *other; name++, other++)
		depth += *name == '/';
	return depth;
}

static int depth_of_name(const char *name)
{
	int depth = 0;

	for (; *name; name++)
		depth += *name == '/';
	return depth;
}

/* Opens the folders of `name` from number `from` on. */
static void open_folders(FILE *out, const char *name, int from)
{
	int depth = 0;

	for (const char *slash; (slash = strchr(name, '/')); name = slash + 1, depth++) {
		AUTO_FREE char *folder = strndup(name, (size_t)(slash - name));

		if (depth < from)
			continue;
		fprintf(out, "<li><details%s><summary>", depth < 3 ? " open" : "");
		html_print(out, folder);
		fputs("/</summary><ul>\n", out);
	}
}

static void close_folders(FILE *out, int count)
{
	while (count-- > 0)
		fputs("</ul></details></li>\n", out);
}

static void print_files(FILE *out, const struct report *report)
{
	const char *before = "";
	size_t shown = 0;
	size_t all = 0;
	int open = 0;

	fputs("<section id=files><h2>Files and programs</h2>\n<div class=tree><ul>\n", out);
	for (size_t i = 0; i < report->target_count; i++) {
		const struct report_target *target = &report->targets[i];
		int common;

		if (target->network || all++ >= ROWS_MAX * 4)
			continue;
		common = common_depth(before, target->name);
		close_folders(out, open - common);
		open_folders(out, target->name, common);
		open = depth_of_name(target->name);
		before = target->name;
		fputs("<li data-row>", out);
		html_print(out, export_base_name(target->name));
		print_counts(out, target);
		fputs("</li>\n", out);
		shown++;
	}
	close_folders(out, open);
	fputs("</ul></div>\n", out);
	if (shown == 0)
		fputs("<p class=none>None are on record.</p>\n", out);
	print_rest(out, all, ROWS_MAX * 4);
	fputs("</section>\n", out);
}

static void print_endpoints(FILE *out, const struct report *report)
{
	size_t shown = 0;

	fputs("<section id=endpoints><h2>Endpoints</h2>\n<table><tbody>\n", out);
	for (size_t i = 0; i < report->target_count; i++) {
		const struct report_target *target = &report->targets[i];

		if (!target->network || shown++ >= ROWS_MAX)
			continue;
		fputs("<tr data-row><td class=mono>", out);
		html_print(out, target->name);
		fputs("</td><td>", out);
		print_counts(out, target);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table>\n", out);
	if (shown == 0)
		fputs("<p class=none>None are on record.</p>\n", out);
	print_rest(out, shown, ROWS_MAX);
	fputs("</section>\n", out);
}

/* ------------------------------------------------------------------------------- all records */

static void print_data(FILE *out, const struct report *report)
{
	fputs("<script type='application/json' id=data>{\"strings\":[", out);
	for (size_t i = 0; i < report->string_count; i++) {
		fputs(i ? "," : "", out);
		script_print(out, report->strings[i]);
	}
	fputs("],\n\"processes\":[", out);
	for (size_t i = 0; i < report->process_count; i++) {
		AUTO_FREE char *text = NULL;

		if (asprintf(&text, "%s %lld", export_base_name(report->processes[i].exe),
			     report->processes[i].pid) < 0)
			text = NULL;
		fputs(i ? "," : "", out);
		script_print(out, text);
	}
	fputs("],\n\"events\":[", out);
	for (size_t i = 0; i < report->event_count; i++) {
		const struct report_event *event = &report->events[i];

		fprintf(out, "%s[%lld,%u,%u,%u,%u,%u]", i ? ",\n" : "",
			event->ms - report->first_ms, event->event, event->op, event->target,
			event->rule, event->process);
	}
	fputs("]}</script>\n", out);
}

void report_print(FILE *out, const struct report *report)
{
	AUTO_FREE char *command = export_words(json_object_get(report->start, "command"));

	print_head(out, report, command ? command : "a log without start");
	print_blocked(out, report);
	print_processes(out, report);
	print_files(out, report);
	print_endpoints(out, report);
	fputs("<section id=all hidden><h2>All records</h2><p id=count role=status></p>"
	      "<div id=events tabindex=0 role=log aria-label='all records'></div>", out);
	if (report->left_out)
		fprintf(out, "<p class=none>%" PRIu64 " more are in the log.</p>", report->left_out);
	fputs("</section>\n<noscript><p class=none>The list of all records needs JavaScript; "
	      "<code>proctor log</code> prints it.</p></noscript>\n</main>\n", out);
	print_data(out, report);
	fprintf(out, "<script>\n%s</script>\n</body>\n</html>\n", report_js);
}
