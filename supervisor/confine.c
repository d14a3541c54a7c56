/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>

int confine(const int *calls, size_t count, bool reads_files)
{
#if defined(__SANITIZE_ADDRESS__)
	(void)calls;
	(void)count;
	(void)reads_files;
	return 0;
#else
	static const int memory[] = {SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise)};
	static const int coding[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, memory[i], 0);
	for (size_t i = 0; i < sizeof(coding) / sizeof(coding[0]) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, coding[i], 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* To read, and nothing that makes or changes a file. */
	if (r == 0 && reads_files)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ,
					     O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY));
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
#endif
}
