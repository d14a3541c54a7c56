/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path_race plant FOLDER | path_race WAY SET TRIES FOLDER
 *
 * For each call that takes a path: makes it again and again on a path whose meaning somebody else keeps
 * switching between an object that may be reached (good) and one that is meant to be refused (bad).
 * Prints for each "CALL tries N good N bad N": how often it was carried out on which, or
 * "CALL unsupported". With 0 TRIES until it was on both; else until TRIES, and the good one was reached.
 *
 *	plant    makes the objects
 *	thread   a thread switches the path in memory
 *	vm       a process that shares the memory does (CLONE_VM)
 *	shared   a process with a shared mapping of it does
 *	link     nobody of ours: the last name of the path, a link, is exchanged
 *	folder   the same with the folder on the way
 *
 *	SET      changes: calls that change something; looks: those that only look at a name
 */
#include "path_race.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STACK = 65536, PATIENCE = 300000, YIELD_EVERY = 64 };

/* In memory that is shared with a process that switches. */
static struct {
	volatile unsigned int at; /* of the byte in which good and bad differ; 0: nothing is to be switched */
	volatile unsigned int seen; /* the same, as the one who switches has last read it */
	char path[3 * PATH_MAX];
} *operand;
static char good[2 * PATH_MAX];
static char bad[2 * PATH_MAX];
static struct stat bad_stat;
static int last_error;

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(99);
}

/* ------------------------------------------------------------------ what is switched */

static int switch_path(void *unused)
{
	static char nothing;

	(void)unused;
	for (;;) {
		const unsigned int at = operand->at;
		volatile char *byte = at ? &operand->path[at] : &nothing;

		operand->seen = at;
		*byte = 'g';
		*byte = 'b';
	}
	return 0;
}

static void *switch_path_thread(void *unused)
{
	switch_path(unused);
	return NULL;
}

/* 0: nobody of ours, or a thread, which ends with us. */
static pid_t start_switching(const char *way)
{
	static char stack[STACK] __attribute__((aligned(16)));
	pthread_t thread;
	pid_t pid = 0;

	if (!strcmp(way, "thread")) {
		if (pthread_create(&thread, NULL, switch_path_thread, NULL))
			give_up("pthread_create");
	} else if (!strcmp(way, "vm")) {
		pid = clone(switch_path, stack + STACK, CLONE_VM | SIGCHLD, NULL);
	} else if (!strcmp(way, "shared")) {
		pid = fork();
		if (pid == 0)
			_exit(switch_path(NULL));
	}
	if (pid < 0)
		give_up("clone");
	return pid;
}

/* ------------------------------------------------------------------ a try */

static void remove_entry(const char *path)
{
	if (unlink(path) < 0 && errno != ENOENT)
		rmdir(path);
}

static void make_entry(const char *path, enum object object, bool is_bad)
{
	int fd;

	if (object == FOLDERS) {
		mkdir(path, 0700);
		return;
	}
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (fd >= 0)
		close(fd);
	path_calls_mark(path, is_bad);
}

/* Whether the call has done something to the bad one. */
static bool reached_bad(const struct path_call *call)
{
	struct stat now;
	const bool there = lstat(bad, &now) == 0;

	if (call->kind == MAKES)
		return there;
	if (call->kind == REMOVES || !there)
		return !there;
	/* A change of any kind, a second name included. */
	return now.st_ctim.tv_sec != bad_stat.st_ctim.tv_sec ||
	       now.st_ctim.tv_nsec != bad_stat.st_ctim.tv_nsec || now.st_ino != bad_stat.st_ino;
}

/* As it was before the try. */
static void restore(const struct path_call *call, bool was_bad)
{
	const char *path = was_bad ? bad : good;

	if (call->kind == MAKES)
		remove_entry(path);
	else if (call->kind == REMOVES)
		make_entry(path, call->object, was_bad);
	else if (call->kind == MOVES && rename("t", path) == 0)
		unlink("t"); /* of two names of one file rename(2) leaves both */
	if (was_bad && call->kind == CHANGES)
		path_calls_mark(bad, true);
	if (was_bad && call->kind != MAKES && lstat(bad, &bad_stat) < 0)
		give_up(bad);
}

static enum outcome try_once(const struct path_call *call)
{
	const long result = path_call(call, operand->path);
	enum outcome told = FAILED;
	bool was_bad;

	last_error = errno;
	if (call->judge)
		told = call->judge(result);
	if (call->kind == TELLS)
		return told;
	was_bad = reached_bad(call);
	if (result >= 0 || was_bad)
		restore(call, was_bad);
	return was_bad ? BAD : result < 0 ? FAILED : GOOD;
}

static bool is_unsupported(const struct path_call *call)
{
	strcpy(operand->path, good);
	return try_once(call) != GOOD &&
	       (last_error == ENOSYS || last_error == EOPNOTSUPP || last_error == ENOTTY);
}

/* ------------------------------------------------------------------ all of them */

static const char *const kinds[] = {"files", "folders", "links", "nothing"};

/* Where the objects of a kind are; the last names but that of the folder's. */
static void name_objects(enum object object, const char *way, const char *folder, char *path)
{
	const bool below = !strcmp(way, "folder");
	char top[PATH_MAX];

	snprintf(top, sizeof(top), "%s/%s", folder, kinds[object]);
	snprintf(good, sizeof(good), "%s/%s", top, below ? "in/x" : "g");
	snprintf(bad, sizeof(bad), "%s/%s", top, below ? "denied/x" : "b");
	snprintf(path, sizeof(operand->path), "%s/%s", top,
		 below ? "way/x" : !strcmp(way, "link") ? "l" : "g");
	objects.good = good;
	if (objects.home > 0)
		close(objects.home);
	objects.home = open(top, O_RDONLY | O_DIRECTORY);
	if (objects.home < 0 || fchdir(objects.home) < 0)
		give_up(top);
}

static void prepare(const struct path_call *call)
{
	if (call->object == NOTHING)
		make_entry("s", FILES, false);
	else if (lstat(good, &objects.good_stat) < 0)
		give_up(good);
	lstat(bad, &bad_stat); /* it may be hidden, or not be there yet */
	path_calls_begin();
}

static void run(const struct path_call *call, const char *way, long tries, const char *folder)
{
	static char path[sizeof(operand->path)];
	long counts[3] = {0};
	long count = 0;

	if (call->nofollow && !strcmp(way, "link"))
		return;
	name_objects(call->object, way, folder, path);
	prepare(call);
	if (is_unsupported(call)) {
		printf("%s unsupported\n", call->name);
		return;
	}
	strcpy(operand->path, path);
	if (strcmp(way, "link") != 0 && strcmp(way, "folder") != 0)
		operand->at = (unsigned int)strlen(path) - 1;
	while (count < tries || (count < PATIENCE && (!counts[GOOD] || (!tries && !counts[BAD])))) {
		counts[try_once(call)]++;
		if (++count % YIELD_EVERY == 0)
			sched_yield(); /* on a busy machine nobody would switch anything for long */
	}
	operand->at = 0;
	while (operand->seen != 0) /* it may be about to write to the path of this call */
		sched_yield();
	printf("%s tries %ld good %ld bad %ld\n", call->name, count, counts[GOOD], counts[BAD]);
	fflush(stdout);
}

/* ------------------------------------------------------------------ the objects */

static void plant_one(enum object object, const char *path, bool is_bad)
{
	if (object == LINKS && symlink(is_bad ? "/proc/./././." : ".", path) < 0)
		give_up(path);
	if (object == FILES || object == FOLDERS)
		make_entry(path, object, is_bad);
}

static int plant(const char *folder)
{
	static const char *const places[] = {"g", "b", "in/x", "denied/x"};
	static const char *const links[][2] = {
		{"g", "l"}, {"b", "m"}, {"in", "way"}, {"denied", "other"}};

	for (int object = FILES; object <= NOTHING; object++) {
		char top[PATH_MAX];

		snprintf(top, sizeof(top), "%s/%s", folder, kinds[object]);
		if (mkdir(top, 0755) < 0 || chdir(top) < 0 || mkdir("in", 0755) < 0 ||
		    mkdir("denied", 0755) < 0)
			give_up(top);
		for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			plant_one((enum object)object, places[i], i % 2);
		for (unsigned int i = 0; i < sizeof(links) / sizeof(links[0]); i++)
			if (symlink(links[i][0], links[i][1]) < 0)
				give_up(links[i][1]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct path_call *call;
	pid_t child;

	if (argc == 3 && !strcmp(argv[1], "plant"))
		return plant(argv[2]);
	if (argc != 5)
		return 99;
	operand = mmap(NULL, sizeof(*operand), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);
	if (operand == MAP_FAILED)
		give_up("mmap");
	child = start_switching(argv[1]);
	for (call = !strcmp(argv[2], "looks") ? path_looks : path_changes; call->name; call++)
		run(call, argv[1], atol(argv[3]), argv[4]);
	if (child > 0)
		kill(child, SIGKILL);
	return 0;
}
