/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/record.h"
#include "core/cleanup.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/runner.h"

/* One record in the log `file`, without ts (which changes) and the links. */
static void check_record(const char *file, int number, const char *expected)
{
	AUTO_FREE char *bytes = log_slurp(file, NULL);
	char *line = strtok(bytes, "\n");
	char *end;

	for (int i = 1; i < number; i++)
		line = strtok(NULL, "\n");
	ck_assert_ptr_nonnull(line);
	line = strstr(line, ",\"seq\":");
	ck_assert_ptr_nonnull(line);
	end = strstr(line, ",\"prev\":\"");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	ck_assert_str_eq(line + 1, expected);
}

START_TEST(writes_fields_in_order)
{
	static const char *const flags[] = {"O_WRONLY", "O_CREAT", NULL};
	static const char *const args[] = {"sh", "-c", "true", NULL};
	const char *file = log_path("log");
	struct audit *audit = log_open(file, AUDIT_ALL);
	struct audit_record record = log_blocked();

	log_start(audit);
	ck_assert_int_eq(audit_write(audit, &record), 0);
	record.verdict.rule = &log_rule;
	record.flags = flags;
	record.args = args;
	record.host = "example.org";
	record.to = "/elsewhere";
	record.detail = "words";
	ck_assert_int_eq(audit_write(audit, &record), 0);
	record = (struct audit_record){.event = EVENT_LIMIT, .detail = "limit wall"};
	ck_assert_int_eq(audit_write(audit, &record), 0);
	record = (struct audit_record){.event = EVENT_ALLOWED,
				       .class = CLASS_NETWORK,
				       .op = OP_CONNECT,
				       .syscall = "connect",
				       .endpoint = "tcp:192.0.2.1:443"};
	ck_assert_int_eq(audit_write(audit, &record), 0);
	ck_assert_int_eq(audit_write_end(audit, 3, 1000000001), 0);
	audit_close(audit);

	check_record(file, 2,
		     "\"seq\":2,\"session\":\"20250102-030405-4711\",\"event\":\"blocked\","
		     "\"class\":\"file\",\"op\":\"read\",\"syscall\":\"openat\","
		     "\"arg\":\"../../etc/shadow\",\"path\":\"/etc/shadow\",\"decision\":\"deny\","
		     "\"rule\":null,\"errno\":\"EACCES\",\"pid\":4711,\"tid\":4712,\"ppid\":4700,"
		     "\"exec_id\":2,\"parent_exec_id\":1,\"exe\":\"/usr/bin/python3\","
		     "\"comm\":\"python3\",\"argv\":[\"python3\",\"tool.py\",\"--fast\"],"
		     "\"cwd\":\"/home/u/work\",\"uid\":1000");
	check_record(
		file, 3,
		"\"seq\":3,\"session\":\"20250102-030405-4711\",\"event\":\"blocked\","
		"\"class\":\"file\",\"op\":\"read\",\"syscall\":\"openat\","
		"\"arg\":\"../../etc/shadow\",\"path\":\"/etc/shadow\",\"host\":\"example.org\","
		"\"flags\":[\"O_WRONLY\",\"O_CREAT\"],\"args\":[\"sh\",\"-c\",\"true\"],"
		"\"decision\":\"deny\",\"rule\":{\"source\":\"/home/u/policy.yaml:12\","
		"\"text\":\"${HOME}/.ssh\"},\"errno\":\"EACCES\",\"to\":\"/elsewhere\","
		"\"pid\":4711,\"tid\":4712,\"ppid\":4700,\"exec_id\":2,\"parent_exec_id\":1,"
		"\"exe\":\"/usr/bin/python3\",\"comm\":\"python3\","
		"\"argv\":[\"python3\",\"tool.py\",\"--fast\"],\"cwd\":\"/home/u/work\","
		"\"uid\":1000,\"detail\":\"words\"");
	check_record(file, 4,
		     "\"seq\":4,\"session\":\"20250102-030405-4711\",\"event\":\"limit\","
		     "\"detail\":\"limit wall\"");
	check_record(file, 5,
		     "\"seq\":5,\"session\":\"20250102-030405-4711\",\"event\":\"allowed\","
		     "\"class\":\"network\",\"op\":\"connect\",\"syscall\":\"connect\","
		     "\"endpoint\":\"tcp:192.0.2.1:443\",\"decision\":\"allow\",\"rule\":null");
	check_record(file, 6,
		     "\"seq\":6,\"session\":\"20250102-030405-4711\",\"event\":\"end\","
		     "\"exit_code\":3,\"duration_s\":1.000000001,\"counts\":{\"event\":{"
		     "\"blocked\":2,\"would_block\":0,\"allowed\":1,\"rewritten\":0,\"exec\":0,"
		     "\"exit\":0,\"reported\":0,\"limit\":1},\"decision\":{\"allow\":1,\"deny\":2,\"rewrite\":0,"
		     "\"kill\":0},\"class\":{\"file\":2,\"exec\":0,\"network\":1,\"process\":0,"
		     "\"system\":0}},\"dropped\":0");
	log_check_sound(file);
}
END_TEST

START_TEST(default_target_is_the_folder)
{
	struct audit *audit = log_open(NULL, AUDIT_BLOCKED);

	ck_assert_str_eq(audit_target(audit, 0), log_path("audit.jsonl"));
	log_start(audit);
	audit_close(audit);
	log_check_sound(log_path("audit.jsonl"));
}
END_TEST

/* The tool's own word is marked as such; the end says what came of it. */
START_TEST(reported)
{
	static const char *const args[] = {"A_TOKEN", NULL};
	const struct audit_record record = {
		.event = EVENT_REPORTED, .function = "getenv", .args = args, .actor = NULL};
	const struct audit_library library = {.received = 7, .malformed = 2, .dropped = 1};
	const char *file = log_path("log");
	struct audit *audit = log_open(file, AUDIT_BLOCKED);
	AUTO_FREE char *bytes = NULL;

	log_start(audit);
	ck_assert_int_eq(audit_write(audit, &record), 0);
	audit_set_library(audit, &library);
	ck_assert_int_eq(audit_write_end(audit, 0, 1), 0);
	audit_close(audit);
	log_check_sound(file);
	check_record(file, 2,
		     "\"seq\":2,\"session\":\"20250102-030405-4711\",\"event\":\"reported\","
		     "\"source\":\"preload\",\"function\":\"getenv\",\"args\":[\"A_TOKEN\"]");
	bytes = log_slurp(file, NULL);
	ck_assert_ptr_nonnull(strstr(bytes, "\"reported\":1"));
	ck_assert_ptr_nonnull(strstr(
		bytes, "\"preload\":{\"received\":7,\"malformed\":2,\"dropped\":1},\"prev\""));
}
END_TEST

START_TEST(level_decides)
{
	static const int lines[] = {
		[AUDIT_BLOCKED] = 1 + 4, /* with start: blocked, would_block, reported, limit */
		[AUDIT_REWRITTEN] = 1 + 5,
		[AUDIT_ALL] = 1 + 8,
	};
	const char *file = log_path("log");
	struct audit *audit = log_open(file, (enum audit_level)_i);

	log_start(audit);
	for (int event = EVENT_START + 1; event < EVENT_END; event++) {
		static const struct audit_exit end = {.known = true, .signal = 9};
		static const char *const args[] = {"A_TOKEN", NULL};
		struct audit_record record = log_blocked();

		record.event = (enum audit_event)event;
		record.exit = event == EVENT_EXIT ? &end : NULL;
		record.detail = "words";
		if (event == EVENT_REPORTED) {
			record.function = "getenv";
			record.args = args;
		}
		if (event == EVENT_ALLOWED || event == EVENT_EXEC || event == EVENT_REWRITTEN)
			record.verdict = (struct verdict){DECISION_ALLOW, 0, NULL};
		if (event == EVENT_REWRITTEN) {
			record.verdict.decision = DECISION_REWRITE;
			record.to = "/elsewhere";
		}
		ck_assert_int_eq(audit_write(audit, &record), 0);
	}
	ck_assert_int_eq(log_lines(file), lines[_i]);
	ck_assert_uint_eq(audit_blocked_total(audit), 1);
	audit_close(audit);
	log_check_sound(file);
}
END_TEST

enum { THREADS = 8, RECORDS = 10000 };

static void *write_records(void *argument)
{
	struct audit *audit = argument;
	struct audit_record record = log_blocked();

	for (int i = 0; i < RECORDS; i++) {
		if (i % 2)
			record.path = "/etc/gshadow";
		ck_assert_int_eq(audit_write(audit, &record), 0);
	}
	return NULL;
}

START_TEST(threads_share_one_chain)
{
	const char *file = log_path("log");
	struct audit *audit = log_open(file, AUDIT_BLOCKED);
	pthread_t threads[THREADS];

	log_start(audit);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_records, audit), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(audit_blocked_total(audit), THREADS * RECORDS);
	ck_assert_int_eq(audit_write_end(audit, 0, 1), 0);
	audit_close(audit);
	ck_assert_int_eq(log_lines(file), THREADS * RECORDS + 2);
	log_check_chain(file);
}
END_TEST

/* Says on `fd` how many records were written, each after audit_write() returned. */
static void write_until_killed(const char *file, int fd)
{
	struct audit *audit = log_open(file, AUDIT_BLOCKED);
	const struct audit_record record = log_blocked();

	log_start(audit);
	for (;;) {
		if (audit_write(audit, &record) < 0 || write(fd, "", 1) != 1)
			_exit(1);
	}
}

static int acknowledged(int fd)
{
	char bytes[4096];
	ssize_t n;
	int count = 0;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		count += (int)n;
	return count;
}

/* Each session goes on in the log that the killed one before it left. */
START_TEST(survives_sigkill)
{
	const char *file = log_path("log");
	int before = 0;

	for (int i = 0; i < 100; i++) {
		const struct timespec pause = {.tv_nsec = 100000 + 37000 * i};
		struct error err;
		uint64_t line;
		int pipes[2];
		pid_t pid;
		int r;

		ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			write_until_killed(file, pipes[1]);
		close(pipes[1]);
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		before += acknowledged(pipes[0]);
		close(pipes[0]);
		if (i % 10 || access(file, F_OK) < 0)
			continue;
		r = audit_verify(file, NULL, &line, &err);
		ck_assert_msg(r == 0 || strstr(err.message, "is torn"), "%s", err.message);
		ck_assert_int_ge(log_lines(file), before);
	}
	log_session(file, 1);
	log_check_chain(file);
	ck_assert_int_gt(before, 100);
}
END_TEST

/* Every byte of every field an escape of six, and lists without end. */
START_TEST(longest_record)
{
	static char name[3 * RECORD_NAME_MAX];
	static const char *endless[5001];
	const struct rule_source rule = {.file = name, .line = UINT32_MAX, .text = name};
	struct audit_actor actor = {
		.pid = INT32_MAX,
		.tid = INT32_MAX,
		.ppid = INT32_MAX,
		.uid = UINT32_MAX,
		.exec_id = INT64_MAX,
		.parent_exec_id = INT64_MAX,
		.exe = name,
		.comm = "comm",
		.argv = endless,
		.cwd = name,
	};
	struct audit_record record = log_blocked();
	const char *file = log_path("log");
	struct audit *audit = log_open(file, AUDIT_ALL);
	AUTO_FREE char *bytes = NULL;
	size_t start_len;
	size_t len;

	memset(name, 1, sizeof(name) - 1);
	for (int i = 0; i < 5000; i++)
		endless[i] = name;
	log_start(audit);
	free(log_slurp(file, &start_len));
	record.arg = name;
	record.path = name;
	record.endpoint = NULL;
	record.host = name;
	record.args = endless;
	record.to = name;
	record.detail = name;
	record.actor = &actor;
	record.verdict.rule = &rule;
	ck_assert_int_eq(audit_write(audit, &record), 0);
	bytes = log_slurp(file, &len);
	ck_assert_uint_le(len - start_len, RECORD_MAX);
	ck_assert_uint_gt(len - start_len, RECORD_MAX - 32 * 1024);
	ck_assert_ptr_nonnull(strstr(bytes, "\"\xe2\x80\xa6 4999 more\"]"));
	audit_close(audit);
	log_check_sound(file);
}
END_TEST

/* Python reads the bytes back that were written, whatever they were. */
START_TEST(bytes_survive_python)
{
	const char *file = log_path("log");
	struct audit *audit = log_open(file, AUDIT_BLOCKED);
	struct audit_record record = log_blocked();

	log_start(audit);
	srandom(1);
	for (int i = 0; i < 3000; i++) {
		static const char interesting[] = "\x80\xbf\xc2\xe0\xed\xf0\xf4\xff\"\\\n\x1b";
		char arg[40];
		char hex[2 * sizeof(arg) + 1];
		size_t len = 1 + (size_t)random() % sizeof(arg);

		for (size_t j = 0; j < len; j++)
			arg[j] =
				random() % 2
					? (char)random()
					: interesting[(size_t)random() % (sizeof(interesting) - 1)];
		for (size_t j = 0; j < len; j++)
			snprintf(hex + 2 * j, 3, "%02x", (unsigned char)arg[j]);
		record.arg = arg;
		record.arg_len = len;
		record.detail = hex;
		ck_assert_int_eq(audit_write(audit, &record), 0);
	}
	audit_close(audit);
	log_check_sound(file);
	log_python("-c",
		   "import json, sys\n"
		   "for line in open(sys.argv[1], encoding='utf-8'):\n"
		   "    r = json.loads(line)\n"
		   "    if r['event'] == 'blocked':\n"
		   "        got = r['arg'].encode('utf-8', 'surrogateescape').hex()\n"
		   "        assert got == r['detail'], (got, r['detail'])",
		   file);
}
END_TEST

START_TEST(folds_blocked_attempts)
{
	struct audit *audit = log_open(log_path("log"), AUDIT_ALL);
	struct audit_record record = log_blocked();
	const struct audit_blocked *list;
	uint64_t other;
	size_t count;

	audit_blocked_list(audit, &count, &other);
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_eq(other, 0);
	audit_write(audit, &record);
	audit_write(audit, &record);
	record.event = EVENT_WOULD_BLOCK;
	audit_write(audit, &record);
	record.event = EVENT_ALLOWED;
	audit_write(audit, &record);
	record.event = EVENT_BLOCKED;
	record.op = OP_MODIFY;
	audit_write(audit, &record);
	record.op = OP_READ;
	record.verdict.rule = &log_rule;
	record.remedy = "";
	audit_write(audit, &record);
	record = (struct audit_record){.event = EVENT_BLOCKED,
				       .class = CLASS_SYSTEM,
				       .op = OP_CALL,
				       .syscall = "ptrace",
				       .verdict = {DECISION_DENY, EPERM, NULL}};
	audit_write(audit, &record);
	record = log_blocked();
	audit_write(audit, &record);
	record.detail = "another reason";
	audit_write(audit, &record);

	list = audit_blocked_list(audit, &count, &other);
	ck_assert_uint_eq(count, 6);
	ck_assert_uint_eq(other, 0);
	ck_assert_uint_eq(list[0].count, 3);
	ck_assert_str_eq(list[0].target, "/etc/shadow");
	ck_assert_str_eq(list[0].remedy, "files: {read: [/etc/shadow]}");
	ck_assert_str_eq(list[0].exe, "/usr/bin/python3");
	ck_assert_ptr_null(list[0].rule_file);
	ck_assert(list[1].observed && list[1].count == 1);
	ck_assert_int_eq(list[2].op, OP_MODIFY);
	ck_assert_str_eq(list[3].rule_file, log_rule.file);
	ck_assert_str_eq(list[3].rule_text, log_rule.text);
	ck_assert_uint_eq(list[3].rule_line, 12);
	ck_assert_ptr_null(list[3].remedy);
	ck_assert_str_eq(list[4].target, "ptrace");
	ck_assert_ptr_null(list[4].exe);
	ck_assert_ptr_null(list[4].detail);
	ck_assert_str_eq(list[5].detail, "another reason");
	ck_assert_uint_eq(audit_blocked_total(audit), 7);
	audit_close(audit);
}
END_TEST

/* Attempts on so many different files. */
static void write_many(struct audit *audit, enum access_class class, int count)
{
	struct audit_record record = log_blocked();

	record.class = class;
	for (int i = 0; i < count; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/file/%d", i);
		record.path = path;
		ck_assert_int_eq(audit_write(audit, &record), 0);
	}
}

START_TEST(keeps_a_bounded_number)
{
	enum { ROOM = AUDIT_BLOCKED_MAX - (CLASS_COUNT - 1) * AUDIT_BLOCKED_SHARE };
	struct audit *audit = log_open(log_path("log"), AUDIT_BLOCKED);
	struct audit_record record = log_blocked();
	uint64_t other;
	size_t count;

	write_many(audit, CLASS_FILE, ROOM + 5);
	record.path = "/file/7";
	ck_assert_int_eq(audit_write(audit, &record), 0);
	ck_assert_uint_eq(audit_blocked_list(audit, &count, &other)[7].count, 2);
	ck_assert_uint_eq(count, ROOM);
	ck_assert_uint_eq(other, 5);
	ck_assert_uint_eq(audit_blocked_total(audit), ROOM + 6);
	/* The others have their share all the same. */
	for (int class = 0; class < CLASS_COUNT; class++) {
		if (class != CLASS_FILE)
			write_many(audit, (enum access_class)class, AUDIT_BLOCKED_SHARE + 1);
	}
	ck_assert_int_eq(audit_blocked_list(audit, &count, &other)[ROOM].class,
			 CLASS_FILE == 0 ? 1 : 0);
	ck_assert_uint_eq(count, AUDIT_BLOCKED_MAX);
	ck_assert_uint_eq(other, 5 + CLASS_COUNT - 1);
	audit_close(audit);
}
END_TEST

START_TEST(errno_names)
{
	static const struct {
		int error;
		const char *field;
	} names[] = {
		{EPERM, "\"errno\":\"EPERM\""},   {ENOENT, "\"errno\":\"ENOENT\""},
		{ENOSYS, "\"errno\":\"ENOSYS\""}, {EAFNOSUPPORT, "\"errno\":\"EAFNOSUPPORT\""},
		{EAGAIN, "\"errno\":\"EAGAIN\""}, {4000, "\"errno\":\"4000\""},
	};
	const char *file = log_path("log");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct audit *audit = log_open(file, AUDIT_BLOCKED);
		struct audit_record record = log_blocked();
		AUTO_FREE char *bytes = NULL;

		record.verdict.error = names[i].error;
		log_start(audit);
		ck_assert_int_eq(audit_write(audit, &record), 0);
		audit_close(audit);
		bytes = log_slurp(file, NULL);
		ck_assert_msg(strstr(bytes, names[i].field), "%s", names[i].field);
	}
	log_check_sound(file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *tcase = tcase_create("audit");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, log_setup, log_teardown);
	tcase_add_test(tcase, writes_fields_in_order);
	tcase_add_test(tcase, default_target_is_the_folder);
	tcase_add_test(tcase, reported);
	tcase_add_loop_test(tcase, level_decides, AUDIT_BLOCKED, AUDIT_ALL + 1);
	tcase_add_test(tcase, threads_share_one_chain);
	tcase_add_test(tcase, survives_sigkill);
	tcase_add_test(tcase, longest_record);
	tcase_add_test(tcase, bytes_survive_python);
	tcase_add_test(tcase, folds_blocked_attempts);
	tcase_add_test(tcase, keeps_a_bounded_number);
	tcase_add_test(tcase, errno_names);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
