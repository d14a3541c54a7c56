/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/tree_use.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/cleanup.h"

enum { TEXT_MAX = 16384, BLOCK = 512 /* st_blocks, stat(3type) */ };

/* Descriptors of a tree that are looked at, which takes some tenths of a second: with more, nobody could
 * say in time what is used. */
enum { LOOKS_MAX = 100000 };

static uint64_t nanoseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000U + (uint64_t)time->tv_usec * 1000U;
}

uint64_t tree_use_cpu(const struct tree_process *list, size_t count)
{
	const uint64_t tick_ns = 1000000000U / (uint64_t)sysconf(_SC_CLK_TCK);
	struct rusage ended;
	uint64_t sum = 0;

	if (getrusage(RUSAGE_CHILDREN, &ended) == 0)
		sum = nanoseconds(&ended.ru_utime) + nanoseconds(&ended.ru_stime);
	for (size_t i = 0; i < count; i++)
		sum += list[i].ticks * tick_ns;
	return sum;
}

/* The number behind "KEY:" at the beginning of a line. 0: there is none. */
static uint64_t number_of(const char *text, const char *key)
{
	const size_t len = strlen(key);

	while (text) {
		if (!strncmp(text, key, len) && text[len] == ':')
			return strtoull(text + len + 1, NULL, 10);
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return 0;
}

/* 0, or a negative errno. */
static int read_text(pid_t pid, const char *name, char text[TEXT_MAX])
{
	AUTO_CLOSE int fd = -1;
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, text, TEXT_MAX - 1);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	return 0;
}

/* True when that kept us from looking into it: it is not gone, and not about to be. */
static bool is_kept_from_us(int error, pid_t task)
{
	/* The folder of one that ends is root's (proc_pid(5)), and its parent has its counts. */
	if (error == -EACCES)
		return tree_state(task) != 'X';
	return error < 0 && error != -ENOENT && error != -ESRCH;
}

/* ---------------------------------------------------------------------------- memory */

struct memory_use {
	uint64_t anonymous;
	uint64_t shared;
};

/* Every page counts in each process that has it: never too little. */
static struct memory_use resident(pid_t pid)
{
	char text[TEXT_MAX];

	if (read_text(pid, "status", text) < 0)
		return (struct memory_use){0};
	return (struct memory_use){
		.anonymous = 1024 * (number_of(text, "RssAnon") + number_of(text, "VmSwap")),
		.shared = 1024 * number_of(text, "RssShmem"),
	};
}

/* Each process has its share of a page. */
static struct memory_use share(pid_t pid)
{
	char text[TEXT_MAX];

	if (read_text(pid, "smaps_rollup", text) < 0 || !strstr(text, "\nPss_Anon:"))
		return resident(pid);
	return (struct memory_use){
		.anonymous = 1024 * (number_of(text, "Pss_Anon") + number_of(text, "SwapPss")),
		.shared = 1024 * number_of(text, "Pss_Shmem"),
	};
}

/* Between vfork(2) and exec the memory is the parent's. */
static bool has_parents_memory(const struct tree_process *process)
{
	return syscall(SYS_kcmp, process->task, process->ppid, KCMP_VM, 0UL, 0UL) == 0;
}

static struct memory_use mapped(const struct tree_process *list, size_t count, bool exact)
{
	struct memory_use sum = {0};

	for (size_t i = 0; i < count; i++) {
		struct memory_use use;

		if (exact && has_parents_memory(&list[i]))
			continue;
		use = exact ? share(list[i].task) : resident(list[i].task);
		sum.anonymous += use.anonymous;
		sum.shared += use.shared;
	}
	return sum;
}

int file_id_compare(const struct file_id *a, const struct file_id *b)
{
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return (a->ino > b->ino) - (a->ino < b->ino);
}

static int by_id(const void *left, const void *right)
{
	const struct nameless *a = left;
	const struct nameless *b = right;

	return file_id_compare(&a->id, &b->id);
}

uint64_t file_bytes(const struct stat *stat)
{
	return (uint64_t)stat->st_blocks * BLOCK;
}

/* 0, or a negative errno: it could not be looked at. */
static int add_nameless(struct nameless_list *list, size_t *room, int folder, const char *name)
{
	struct statfs system;
	struct stat stat;
	char path[sizeof("/proc/self/fd/4294967295/") + NAME_MAX];

	if (fstatat(folder, name, &stat, 0) < 0)
		return errno == EACCES ? -EACCES : 0;
	if (!S_ISREG(stat.st_mode) || stat.st_nlink)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", folder, name);
	if (statfs(path, &system) < 0 || system.f_type != TMPFS_MAGIC)
		return 0;
	if (list->count == *room) {
		const size_t more = *room ? 2 * *room : 16;
		struct nameless *grown = reallocarray(list->files, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->files = grown;
		*room = more;
	}
	list->files[list->count++] =
		(struct nameless){{stat.st_dev, stat.st_ino}, file_bytes(&stat)};
	return 0;
}

/* Each once. */
static void sort_nameless(struct nameless_list *list)
{
	size_t kept = 0;

	if (list->count)
		qsort(list->files, list->count, sizeof(*list->files), by_id);
	for (size_t i = 0; i < list->count; i++) {
		if (kept == 0 || by_id(&list->files[kept - 1], &list->files[i]) != 0)
			list->files[kept++] = list->files[i];
	}
	list->count = kept;
	for (size_t i = 0; i < kept; i++)
		list->bytes += list->files[i].bytes;
}

/* As tree_use_nameless() for one task. 0, or a negative errno. */
static int add_all_nameless(struct nameless_list *list, size_t *room, pid_t task, size_t *looks)
{
	AUTO_DIR DIR *dir = NULL;
	const struct dirent *entry;
	char path[64];
	int error = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", task);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (error == 0 && (entry = readdir(dir))) {
		if (++*looks > LOOKS_MAX)
			return -EMFILE;
		if (isdigit((unsigned char)entry->d_name[0]))
			error = add_nameless(list, room, dirfd(dir), entry->d_name);
	}
	return error;
}

bool tree_use_nameless(const struct tree_process *list, size_t count, struct nameless_list *ret)
{
	size_t room = 0;
	size_t looks = 0;
	bool all = true;

	*ret = (struct nameless_list){0};
	for (size_t i = 0; i < count && all; i++)
		all = !is_kept_from_us(add_all_nameless(ret, &room, list[i].task, &looks),
				       list[i].task);
	sort_nameless(ret);
	return all;
}

bool nameless_list_has(const struct nameless_list *list, const struct file_id *id)
{
	const struct nameless key = {.id = *id};

	return list->count && bsearch(&key, list->files, list->count, sizeof(key), by_id);
}

uint64_t tree_use_segments(void)
{
	AUTO_FILE FILE *file = fopen("/proc/sysvipc/shm", "re");
	char line[512];
	uint64_t sum = 0;

	if (!file)
		return errno == ENOENT ? 0 : UINT64_MAX;
	while (fgets(line, sizeof(line), file)) {
		uint64_t resident;
		uint64_t swapped;
		int creator;

		if (sscanf(line,
			   "%*d %*d %*o %*u %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %" SCNu64
			   " %" SCNu64,
			   &creator, &resident, &swapped) == 3 &&
		    creator == getpid())
			sum += resident + swapped;
	}
	return sum;
}

uint64_t tree_use_memory(const struct tree_process *list, size_t count, uint64_t shared,
			 uint64_t enough)
{
	struct memory_use use = mapped(list, count, false);

	if (use.anonymous + use.shared + shared > enough)
		use = mapped(list, count, true);
	/* It may be mapped or not. */
	return use.anonymous + (use.shared > shared ? use.shared : shared);
}

/* ---------------------------------------------------------------------------- writing */

/* The count of proc_pid_io(5). */
static uint64_t written(const char *text)
{
	const uint64_t bytes = number_of(text, "write_bytes");
	const uint64_t cancelled = number_of(text, "cancelled_write_bytes");

	return bytes > cancelled ? bytes - cancelled : 0;
}

uint64_t tree_use_written(const struct tree_process *list, size_t count, int own,
			  uint64_t own_bytes)
{
	const ssize_t page = sysconf(_SC_PAGESIZE);
	char text[TEXT_MAX];
	ssize_t len = pread(own, text, sizeof(text) - 1, 0);
	uint64_t sum;

	if (len < 0)
		return UINT64_MAX;
	text[len] = '\0';
	own_bytes += (uint64_t)page - own_bytes % (uint64_t)page;
	/* A process takes over the counts of the children that it waits for: ours are orphans. */
	sum = written(text);
	sum = sum > own_bytes ? sum - own_bytes : 0;
	for (size_t i = 0; i < count; i++) {
		int error = read_text(list[i].task, "io", text);

		if (error == 0)
			sum += written(text);
		else if (is_kept_from_us(error, list[i].task))
			return UINT64_MAX;
	}
	return sum;
}

int tree_use_open(void)
{
	int fd;

	/* The folder of a process that is not dumpable is root's. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
	fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : fd;
}
