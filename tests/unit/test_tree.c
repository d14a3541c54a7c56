/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/tree.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/runner.h"

/* A child that makes a grandchild and tells its pid; both sleep. */
static pid_t grow(pid_t *ret_grandchild, bool leave)
{
	int pipes[2];
	pid_t child;

	ck_assert_int_eq(pipe(pipes), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0) {
			setsid();
			signal(SIGTERM, SIG_IGN);
			pause();
			_exit(0);
		}
		if (write(pipes[1], &grandchild, sizeof(grandchild)) < 0)
			_exit(1);
		if (!leave)
			pause();
		_exit(0);
	}
	ck_assert_int_eq(read(pipes[0], ret_grandchild, sizeof(*ret_grandchild)),
			 sizeof(*ret_grandchild));
	close(pipes[0]);
	close(pipes[1]);
	return child;
}

/* The exit status of a child that does `act`. */
static int in_child(int (*act)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(act());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int own_group(void)
{
	return setpgid(0, 0) == 0 && !tree_group_is_orphaned(getpid());
}

static int deeper_in_own_group(void)
{
	return setpgid(0, 0) == 0 && in_child(own_group) &&
	       in_child(own_group); /* its own parent is in another group of this session */
}

static int same_group(void)
{
	return tree_group_is_orphaned(getpid());
}

static int own_session(void)
{
	return setsid() > 0 && tree_group_is_orphaned(getpid()) && in_child(same_group) &&
	       in_child(own_group);
}

START_TEST(orphaned_groups)
{
	ck_assert_int_eq(in_child(own_group), 1);
	ck_assert_int_eq(in_child(deeper_in_own_group), 1);
	ck_assert_int_eq(in_child(own_session), 1);
}
END_TEST

START_TEST(contains_descendants)
{
	pid_t grandchild;
	pid_t child;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	child = grow(&grandchild, false);
	ck_assert(tree_contains(getpid(), getpid()));
	ck_assert(tree_contains(getpid(), child));
	ck_assert(tree_contains(getpid(), grandchild));
	ck_assert(tree_contains(child, grandchild));
	ck_assert(!tree_contains(child, getpid()));
	ck_assert(!tree_contains(grandchild, child));
	ck_assert(!tree_contains(getpid(), getppid()));
	ck_assert(!tree_contains(getpid(), 1));
	ck_assert(!tree_contains(getpid(), 0));
	ck_assert(!tree_contains(getpid(), -1));
	ck_assert(!tree_contains(getpid(), 0x3fffffff));
	tree_kill();
}
END_TEST

START_TEST(contains_orphans)
{
	pid_t grandchild;
	pid_t child;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	child = grow(&grandchild, true);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert(tree_contains(getpid(), grandchild));
	tree_kill();
	ck_assert_int_eq(kill(grandchild, 0), -1);
}
END_TEST

START_TEST(kills_all)
{
	pid_t grandchildren[4];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < 4; i++)
		kill(grow(&grandchildren[i], i % 2), SIGSTOP);
	tree_kill();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(kill(grandchildren[i], 0), -1);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	ck_assert_uint_eq(tree_signal(getpid(), 0), 0);
}
END_TEST

START_TEST(owns_groups)
{
	pid_t grandchild;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setpgid(0, 0);
	grow(&grandchild, false);
	while (getpgid(grandchild) != grandchild) /* its setsid(2) */
		usleep(1000);
	ck_assert(tree_owns_group(getpid(), grandchild, 0));
	ck_assert(!tree_owns_group(getpid(), getpgrp(), 0)); /* we are in it */
	ck_assert(tree_owns_group(getpid(), getpgrp(), getpid()));
	ck_assert(!tree_owns_group(grandchild, getpgrp(), getpid()));
	ck_assert(tree_shares_group(getpid(), getpgrp()));
	ck_assert(tree_shares_group(getpid(), grandchild));
	ck_assert(!tree_shares_group(grandchild, getpgrp()));
	ck_assert(tree_shares_group(getpid(), 0x3fffffff)); /* there is none */
	tree_kill();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tree");
	TCase *tests = tcase_create("tree");

	tcase_add_test(tests, contains_descendants);
	tcase_add_test(tests, contains_orphans);
	tcase_add_test(tests, kills_all);
	tcase_add_test(tests, orphaned_groups);
	tcase_add_test(tests, owns_groups);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
