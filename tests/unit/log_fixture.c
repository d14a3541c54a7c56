/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/log_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"

static char folder[] = "/tmp/proctor-log-XXXXXX";

const struct rule_source log_rule = {
	.file = "/home/u/policy.yaml",
	.line = 12,
	.column = 5,
	.text = "${HOME}/.ssh",
};

static const char *const argv[] = {"python3", "tool.py", "--fast", NULL};

const struct audit_actor log_actor = {
	.pid = 4711,
	.tid = 4712,
	.ppid = 4700,
	.uid = 1000,
	.exec_id = 2,
	.parent_exec_id = 1,
	.exe = "/usr/bin/python3",
	.comm = "python3",
	.argv = argv,
	.cwd = "/home/u/work",
};

void log_setup(void)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void log_teardown(void)
{
	nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *log_path(const char *name)
{
	static char paths[4][sizeof(folder) + 256];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

struct audit *log_open(const char *target, enum audit_level level)
{
	const struct audit_config config = {
		.session = "20250102-030405-4711",
		.targets = &target,
		.target_count = target ? 1 : 0,
		.folder = folder,
		.level = level,
	};
	struct audit *audit = NULL;
	struct error err;

	ck_assert_msg(audit_open(&config, &audit, &err) == 0, "%s", err.message);
	return audit;
}

void log_start(struct audit *audit)
{
	static const char *const command[] = {"python3", "tool.py", NULL};
	static const char digest[] =
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
	struct audit_start start = {
		.version = "0.1.0",
		.command = command,
		.engine = "notify",
		.policy_count = 1,
	};
	__typeof__(*start.policies) policy = {.file = "profile:agent", .sha256 = digest};

	start.policies = &policy;
	ck_assert_int_eq(audit_write_start(audit, &start), 0);
}

struct audit_record log_blocked(void)
{
	return (struct audit_record){
		.event = EVENT_BLOCKED,
		.class = CLASS_FILE,
		.op = OP_READ,
		.syscall = "openat",
		.arg = "../../etc/shadow",
		.path = "/etc/shadow",
		.verdict = {.decision = DECISION_DENY, .error = EACCES},
		.actor = &log_actor,
		.remedy = "files: {read: [/etc/shadow]}",
	};
}

void log_session(const char *target, int count)
{
	struct audit *audit = log_open(target, AUDIT_BLOCKED);
	const struct audit_record record = log_blocked();

	log_start(audit);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(audit_write(audit, &record), 0);
	ck_assert_int_eq(audit_write_end(audit, 0, 1500000000), 0);
	audit_close(audit);
}

char *log_slurp(const char *file, size_t *ret_len)
{
	AUTO_FILE FILE *in = fopen(file, "re");
	char *bytes;
	long len;

	ck_assert_msg(in, "%s: %s", file, strerror(errno));
	ck_assert_int_eq(fseek(in, 0, SEEK_END), 0);
	len = ftell(in);
	ck_assert_int_ge(len, 0);
	rewind(in);
	bytes = malloc((size_t)len + 1);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_eq(fread(bytes, 1, (size_t)len, in), (size_t)len);
	bytes[len] = '\0';
	if (ret_len)
		*ret_len = (size_t)len;
	return bytes;
}

void log_spill(const char *file, const char *bytes, size_t len)
{
	AUTO_FILE FILE *out = fopen(file, "we");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
}

int log_lines(const char *file)
{
	AUTO_FREE char *bytes = log_slurp(file, NULL);
	int lines = 0;

	for (const char *at = bytes; (at = strchr(at, '\n')); at++)
		lines++;
	return lines;
}

void log_python(const char *first, const char *second, const char *third)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		execlp("python3", "python3", first, second, third, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "python3 %s %s", first,
		      second);
}

void log_check_chain(const char *file)
{
	struct error err;
	uint64_t line;

	ck_assert_msg(audit_verify(file, NULL, &line, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(line, (uint64_t)log_lines(file));
}

void log_check_sound(const char *file)
{
	const char *srcdir = getenv("srcdir");
	char script[4096];

	log_check_chain(file);
	snprintf(script, sizeof(script), "%s/tests/validate_log.py", srcdir ? srcdir : ".");
	log_python(script, file, NULL);
}
