/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fileloop stat|missing|absent|create|rename|readdir COUNT
 *
 * In the working folder, COUNT times: stat(2) of a file; open(2) of one that is not there, and of one
 * by its full name; a file made, closed and removed; a file renamed; a folder of 100 files opened,
 * listed and closed. Prints the nanoseconds that one took.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 20, LISTED = 100 };

static char absent[PATH_MAX];

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	if (fd < 0 || close(fd) < 0)
		err(EXIT_FAILURE, "%s", path);
}

static void look(void)
{
	struct stat stat_buf;

	if (stat("file", &stat_buf) < 0)
		err(EXIT_FAILURE, "stat");
}

static void miss(void)
{
	if (open("missing", O_RDONLY) >= 0 || errno != ENOENT)
		err(EXIT_FAILURE, "open");
}

/* O_NONBLOCK: see floor.c. */
static void miss_by_full_name(void)
{
	if (open(absent, O_RDONLY | O_NONBLOCK) >= 0 || errno != ENOENT)
		err(EXIT_FAILURE, "open");
}

static void create(void)
{
	make("new");
	if (unlink("new") < 0)
		err(EXIT_FAILURE, "unlink");
}

static void move(void)
{
	static const char *const names[] = {"file", "moved"};
	static unsigned int at;

	if (rename(names[at], names[!at]) < 0)
		err(EXIT_FAILURE, "rename");
	at = !at;
}

static void list(void)
{
	DIR *folder = opendir("listed");
	int count = 0;

	while (folder && readdir(folder))
		count++;
	if (count != LISTED + 2 || closedir(folder) < 0)
		err(EXIT_FAILURE, "readdir");
}

static void prepare(void)
{
	char path[32];

	if (!getcwd(absent, sizeof(absent) - sizeof("/absent")))
		err(EXIT_FAILURE, "getcwd");
	strcat(absent, "/absent");

	unlink("moved");
	make("file");
	if (mkdir("listed", 0700) < 0 && errno != EEXIST)
		err(EXIT_FAILURE, "listed");
	for (int i = 0; i < LISTED; i++) {
		snprintf(path, sizeof(path), "listed/%d", i);
		make(path);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*act)(void);
	} acts[] = {{"stat", look},	{"missing", miss}, {"absent", miss_by_full_name},
		    {"create", create}, {"rename", move},  {"readdir", list}};
	const long count = argc > 2 ? atol(argv[2]) : 0;
	void (*act)(void) = NULL;
	double begin;

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (argc > 2 && !strcmp(argv[1], acts[i].name))
			act = acts[i].act;
	if (!act || count < 1)
		errx(EXIT_FAILURE, "usage: fileloop stat|missing|absent|create|rename|readdir COUNT");
	prepare();
	for (int i = 0; i < WARM_UP; i++)
		act();
	begin = now_ns();
	for (long i = 0; i < count; i++)
		act();
	printf("%.0f\n", (now_ns() - begin) / (double)count);
	return 0;
}
