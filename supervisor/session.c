/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/actor.h"
#include "supervisor/call_rules.h"
#include "supervisor/exec_digest.h"
#include "supervisor/exec_redirect.h"
#include "supervisor/inject.h"
#include "supervisor/ipc.h"
#include "supervisor/library.h"
#include "supervisor/limits.h"
#include "supervisor/lives.h"
#include "supervisor/process_limit.h"
#include "supervisor/run.h"
#include "supervisor/socket_names.h"
#include "supervisor/stats.h"

/* The main loop must not wait for a pause between execs that never comes. */
static void init_trace_lock(struct session *session)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&session->trace_lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static int open_limits(struct session *session, const struct policy *policy, struct error *err)
{
	const struct policy_limit *processes = policy_limit(policy, LIMIT_PROCESSES);
	int error;

	session->process_limit = processes ? process_limit_new(processes) : NULL;
	if (processes && !session->process_limit)
		return error_set(err, ENOMEM, "cannot start");
	error = limits_new(policy, &session->limits, err);
	/* What the tool has from the beginning. */
	for (int fd = STDIN_FILENO; error == 0 && fd <= STDERR_FILENO; fd++) {
		if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
			(void)limits_add_file(session->limits, fd);
	}
	return error;
}

int session_open(struct session *session, const struct run_config *config, struct error *err)
{
	struct stat stat;
	mode_t mask;

	session->policy = config->policy;
	session->environment = config->environment;
	session->observe = config->observe;
	session->hides = policy_hides_anything(config->policy) && !config->observe;
	session->rewrites = policy_rewrites(config->policy, CLASS_FILE);
	session->level = config->level;
	mask = umask(0);
	umask(mask);
	atomic_init(&session->umask, (int)mask);
	session->self = getpid();
	session->guardian = getppid();
	session->listener = -1;
	host_probe_quick(&session->host);
	session->failed_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	session->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	session->self_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (session->failed_event < 0 || session->proc < 0 || session->self_fds < 0 ||
	    fstat(session->proc, &stat) < 0)
		return error_set(err, errno, "cannot open /proc");
	session->proc_dev = stat.st_dev;
	init_trace_lock(session);
	session->identity = identity_new();
	session->callers = callers_new();
	session->lives = config->level == AUDIT_ALL ? lives_new(session) : NULL;
	session->injector = injector_new();
	session->ipc = ipc_objects_new();
	session->digests = digest_cache_new();
	session->redirects = redirects_new();
	session->asks_args = policy_asks_args(config->policy);
	pthread_rwlock_init(&session->entry_lock, NULL);
	pthread_mutex_init(&session->listing_lock, NULL);
	pthread_rwlock_init(&session->watch_lock, NULL);
	pthread_rwlock_init(&session->kept_lock, NULL);
	session->kept_pidfd = -1;
	session->socket_names = socket_names_new();
	session->stats = config->stats ? stats_new() : NULL;
	if (policy_has_syscall_rules(config->policy)) {
		session->call_rules = call_rules_new(config->policy);
		if (!session->call_rules)
			return error_set(err, ENOMEM, "cannot start");
	}
	if ((config->level == AUDIT_ALL && !session->lives) || !session->identity || !session->callers ||
	    !session->injector || !session->ipc || !session->digests || !session->redirects ||
	    !session->socket_names || (config->stats && !session->stats))
		return error_set(err, ENOMEM, "cannot start");
	if (config->library_files) {
		int error = library_new(config->library_files, config->policy, &session->library, err);

		if (error < 0)
			return error;
	}
	return open_limits(session, config->policy, err);
}

/* A log file, the names that rotation gives it, and one more, which would be taken for one of them.
 * Not a device like /dev/null, nor what has no place. */
static int guard_log(struct session *session, const struct run_config *config, const char *target)
{
	struct guard *guard = &session->guard;
	const unsigned int last = (config->rotate_size ? config->rotate_count : 0) + 1;
	struct stat stat;
	int error;

	if (!strcmp(target, "-") || lstat(target, &stat) < 0 || S_ISCHR(stat.st_mode))
		return 0;
	error = guard_add(guard, target);
	for (unsigned int number = 1; number <= last && error == 0; number++) {
		AUTO_FREE char *name = NULL;

		if (asprintf(&name, "%s.%u", target, number) < 0) {
			name = NULL;
			return -ENOMEM;
		}
		error = guard_add(guard, name);
	}
	return error;
}

/* The logs, what else is written about the run, and what decides on this run and the next ones. */
static int guard_own(struct session *session, const struct run_config *config, struct error *err)
{
	struct guard *guard = &session->guard;
	const struct policy_source *sources;
	const size_t count = policy_sources(config->policy, &sources);
	int error = guard_add(guard, config->state_folder);

	for (size_t i = 0; error == 0 && audit_target(session->audit, i); i++)
		error = guard_log(session, config, audit_target(session->audit, i));
	for (size_t i = 0; error == 0 && config->private_files && config->private_files[i]; i++)
		error = guard_add(guard, config->private_files[i]);
	for (size_t i = 0; error == 0 && config->library_files && config->library_files[i]; i++)
		error = guard_add(guard, config->library_files[i]);
	if (error == 0 && config->profile_folder)
		error = guard_add(guard, config->profile_folder);
	if (error == 0 && config->key_file)
		error = guard_set_secret(guard, config->key_file);
	for (size_t i = 0; i < count && error == 0; i++) {
		if (!policy_is_builtin(sources[i].file))
			error = guard_add(guard, sources[i].file);
	}
	return error < 0 ? error_set(err, -error, "cannot start") : 0;
}

int session_open_log(struct session *session, const struct run_config *config, struct error *err)
{
	const struct audit_config audit = {
		.session = config->session_id,
		.targets = config->audit_targets,
		.target_count = config->audit_target_count,
		.folder = config->session_folder,
		.level = config->level,
		.rotate_size = config->rotate_size,
		.rotate_count = config->rotate_count,
		.key_file = config->key_file,
		.limit = config->log_limit,
	};
	int error = audit_open(&audit, &session->audit, err);

	return error < 0 ? error : guard_own(session, config, err);
}

/* Sets what ends the run, and wakes the main loop. */
static void end_run(struct session *session, atomic_bool *why)
{
	const uint64_t one = 1;

	if (!atomic_exchange(why, true))
		(void)!write(session->failed_event, &one, sizeof(one));
}

void session_fail(struct session *session)
{
	end_run(session, &session->failed);
}

void session_kill(struct session *session)
{
	end_run(session, &session->killed);
}

void session_took(struct session *session, pid_t pid, int status)
{
	if (pid != session->tool)
		return;
	session->tool_status = status;
	session->tool_taken = true;
}

bool session_is_over(const struct session *session)
{
	return atomic_load_explicit(&session->failed, memory_order_relaxed) ||
	       atomic_load_explicit(&session->killed, memory_order_relaxed);
}
