/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * esc_rename below KIND TRIES PLACE NAME
 *
 * In the current folder a thread keeps changing `source` between a file and a folder with NAME in
 * it, while this one renames `source` to PLACE. Ends when PLACE/NAME is there, which is left there.
 *
 *	KIND  make: the source is removed and made anew; exchange: renameat2(RENAME_EXCHANGE);
 *	      move: by turns moved there from aside
 *
 * esc_rename replace TRIES FOLDER
 * esc_rename appear TRIES FOLDER
 *
 * The one moves a file to FOLDER/N, the other makes FOLDER/N at about the same moment; they meet in
 * the file `meeting` of the current folder. One of the two must fail, and not both.
 *
 * Prints "tries N good N bad N": how often it got there, and how often it should not have.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH = 4096, WINDOW = 200000, SECONDS = 90 };

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "esc_rename: %s: %s\n", what, strerrorname_np(errno));
	exit(99);
}

static bool make_file(const char *path)
{
	const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void spin(int64_t nanoseconds)
{
	const int64_t end = now() + nanoseconds;

	while (now() < end)
		;
}

/* ---------------------------------------------------------------- below */

static struct {
	const char *kind;
	const char *name;
	atomic_bool done;
} below;

static void make_folder(const char *path)
{
	char inner[PATH];

	snprintf(inner, sizeof(inner), "%s/%s", path, below.name);
	mkdir(path, 0700);
	make_file(inner);
}

static void remove_folder(const char *path)
{
	char inner[PATH];

	snprintf(inner, sizeof(inner), "%s/%s", path, below.name);
	unlink(inner);
	rmdir(path);
}

static void *change(void *unused)
{
	while (!below.done) {
		if (!strcmp(below.kind, "make")) {
			make_file("source");
			unlink("source");
			make_folder("source");
			remove_folder("source");
		} else if (!strcmp(below.kind, "exchange")) {
			make_file("source");
			make_folder("aside");
			for (int i = 0; i < 8; i++)
				renameat2(AT_FDCWD, "source", AT_FDCWD, "aside", RENAME_EXCHANGE);
			remove_folder("source");
			unlink("aside");
		} else {
			make_folder("aside");
			make_file("source");
			unlink("source");
			rename("aside", "source");
			rename("source", "aside");
		}
	}
	return unused;
}

/* What came to stand at the place is taken away again, other than what is looked for. */
static bool is_planted(const char *place)
{
	struct stat stat;

	if (lstat(place, &stat) < 0)
		return false;
	if (!S_ISDIR(stat.st_mode))
		return unlink(place) < 0;
	return rmdir(place) < 0 && errno == ENOTEMPTY;
}

static int try_below(long tries, const char *place)
{
	pthread_t thread;
	long good = 0;
	long bad = 0;

	if (pthread_create(&thread, NULL, change, NULL) != 0)
		give_up("pthread_create");
	for (long i = 0; i < tries && !bad; i++) {
		if (rename("source", place) < 0)
			continue;
		good++;
		bad += is_planted(place);
	}
	below.done = true;
	pthread_join(thread, NULL);
	printf("tries %ld good %ld bad %ld\n", tries, good, bad);
	return 0;
}

/* --------------------------------------------------------------- replace */

struct meeting {
	atomic_long asked;
	atomic_long answered;
	atomic_long appeared;
};

static struct meeting *meet(void)
{
	const int fd = open("meeting", O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	struct meeting *meeting;

	if (fd < 0 || ftruncate(fd, sizeof(*meeting)) < 0)
		give_up("meeting");
	meeting = mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (meeting == MAP_FAILED)
		give_up("mmap");
	close(fd);
	alarm(SECONDS);
	return meeting;
}

static int appear(long tries, const char *folder)
{
	struct meeting *meeting = meet();
	char path[PATH];
	uint64_t random = 1;

	for (long i = 1; i <= tries; i++) {
		snprintf(path, sizeof(path), "%s/%ld", folder, i);
		while (meeting->asked < i)
			;
		random = random * 6364136223846793005U + 1442695040888963407U;
		spin((int64_t)(random >> 33) % WINDOW);
		if (make_file(path))
			meeting->appeared++;
		meeting->answered = i;
	}
	return 0;
}

static int replace(long tries, const char *folder)
{
	struct meeting *meeting = meet();
	char path[PATH];
	long good = 0;

	for (long i = 1; i <= tries; i++) {
		snprintf(path, sizeof(path), "%s/%ld", folder, i);
		make_file("moved");
		meeting->asked = i;
		good += rename("moved", path) == 0;
		while (meeting->answered < i)
			sched_yield();
	}
	printf("tries %ld good %ld bad %ld\n", tries, good, meeting->appeared + good - tries);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "below")) {
		below.kind = argv[2];
		below.name = argv[5];
		return try_below(strtol(argv[3], NULL, 10), argv[4]);
	}
	if (argc == 4 && !strcmp(argv[1], "replace"))
		return replace(strtol(argv[2], NULL, 10), argv[3]);
	if (argc == 4 && !strcmp(argv[1], "appear"))
		return appear(strtol(argv[2], NULL, 10), argv[3]);
	return 99;
}
