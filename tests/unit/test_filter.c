/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "supervisor/table.h"
#include "tests/unit/runner.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

enum { ALLOW = (int)SECCOMP_RET_ALLOW, NOTIFY = (int)SECCOMP_RET_USER_NOTIF };

/* Runs the program as the kernel would (seccomp(2), classic BPF). */
static int interpret(const struct sock_fprog *program, const struct seccomp_data *data)
{
	unsigned int accumulator = 0;
	unsigned int index = 0;

	for (unsigned int at = 0; at < program->len; at++) {
		const struct sock_filter *step = &program->filter[at];
		bool jump;

		switch (step->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			ck_assert_uint_le(step->k, sizeof(*data) - sizeof(accumulator));
			memcpy(&accumulator, (const char *)data + step->k, sizeof(accumulator));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			accumulator &= step->k;
			continue;
		case BPF_ALU | BPF_ADD: /* with BPF_K, which is 0 as well */
			accumulator += step->k;
			continue;
		case BPF_ALU | BPF_SUB | BPF_X:
			accumulator -= index;
			continue;
		case BPF_MISC | BPF_TAX:
			index = accumulator;
			continue;
		case BPF_RET | BPF_K:
			return (int)step->k;
		case BPF_JMP | BPF_JA:
			at += step->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			jump = accumulator == step->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_X:
			jump = accumulator == index;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			jump = accumulator > step->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			jump = accumulator >= step->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			jump = accumulator & step->k;
			break;
		default:
			ck_abort_msg("instruction 0x%x", step->code);
		}
		at += jump ? step->jt : step->jf;
	}
	ck_abort_msg("the program has no end");
}

static const struct sensitivity sensitivities[] = {
	{.network = false},
	{.read = true},
	{.exec = true},
	{.map = true},
	{.network = true},
	{.look = true},
	{.processes = true},
	{.map = true, .processes = true},
	{.read = true, .look = true, .exec = true, .map = true, .network = true},
	{.network = true, .disguise = true},
	{.network = true, .datagrams = true},
	{.library = true},
};

static struct sock_fprog program;
static struct sensitivity sensitive;

static void build(int which)
{
	struct error err = {0};

	sensitive = sensitivities[which];
	ck_assert_int_eq(filter_build(&sensitive, &program, &err), 0);
	ck_assert_uint_le(program.len, BPF_MAXINSNS);
}

static int action(int nr, unsigned int arg, uint64_t value)
{
	struct seccomp_data data = {.nr = nr, .arch = AUDIT_ARCH_X86_64};

	data.args[arg] = value;
	return interpret(&program, &data);
}

/* Rows that look at no argument. */
START_TEST(whole_calls)
{
	size_t count;
	const struct syscall_row *rows = syscall_rows(&count);

	build(_i);
	for (size_t i = 0; i < count; i++) {
		const struct syscall_row *row = &rows[i];
		int expected;

		switch (row->trap) {
		case TRAP_NEVER:
			expected = ALLOW;
			break;
		case TRAP_ALWAYS:
		case TRAP_CHANGE:
		case TRAP_OPENAT2:
			expected = NOTIFY;
			break;
		case TRAP_READ:
			expected = sensitive.read ? NOTIFY : ALLOW;
			break;
		case TRAP_LOOK:
			expected = sensitive.look ? NOTIFY : ALLOW;
			break;
		case TRAP_EXEC:
			expected = sensitive.exec ? NOTIFY : ALLOW;
			break;
		case TRAP_NET:
			expected = sensitive.network ? NOTIFY : ALLOW;
			break;
		case TRAP_DISGUISE:
			if (row->trap_arg)
				continue;
			expected = sensitive.disguise ? NOTIFY : ALLOW;
			break;
		default:
			continue;
		}
		for (unsigned int arg = 0; arg < 6; arg++) {
			ck_assert_msg(action(row->nr, arg, 0) == expected, "%s", row->name);
			ck_assert_msg(action(row->nr, arg, ~0ULL) == expected, "%s", row->name);
		}
	}
	filter_free(&program);
}
END_TEST

START_TEST(unknown_and_foreign)
{
	struct seccomp_data data = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};

	build(_i);
	for (int nr = 335; nr < 424; nr++)
		ck_assert_int_eq(action(nr, 0, 0), NOTIFY);
	for (int nr = 472; nr < 2000; nr++)
		ck_assert_int_eq(action(nr, 0, 0), NOTIFY);
	ck_assert_int_eq(action(-1, 0, 0), NOTIFY);
	ck_assert_int_eq(action(0x3fffffff, 0, 0), NOTIFY);
	for (int nr = 0; nr < 600; nr++)
		ck_assert_int_eq(action(0x40000000 + nr, 0, 0), NOTIFY);
	ck_assert_int_eq(interpret(&program, &data), NOTIFY);
	data.arch = 0;
	ck_assert_int_eq(interpret(&program, &data), NOTIFY);
	filter_free(&program);
}
END_TEST

START_TEST(opens)
{
	static const uint64_t harmless[] = {
		O_RDONLY, O_CLOEXEC, O_DIRECTORY | O_NOFOLLOW, O_NONBLOCK | O_NOCTTY, O_APPEND,
		O_RDONLY | 1ULL << 40,
	};
	static const uint64_t changes[] = {
		O_WRONLY, O_RDWR, 3, O_CREAT, O_TRUNC, O_TMPFILE | O_RDWR, O_TMPFILE, O_WRONLY | O_CLOEXEC,
		O_CREAT | O_EXCL, ~(uint64_t)O_PATH,
	};
	static const struct {
		int nr;
		unsigned int arg;
	} calls[] = {{SYS_open, 1}, {SYS_openat, 2}};

	build(_i);
	for (size_t i = 0; i < LEN(calls); i++) {
		for (size_t j = 0; j < LEN(harmless); j++)
			ck_assert_int_eq(action(calls[i].nr, calls[i].arg, harmless[j]),
					 sensitive.read || sensitive.look ? NOTIFY : ALLOW);
		for (size_t j = 0; j < LEN(changes); j++)
			ck_assert_int_eq(action(calls[i].nr, calls[i].arg, changes[j]), NOTIFY);
		ck_assert_int_eq(action(calls[i].nr, calls[i].arg, O_PATH),
				 sensitive.look ? NOTIFY : ALLOW);
		ck_assert_int_eq(action(calls[i].nr, calls[i].arg, O_PATH | O_CREAT),
				 sensitive.look ? NOTIFY : ALLOW);
	}
	ck_assert_int_eq(action(SYS_openat2, 2, 0), NOTIFY);
	ck_assert_int_eq(action(SYS_creat, 1, 0), NOTIFY);
	filter_free(&program);
}
END_TEST

START_TEST(namespaces)
{
	static const uint64_t flags[] = {CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
					 CLONE_NEWUSER, CLONE_NEWPID,   CLONE_NEWNET};
	static const struct {
		int nr;
		uint64_t flags;
	} processes[] = {
		{SYS_fork, 0},
		{SYS_vfork, 0},
		{SYS_clone, 17},
		{SYS_clone, CLONE_VM | CLONE_VFORK | 17},
	};

	build(_i);
	for (size_t i = 0; i < LEN(flags); i++) {
		ck_assert_int_eq(action(SYS_unshare, 0, flags[i]), NOTIFY);
		ck_assert_int_eq(action(SYS_clone, 0, flags[i] | 17), NOTIFY);
		ck_assert_int_eq(action(SYS_clone, 0, flags[i] | 1ULL << 32), NOTIFY);
	}
	ck_assert_int_eq(action(SYS_unshare, 0, 0x80), NOTIFY); /* CLONE_NEWTIME */
	ck_assert_int_eq(action(SYS_unshare, 0, CLONE_FS), ALLOW);
	ck_assert_int_eq(action(SYS_clone, 0, 0x3d0f00), ALLOW); /* pthread_create(3) */
	ck_assert_int_eq(action(SYS_clone, 0, 0x3d0f00 | CLONE_NEWNS), NOTIFY);
	for (size_t i = 0; i < LEN(processes); i++)
		ck_assert_int_eq(action(processes[i].nr, 0, processes[i].flags),
				 sensitive.processes ? NOTIFY : ALLOW);
	ck_assert_int_eq(action(SYS_clone3, 0, 0), NOTIFY);
	filter_free(&program);
}
END_TEST

/* Only what comes from where the C library starts a thread is answered without a notification. */
START_TEST(starts_of_threads)
{
	const struct seccomp_data thread = {
		.nr = SYS_clone3,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = 0x7f02001098d9,
		.args = {0x7ffc12345678, 88, 0x7f0200086b20, 0, 0x7f01fefff6c0, 0},
	};
	const struct {
		unsigned int arg;
		uint64_t value;
	} others[] = {
		{1, 64},                 /* another size */
		{2, 0},                  /* no function */
		{2, 0x7f0200086b21},     /* one that is none */
		{2, 0x7f0100086b20},     /* far away */
		{2, 0x7e0200086b20},
		{2, 0x7f020050a000},
		{2, 0x7f01ffd00000},
		{4, 0},                  /* no argument */
		{4, 12345},
		{4, 0x7f01fefff6c1},
	};
	struct seccomp_data data = thread;

	build(_i);
	ck_assert_int_eq(interpret(&program, &thread), SECCOMP_RET_ERRNO | ENOSYS);
	data.args[2] = 0x7f020040a000; /* behind the call */
	ck_assert_int_eq(interpret(&program, &data), SECCOMP_RET_ERRNO | ENOSYS);
	for (size_t i = 0; i < LEN(others); i++) {
		data = thread;
		data.args[others[i].arg] = others[i].value;
		ck_assert_int_eq(interpret(&program, &data), NOTIFY);
	}
	data = thread;
	data.nr = SYS_unshare;
	data.args[0] = CLONE_NEWNS;
	ck_assert_int_eq(interpret(&program, &data), NOTIFY);
	filter_free(&program);
}
END_TEST

/* Memory as code: only where a policy can refuse it, and only what may be a file's. */
START_TEST(mappings)
{
	struct seccomp_data data = {.nr = SYS_mmap, .arch = AUDIT_ARCH_X86_64};
	const uint64_t shared = CLONE_FILES | 17;
	int when;

	build(_i);
	when = sensitive.map ? NOTIFY : ALLOW;
	data.args[2] = PROT_READ | PROT_EXEC;
	data.args[3] = MAP_PRIVATE;
	ck_assert_int_eq(interpret(&program, &data), when);
	data.args[2] |= 1ULL << 32;
	ck_assert_int_eq(interpret(&program, &data), when);
	data.args[3] |= MAP_ANONYMOUS;
	ck_assert_int_eq(interpret(&program, &data), ALLOW);
	data.args[3] = MAP_SHARED;
	data.args[2] = PROT_READ | PROT_WRITE;
	ck_assert_int_eq(interpret(&program, &data), ALLOW);
	ck_assert_int_eq(action(SYS_mprotect, 2, PROT_EXEC), when);
	ck_assert_int_eq(action(SYS_mprotect, 2, PROT_READ), ALLOW);
	ck_assert_int_eq(action(SYS_pkey_mprotect, 2, PROT_EXEC | PROT_READ), when);
	ck_assert_int_eq(action(SYS_clone, 0, shared),
			 sensitive.map || sensitive.network || sensitive.processes ? NOTIFY : ALLOW);
	ck_assert_int_eq(action(SYS_clone, 0, shared | CLONE_VM | CLONE_THREAD), ALLOW);
	filter_free(&program);
}
END_TEST

/* The kernel looks at 32 bits of a command: what stands above must not hide it. */
START_TEST(commands)
{
	static const struct {
		int nr;
		unsigned int arg;
		uint64_t value;
		int expected;
	} rows[] = {
		{SYS_ioctl, 1, 0x5412 /* TIOCSTI */, NOTIFY},
		{SYS_ioctl, 1, 0x541C /* TIOCLINUX */, NOTIFY},
		{SYS_ioctl, 1, FS_IOC_SETFLAGS, NOTIFY},
		{SYS_ioctl, 1, FS_IOC_FSSETXATTR, NOTIFY},
		{SYS_ioctl, 1, 0x40806685 /* FS_IOC_ENABLE_VERITY */, NOTIFY},
		{SYS_ioctl, 1, FS_IOC_SETVERSION, NOTIFY},
		{SYS_ioctl, 1, 0x40086604 /* EXT4_IOC_SETVERSION */, NOTIFY},
		{SYS_ioctl, 1, 0x6609 /* EXT4_IOC_MIGRATE */, NOTIFY},
		{SYS_ioctl, 1, FS_IOC_SET_ENCRYPTION_POLICY, NOTIFY},
		{SYS_ioctl, 1, FS_IOC_ADD_ENCRYPTION_KEY, NOTIFY},
		{SYS_ioctl, 1, FS_IOC_REMOVE_ENCRYPTION_KEY, NOTIFY},
		{SYS_ioctl, 1, FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS, NOTIFY},
		{SYS_ioctl, 1, BTRFS_IOC_SET_RECEIVED_SUBVOL, NOTIFY},
		{SYS_ioctl, 1, 0x4004f50d /* F2FS_IOC_SET_PIN_FILE */, NOTIFY},
		{SYS_ioctl, 1, 0x4020bc10 /* BCH_IOCTL_SUBVOLUME_CREATE */, NOTIFY},
		{SYS_ioctl, 1, 0xaa00 /* USERFAULTFD_IOC_NEW */, NOTIFY},
		{SYS_ioctl, 1, 0x8901 /* FIOSETOWN */, NOTIFY},
		{SYS_ioctl, 1, 0x5401 /* TCGETS */, ALLOW},
		{SYS_ioctl, 1, FIONREAD, ALLOW},
		{SYS_ioctl, 1, FS_IOC_GETFLAGS, ALLOW},
		{SYS_fcntl, 1, F_SETOWN, NOTIFY},
		{SYS_fcntl, 1, F_SETOWN_EX, NOTIFY},
		{SYS_fcntl, 1, F_SETLEASE, NOTIFY},
		{SYS_fcntl, 1, F_NOTIFY, ALLOW},
		{SYS_fcntl, 1, F_GETFD, ALLOW},
		{SYS_fcntl, 1, F_SETFL, ALLOW},
		{SYS_fcntl, 1, F_DUPFD_CLOEXEC, ALLOW},
		{SYS_setsockopt, 2, IP_ADD_MEMBERSHIP, NOTIFY},
		{SYS_setsockopt, 2, IPV6_JOIN_GROUP, NOTIFY},
		{SYS_setsockopt, 2, MCAST_JOIN_GROUP, NOTIFY},
		{SYS_setsockopt, 2, SO_REUSEADDR, ALLOW},
		{SYS_prctl, 0, PR_SET_DUMPABLE, NOTIFY},
		{SYS_prctl, 0, PR_SET_MM, NOTIFY},
		{SYS_prctl, 0, PR_SET_NAME, ALLOW},
		{SYS_prctl, 0, PR_SET_NO_NEW_PRIVS, ALLOW},
	};

	build(_i);
	for (size_t i = 0; i < LEN(rows); i++) {
		ck_assert_int_eq(action(rows[i].nr, rows[i].arg, rows[i].value), rows[i].expected);
		ck_assert_int_eq(action(rows[i].nr, rows[i].arg, rows[i].value | 1ULL << 32),
				 rows[i].expected);
	}
	ck_assert_int_eq(action(SYS_personality, 0, 0xffffffff), ALLOW);
	ck_assert_int_eq(action(SYS_personality, 0, 0), ALLOW);
	ck_assert_int_eq(action(SYS_personality, 0, 0x0040000), NOTIFY);
	ck_assert_int_eq(action(SYS_personality, 0, 8), NOTIFY);
	filter_free(&program);
}
END_TEST

/* Where no socket takes a message elsewhere, only what connects by a message is looked at. */
START_TEST(messages)
{
	static const struct {
		int nr;
		unsigned int flags;
	} calls[] = {{SYS_sendmsg, 2}, {SYS_sendmmsg, 3}};
	static const uint64_t others[] = {0, MSG_NOSIGNAL, MSG_MORE, ~(uint64_t)MSG_FASTOPEN,
					  (uint64_t)MSG_FASTOPEN << 32};

	build(_i);
	for (size_t i = 0; i < LEN(calls); i++) {
		for (size_t j = 0; j < LEN(others); j++)
			ck_assert_int_eq(action(calls[i].nr, calls[i].flags, others[j]),
					 sensitive.network && sensitive.datagrams ? NOTIFY : ALLOW);
		ck_assert_int_eq(action(calls[i].nr, calls[i].flags, MSG_FASTOPEN),
				 sensitive.network ? NOTIFY : ALLOW);
		ck_assert_int_eq(action(calls[i].nr, calls[i].flags, ~0ULL),
				 sensitive.network ? NOTIFY : ALLOW);
	}
	filter_free(&program);
}
END_TEST

START_TEST(other_processes)
{
	static const int first[] = {SYS_sched_setparam, SYS_sched_setscheduler, SYS_sched_setattr,
				    SYS_sched_setaffinity, SYS_prlimit64, SYS_migrate_pages,
				    SYS_move_pages};

	build(_i);
	for (size_t i = 0; i < LEN(first); i++) {
		ck_assert_int_eq(action(first[i], 0, 0), ALLOW);
		ck_assert_int_eq(action(first[i], 0, 1), NOTIFY);
		ck_assert_int_eq(action(first[i], 0, 1ULL << 32), NOTIFY);
	}
	ck_assert_int_eq(action(SYS_setpriority, 0, 2 /* PRIO_USER */), NOTIFY);
	ck_assert_int_eq(action(SYS_setpriority, 1, 0), NOTIFY);
	ck_assert_int_eq(action(SYS_ioprio_set, 1, 0), NOTIFY);
	ck_assert_int_eq(action(SYS_kill, 0, 0), NOTIFY);
	ck_assert_int_eq(action(SYS_pidfd_send_signal, 0, 0), NOTIFY);
	filter_free(&program);
}
END_TEST

START_TEST(sends)
{
	build(_i);
	/* sendto without an address is a write. */
	ck_assert_int_eq(action(SYS_sendto, 4, 0), ALLOW);
	ck_assert_int_eq(action(SYS_sendto, 4, 0x1000), sensitive.network ? NOTIFY : ALLOW);
	ck_assert_int_eq(action(SYS_sendto, 4, 1ULL << 33), sensitive.network ? NOTIFY : ALLOW);
	ck_assert_int_eq(action(SYS_write, 0, 1), ALLOW);
	filter_free(&program);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter");
	TCase *tests = tcase_create("filter");
	const int count = (int)LEN(sensitivities);

	tcase_add_loop_test(tests, whole_calls, 0, count);
	tcase_add_loop_test(tests, unknown_and_foreign, 0, count);
	tcase_add_loop_test(tests, opens, 0, count);
	tcase_add_loop_test(tests, namespaces, 0, count);
	tcase_add_loop_test(tests, starts_of_threads, 0, count);
	tcase_add_loop_test(tests, commands, 0, count);
	tcase_add_loop_test(tests, mappings, 0, count);
	tcase_add_loop_test(tests, messages, 0, count);
	tcase_add_loop_test(tests, other_processes, 0, count);
	tcase_add_loop_test(tests, sends, 0, count);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
