/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/call.h"
#include "tests/unit/runner.h"

/*
 * Every call whose operands that matter for a decision stand in memory, or behind a descriptor that
 * can be exchanged: written down here without a look at the table. What of them is mediated must
 * never run in the kernel after a decision.
 */
static const char *const by_pointer[] = {
	/* a path */
	"open", "creat", "openat", "openat2", "truncate", "rename", "renameat", "renameat2", "mkdir",
	"mkdirat", "rmdir", "link", "linkat", "unlink", "unlinkat", "symlink", "symlinkat", "chmod",
	"fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "utime", "utimes", "futimesat",
	"utimensat", "mknod", "mknodat", "setxattr", "lsetxattr", "removexattr", "lremovexattr",
	"setxattrat", "removexattrat", "file_setattr", "inotify_add_watch", "execve", "execveat",
	/* a path that is only looked at */
	"stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
	"readlinkat", "statfs", "name_to_handle_at", "file_getattr", "getxattr", "lgetxattr",
	"listxattr", "llistxattr", "getxattrat", "listxattrat", "chdir",
	/* a descriptor */
	"getdents", "getdents64", "mmap", "fchmod", "fchown", "fsetxattr", "fremovexattr", "ioctl",
	"pidfd_send_signal", "pidfd_getfd",
	/* what is mapped there */
	"mprotect", "pkey_mprotect",
	/* an address, or a message with one */
	"connect", "bind", "sendto", "sendmsg", "sendmmsg", "getsockname", "listen",
	/* another structure */
	"clone3", "fcntl", "mq_open", "mq_unlink",
};

static bool listed(const char *name)
{
	for (size_t i = 0; i < sizeof(by_pointer) / sizeof(by_pointer[0]); i++) {
		if (!strcmp(by_pointer[i], name))
			return true;
	}
	return false;
}

static const struct syscall_row *find(const char *name)
{
	size_t count;
	const struct syscall_row *rows = syscall_rows(&count);

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	}
	ck_abort_msg("no row for %s", name);
}

START_TEST(what_is_decided_by_pointer_is_by_memory)
{
	const struct syscall_row *row = find(by_pointer[_i]);

	ck_assert_msg(row->by == BY_MEMORY, "%s", row->name);
	ck_assert_msg(row->trap != TRAP_NEVER, "%s", row->name);
	ck_assert_msg(row->handler != NULL, "%s", row->name);
}
END_TEST

/* The iron rule: CONTINUE is out of reach for every row that is decided through memory. */
START_TEST(by_memory_never_continues)
{
	size_t count;
	const struct syscall_row *rows = syscall_rows(&count);

	ck_assert_uint_gt(count, 370);
	for (size_t i = 0; i < count; i++) {
		const struct call call = {.row = &rows[i], .request.nr = rows[i].nr};
		struct reply reply = reply_continue(&call);

		ck_assert_int_eq(syscall_may_continue(&rows[i]), rows[i].by == BY_VALUE);
		if (rows[i].by == BY_VALUE) {
			ck_assert_int_eq(reply.kind, REPLY_CONTINUE);
			continue;
		}
		ck_assert_msg(reply.kind == REPLY_ERROR, "%s", rows[i].name);
		ck_assert_int_eq(reply.error, EPERM);
		ck_assert_int_eq(reply.fd, -1);
	}
}
END_TEST

START_TEST(unknown_never_continues)
{
	const struct call call = {.row = NULL, .request.nr = 500};

	ck_assert(!syscall_may_continue(NULL));
	ck_assert_int_eq(reply_continue(&call).kind, REPLY_ERROR);
}
END_TEST

/* Only execve and execveat are answered with an exec that the kernel does; they are BY_MEMORY, and
 * go to a handler of their own. */
START_TEST(exec_is_its_own_way)
{
	size_t count;
	const struct syscall_row *rows = syscall_rows(&count);

	for (size_t i = 0; i < count; i++) {
		const bool exec = !strcmp(rows[i].name, "execve") || !strcmp(rows[i].name, "execveat");

		ck_assert_int_eq(rows[i].trap == TRAP_EXEC, exec);
		ck_assert_int_eq(rows[i].class == CLASS_EXEC && rows[i].op == OP_EXEC, exec);
	}
	ck_assert_int_eq(reply_exec(NULL).kind, REPLY_EXEC);
}
END_TEST

START_TEST(mediated_by_memory_is_listed)
{
	size_t count;
	const struct syscall_row *rows = syscall_rows(&count);

	for (size_t i = 0; i < count; i++) {
		/* Which thread's mask it is stands in memory that we write: nothing is decided by it. */
		if (!strcmp(rows[i].name, "sched_getaffinity") ||
		    !strcmp(rows[i].name, "sched_setaffinity"))
			continue;
		if (rows[i].by == BY_MEMORY)
			ck_assert_msg(listed(rows[i].name), "%s is missing here", rows[i].name);
	}
}
END_TEST

START_TEST(rows_make_sense)
{
	size_t count;
	const struct syscall_row *rows = syscall_rows(&count);

	for (size_t i = 0; i < count; i++) {
		const struct syscall_row *row = &rows[i];

		if (i > 0)
			ck_assert_msg(rows[i - 1].nr < row->nr, "%s is out of order", row->name);
		ck_assert_ptr_eq(syscall_row(row->nr), row);
		ck_assert_int_eq(row->trap == TRAP_NEVER, row->handler == NULL);
		ck_assert_msg(row->error == EACCES || row->error == EPERM || row->error == ENOSYS,
			      "%s", row->name);
		ck_assert_uint_lt(row->trap_arg, 6);
	}
	ck_assert_ptr_null(syscall_row(-1));
	ck_assert_ptr_null(syscall_row(340));
	ck_assert_ptr_null(syscall_row(500));
	ck_assert_ptr_null(syscall_row(0x40000000));
}
END_TEST

/* Every number that the system's header knows has a row with the right name. */
START_TEST(header_is_covered)
{
	static const char *const headers[] = {
		"/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
		"/usr/include/asm/unistd_64.h",
	};
	FILE *file = NULL;
	char line[256];
	unsigned int seen = 0;

	for (size_t i = 0; i < 2 && !file; i++)
		file = fopen(headers[i], "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		const struct syscall_row *row;
		char name[64];
		int nr;

		if (sscanf(line, "#define __NR_%63s %d", name, &nr) != 2)
			continue;
		seen++;
		/* uretprobe, uprobe: no filter is asked about them. */
		if (nr == 335 || nr == 336)
			continue;
		row = syscall_row(nr);
		ck_assert_msg(row != NULL, "%s (%d) has no row", name, nr);
		ck_assert_str_eq(row->name, name);
	}
	fclose(file);
	ck_assert_uint_gt(seen, 300);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tests = tcase_create("table");

	tcase_add_loop_test(tests, what_is_decided_by_pointer_is_by_memory, 0,
			    sizeof(by_pointer) / sizeof(by_pointer[0]));
	tcase_add_test(tests, by_memory_never_continues);
	tcase_add_test(tests, unknown_never_continues);
	tcase_add_test(tests, exec_is_its_own_way);
	tcase_add_test(tests, mediated_by_memory_is_listed);
	tcase_add_test(tests, rows_make_sense);
	tcase_add_test(tests, header_is_covered);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
