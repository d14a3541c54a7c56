/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/lives.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "core/cleanup.h"
#include "supervisor/actor.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/session.h"
#include "supervisor/stats.h"
#include "supervisor/tracee.h"

enum {
	EVENTS = 64,
	FORKS_MAX = 256, /* that are looked after at once; what is beyond is known by its calls */
	PRUNE = 1024,
	FORK_TRIES = 6,  /* looks for a child: 1 ms after the answer to a fork, 4 ms later, 16... */
};

struct life {
	pid_t pid;
	uint64_t start_time; /* as in struct proc_stat */
	int pidfd;
	struct audit_actor actor; /* points to what follows */
	char exe[PATH_MAX];
	char comm[64];
	struct proc_usage usage;
	bool used;   /* `usage` is known */
	bool leaves; /* with `status`, waitpid(2) */
	int status;
	UT_hash_handle hh;
};

/* A process whose end is logged, and that may be seen still: nobody has waited for it. */
struct ended {
	pid_t pid;
	uint64_t start_time;
	UT_hash_handle hh;
};

struct fork_note {
	pid_t tgid;
	pid_t tid;
	unsigned int tries;
	uint64_t due_ns; /* CLOCK_MONOTONIC of the next look */
};

struct lives {
	struct session *session;
	int epoll;
	int wake;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* of what follows */
	struct life *table;
	struct ended *ended;
	unsigned int prune_at;
	unsigned int begun; /* lives so far */
	struct fork_note forks[FORKS_MAX];
	size_t fork_count;
	bool over;
};

struct lives *lives_new(struct session *session)
{
	struct lives *lives = calloc(1, sizeof(*lives));
	struct epoll_event event = {.events = EPOLLIN};

	if (!lives)
		return NULL;
	lives->session = session;
	lives->prune_at = PRUNE;
	pthread_mutex_init(&lives->lock, NULL);
	lives->epoll = epoll_create1(EPOLL_CLOEXEC);
	lives->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lives->epoll < 0 || lives->wake < 0 ||
	    epoll_ctl(lives->epoll, EPOLL_CTL_ADD, lives->wake, &event) < 0) {
		close_fd(&lives->epoll);
		close_fd(&lives->wake);
		free(lives);
		return NULL;
	}
	return lives;
}

/* ------------------------------------------------------------------------- the beginning */

/* What /proc says of it. */
static void describe(struct lives *lives, struct life *life)
{
	struct proc_status status;

	if (proc_readlink(lives->session, life->pid, "exe", life->exe, sizeof(life->exe)) > 0)
		life->actor.exe = life->exe;
	if (proc_status(lives->session, life->pid, &status) == 0) {
		memcpy(life->comm, status.comm, sizeof(life->comm));
		life->actor.comm = life->comm;
	}
	life->actor.exec_id =
		identity_of(lives->session, life->pid, &life->actor.parent_exec_id);
}

/* What was seen too late, as a zombie, is what its parent was. */
static void describe_as_parent(struct lives *lives, struct life *life)
{
	const struct life *parent;

	HASH_FIND(hh, lives->table, &life->actor.ppid, sizeof(pid_t), parent);
	if (!parent)
		return;
	life->actor.exec_id = parent->actor.exec_id;
	life->actor.parent_exec_id = parent->actor.parent_exec_id;
	memcpy(life->exe, parent->exe, sizeof(life->exe));
	memcpy(life->comm, parent->comm, sizeof(life->comm));
	life->actor.exe = parent->actor.exe ? life->exe : NULL;
	life->actor.comm = parent->actor.comm ? life->comm : NULL;
}

static struct life *begin(struct lives *lives, pid_t pid, const struct proc_stat *stat)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)pid};
	struct life *life = calloc(1, sizeof(*life));
	struct proc_stat now;

	if (!life)
		return NULL;
	life->pid = pid;
	life->start_time = stat->start_time;
	life->actor = (struct audit_actor){
		.pid = pid, .tid = pid, .ppid = stat->ppid, .uid = geteuid()};
	life->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (life->pidfd < 0 || proc_stat(lives->session, pid, &now) < 0 ||
	    now.start_time != stat->start_time ||
	    epoll_ctl(lives->epoll, EPOLL_CTL_ADD, life->pidfd, &event) < 0) {
		close_fd(&life->pidfd);
		free(life);
		return NULL;
	}
	if (now.state == 'Z' || now.state == 'X')
		describe_as_parent(lives, life);
	else
		describe(lives, life);
	HASH_ADD(hh, lives->table, pid, sizeof(life->pid), life);
	lives->begun++;
	return life;
}

static void write_end(struct lives *lives, struct life *life);

/* Forgets what nobody can see any more. */
static void prune(struct lives *lives)
{
	struct ended *ended;
	struct ended *next;
	struct proc_stat stat;

	HASH_ITER(hh, lives->ended, ended, next) {
		/* cppcheck-suppress uninitvar */
		if (proc_stat(lives->session, ended->pid, &stat) == 0 &&
		    stat.start_time == ended->start_time)
			continue;
		HASH_DEL(lives->ended, ended);
		free(ended);
	}
	lives->prune_at = HASH_COUNT(lives->ended) + PRUNE;
}

/* Takes a life out of the table. With the lock held. */
static void bury(struct lives *lives, struct life *life)
{
	struct ended *ended;

	HASH_DEL(lives->table, life);
	HASH_FIND(hh, lives->ended, &life->pid, sizeof(life->pid), ended);
	if (!ended) {
		if (HASH_COUNT(lives->ended) >= lives->prune_at)
			prune(lives);
		ended = calloc(1, sizeof(*ended));
		if (!ended)
			return;
		ended->pid = life->pid;
		HASH_ADD(hh, lives->ended, pid, sizeof(ended->pid), ended);
	}
	ended->start_time = life->start_time;
}

static bool is_buried(struct lives *lives, pid_t pid, const struct proc_stat *stat)
{
	struct ended *ended;

	HASH_FIND(hh, lives->ended, &pid, sizeof(pid), ended);
	return ended && ended->start_time == stat->start_time;
}

/* With the lock held. NULL: it is gone, or memory is out. A life whose number another process has by
 * now is ended. */
static struct life *look_up(struct lives *lives, pid_t pid)
{
	struct proc_stat stat;
	struct life *life;

	if (proc_stat(lives->session, pid, &stat) < 0)
		return NULL;
	HASH_FIND(hh, lives->table, &pid, sizeof(pid), life);
	if (life && life->start_time != stat.start_time) {
		bury(lives, life);
		write_end(lives, life);
		life = NULL;
	}
	if (life || is_buried(lives, pid, &stat))
		return life;
	return begin(lives, pid, &stat);
}

void lives_see(struct lives *lives, pid_t pid)
{
	if (!lives)
		return;
	pthread_mutex_lock(&lives->lock);
	look_up(lives, pid);
	pthread_mutex_unlock(&lives->lock);
}

void lives_executed(struct lives *lives, pid_t pid)
{
	struct life *life;

	if (!lives)
		return;
	pthread_mutex_lock(&lives->lock);
	life = look_up(lives, pid);
	if (life)
		describe(lives, life);
	pthread_mutex_unlock(&lives->lock);
}

void lives_forks(struct lives *lives, struct call *call)
{
	const uint64_t one = 1;

	if (!lives)
		return;
	pthread_mutex_lock(&lives->lock);
	if (lives->fork_count < FORKS_MAX)
		lives->forks[lives->fork_count++] =
			(struct fork_note){.tgid = call_tgid(call),
					   .tid = call->request.tid,
					   .due_ns = stats_now() + 1000000U};
	pthread_mutex_unlock(&lives->lock);
	(void)!write(lives->wake, &one, sizeof(one));
}

/* True when there is a child that was not known. */
static bool see_children(struct lives *lives, const struct fork_note *note)
{
	AUTO_FILE FILE *file = NULL;
	unsigned int before;
	unsigned int after;
	char path[64];
	int pid;
	int fd;

	snprintf(path, sizeof(path), "%d/task/%d/children", note->tgid, note->tid);
	fd = openat(lives->session->proc, path, O_RDONLY | O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (fd >= 0 && !file)
		close(fd);
	pthread_mutex_lock(&lives->lock);
	before = lives->begun;
	while (file && fscanf(file, "%d", &pid) == 1)
		look_up(lives, pid);
	after = lives->begun;
	pthread_mutex_unlock(&lives->lock);
	return after != before;
}

/* Looks after forks. Returns how many ms there are until the next look, -1: none is due. */
static int see_forks(struct lives *lives)
{
	struct fork_note notes[FORKS_MAX];
	uint64_t next = UINT64_MAX;
	const uint64_t now = stats_now();
	size_t count;

	pthread_mutex_lock(&lives->lock);
	count = lives->fork_count;
	memcpy(notes, lives->forks, count * sizeof(notes[0]));
	lives->fork_count = 0;
	pthread_mutex_unlock(&lives->lock);
	for (size_t i = 0; i < count; i++) {
		struct fork_note *note = &notes[i];

		if (note->due_ns <= now) {
			if (see_children(lives, note) || ++note->tries == FORK_TRIES)
				continue;
			note->due_ns = now + (1000000ULL << 2 * note->tries);
		}
		if (note->due_ns < next)
			next = note->due_ns;
		pthread_mutex_lock(&lives->lock);
		if (lives->fork_count < FORKS_MAX)
			lives->forks[lives->fork_count++] = *note;
		pthread_mutex_unlock(&lives->lock);
	}
	return next == UINT64_MAX ? -1 : (int)((next - now) / 1000000U) + 1;
}

/* --------------------------------------------------------------------------- the end */

void lives_leaves(struct lives *lives, struct call *call, int status)
{
	struct life *life;

	if (!lives)
		return;
	pthread_mutex_lock(&lives->lock);
	life = look_up(lives, call_tgid(call));
	if (life) {
		life->leaves = true;
		life->status = status;
		life->used = proc_usage(lives->session, life->pid, &life->usage) == 0;
	}
	pthread_mutex_unlock(&lives->lock);
}

/* The status of what has ended, and of a zombie its usage. False: nobody knows it. */
static bool find_status(struct lives *lives, struct life *life, int *ret)
{
	struct kernel_pidfd_info info = {.mask = KERNEL_PIDFD_INFO_EXIT};
	const uint64_t peak = life->usage.max_rss_bytes;
	struct proc_usage usage;

	if (proc_usage(lives->session, life->pid, &usage) == 0 && usage.ended &&
	    usage.start_time == life->start_time) {
		life->usage = usage;
		life->usage.max_rss_bytes = peak; /* a zombie has no memory */
		life->used = true;
		*ret = usage.status;
		return true;
	}
	if (ioctl(life->pidfd, KERNEL_PIDFD_GET_INFO, &info) == 0 &&
	    (info.mask & KERNEL_PIDFD_INFO_EXIT)) {
		*ret = info.exit_code;
		return true;
	}
	*ret = life->status;
	return life->leaves;
}

/* Clock ticks since boot as time of day. */
static struct timespec time_of_day(uint64_t ticks)
{
	const uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec real;
	struct timespec boot;
	int64_t ns;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	ns = (real.tv_sec - boot.tv_sec) * 1000000000LL + real.tv_nsec - boot.tv_nsec +
	     (int64_t)(ticks * (1000000000U / per_second));
	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

/* Writes the record and frees what is out of the table by now. */
static void write_end(struct lives *lives, struct life *life)
{
	struct audit_exit end = {
		.started = time_of_day(life->start_time),
	};
	const struct audit_record record = {
		.event = EVENT_EXIT, .actor = &life->actor, .exit = &end};
	int status = 0;

	end.known = find_status(lives, life, &status);
	if (WIFSIGNALED(status))
		end.signal = WTERMSIG(status);
	else
		end.exit_code = WEXITSTATUS(status);
	end.used = life->used;
	end.user_ns = life->usage.user_ns;
	end.system_ns = life->usage.system_ns;
	end.max_rss_bytes = life->usage.max_rss_bytes;
	if (audit_write(lives->session->audit, &record) < 0)
		session_fail(lives->session);
	close_fd(&life->pidfd);
	free(life);
}

static void end_life(struct lives *lives, pid_t pid)
{
	struct life *life;

	pthread_mutex_lock(&lives->lock);
	HASH_FIND(hh, lives->table, &pid, sizeof(pid), life);
	if (life)
		bury(lives, life);
	pthread_mutex_unlock(&lives->lock);
	if (life)
		write_end(lives, life);
}

static void *wait_for_ends(void *argument)
{
	struct lives *lives = argument;
	struct epoll_event events[EVENTS];
	bool over = false;
	int wait = -1;

	while (!over) {
		int count = epoll_wait(lives->epoll, events, EVENTS, wait);
		uint64_t woken;

		for (int i = 0; i < count; i++) {
			if (events[i].data.u64)
				end_life(lives, (pid_t)events[i].data.u64);
			else
				(void)!read(lives->wake, &woken, sizeof(woken));
		}
		wait = see_forks(lives);
		pthread_mutex_lock(&lives->lock);
		over = lives->over;
		pthread_mutex_unlock(&lives->lock);
	}
	return NULL;
}

int lives_start(struct lives *lives)
{
	int error = lives ? pthread_create(&lives->thread, NULL, wait_for_ends, lives) : 0;

	if (lives)
		lives->running = error == 0;
	return -error;
}

void lives_finish(struct lives *lives)
{
	const uint64_t one = 1;
	struct ended *ended;
	struct ended *next_ended;
	struct life *life;
	struct life *next;

	if (!lives)
		return;
	pthread_mutex_lock(&lives->lock);
	lives->over = true;
	pthread_mutex_unlock(&lives->lock);
	(void)!write(lives->wake, &one, sizeof(one));
	if (lives->running)
		pthread_join(lives->thread, NULL);
	HASH_ITER(hh, lives->table, life, next) {
		HASH_DEL(lives->table, life);
		write_end(lives, life);
	}
	HASH_ITER(hh, lives->ended, ended, next_ended) {
		HASH_DEL(lives->ended, ended);
		free(ended);
	}
	close_fd(&lives->epoll);
	close_fd(&lives->wake);
	pthread_mutex_destroy(&lives->lock);
	free(lives);
}
