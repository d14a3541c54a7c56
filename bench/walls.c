/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walls COMMAND [ARG...]
 *
 * The least that makes a process a confined one: a seccomp filter that lets everything pass but clone3(2),
 * which is answered with ENOSYS, and a Landlock domain in which all is allowed. Nobody is asked. What a fork,
 * a thread or an exec costs in here is what proctor's is measured against.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/kernel_abi.h"

static void enter_domain(void)
{
	const __u64 handled = PROCTOR_LANDLOCK_FS_EXECUTE | PROCTOR_LANDLOCK_FS_WRITE_FILE |
			      PROCTOR_LANDLOCK_FS_MAKE_REG;
	const struct landlock_ruleset_scoped attr = {.handled_access_fs = handled};
	struct landlock_path_rule rule = {.allowed_access = handled};
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);

	if (ruleset < 0)
		return; /* no Landlock here: proctor has none either */
	rule.parent_fd = open("/", O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, PROCTOR_LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		err(125, "Landlock");
	close(rule.parent_fd);
	close(ruleset);
}

static void install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		err(125, "seccomp");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(125, "usage: walls COMMAND [ARG...]");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err(125, "no_new_privs");
	enter_domain();
	install_filter();
	execvp(argv[1], argv + 1);
	err(errno == ENOENT ? 127 : 126, "%s", argv[1]);
}
