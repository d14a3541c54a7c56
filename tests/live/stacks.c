/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stacks PATH [thread]: opens PATH for reading, through functions whose frames are of several kinds,
 * and prints the errno. With `thread`, in a thread of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int sink;

__attribute__((noinline)) static int frame_innermost(const char *path)
{
	int fd = open(path, O_RDONLY);

	sink = fd;
	return fd < 0 ? errno : 0;
}

/* Keeps a frame pointer: its frame has no fixed size. */
__attribute__((noinline)) static int frame_of_any_size(const char *path)
{
	char *copy = __builtin_alloca(strlen(path) + 64);
	int result;

	strcpy(copy, path);
	result = frame_innermost(copy);
	sink = result + (copy[0] == '/' ? 0 : 1);
	return result;
}

__attribute__((noinline)) static int frame_large(const char *path)
{
	volatile char room[20000];
	int result;

	room[0] = 1;
	result = frame_of_any_size(path);
	sink = result + room[0] - 1;
	return result;
}

static int compare(const void *left, const void *right)
{
	(void)right;
	sink = frame_large(*(const char *const *)left);
	return 0;
}

/* Through a callback of the library. */
__attribute__((noinline)) static int frame_callback(const char *path)
{
	const char *keys[2] = {path, path};

	qsort(keys, 2, sizeof(keys[0]), compare);
	return sink;
}

static void *frame_thread(void *path)
{
	printf("%d\n", frame_callback(path));
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 2)
		return 99;
	if (argc < 3) {
		printf("%d\n", frame_callback(argv[1]));
		return 0;
	}
	if (pthread_create(&thread, NULL, frame_thread, argv[1]) != 0)
		return 99;
	pthread_join(thread, NULL);
	return 0;
}
