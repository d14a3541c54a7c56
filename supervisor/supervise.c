/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/supervise.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/actor.h"
#include "supervisor/capture.h"
#include "supervisor/channel.h"
#include "supervisor/filter.h"
#include "supervisor/ipc.h"
#include "supervisor/launch.h"
#include "supervisor/library.h"
#include "supervisor/limits.h"
#include "supervisor/lives.h"
#include "supervisor/net_proxy.h"
#include "supervisor/net_state.h"
#include "supervisor/pool.h"
#include "supervisor/session.h"
#include "supervisor/stats.h"
#include "supervisor/tree.h"

enum {
	GRACE_MS = 100, /* between SIGTERM and SIGKILL for what the tool leaves behind */
	CHILDREN_PATIENCE_MS = 20,
	CHILDREN_LATE_MS = 100, /* until the next try */
};

struct supervisor {
	struct session session;
	const struct run_config *config;
	struct launch launch;
	struct capture *capture; /* NULL: the tool has the caller's standard output */
	int channel;
	int signals;
	int timer;
	int ticker;     /* of config->progress; -1: not wanted */
	uint64_t began;
	bool ended;     /* the tool's first process */
	bool stopped;
	bool late; /* children have something to say, see lock_children() */
	bool limited; /* a limit of the policy's, or of time, ends the run: */
	enum policy_limit_kind limit;
	bool orphaned;  /* the guardian is dead */
	int status;     /* of the tool's first process, waitpid(2) */
};

/* ------------------------------------------------------------------------ setting up */

static int write_start(struct supervisor *supervisor, struct error *err)
{
	const struct run_config *config = supervisor->config;
	const struct policy_source *sources;
	struct audit_start start = {
		.version = config->version,
		.command = (const char *const *)config->command,
		.engine = "notify",
		.observe = config->observe,
	};
	int error;

	if (config->library_files)
		start.library = config->library_files[1] ? "http" : "events";
	start.policy_count = policy_sources(config->policy, &sources);
	start.policies = calloc(start.policy_count + 1, sizeof(*start.policies));
	if (!start.policies)
		return error_set(err, ENOMEM, "audit");
	for (size_t i = 0; i < start.policy_count; i++) {
		start.policies[i].file = sources[i].file;
		start.policies[i].sha256 = sources[i].sha256;
	}
	error = audit_write_start(supervisor->session.audit, &start);
	free(start.policies);
	if (error < 0)
		return error_set(err, 0, "%s", audit_failure(supervisor->session.audit));
	return 0;
}

/* Only what the policy can refuse, or what is to be logged, leaves the kernel. */
static struct sensitivity sensitivity_of(const struct supervisor *supervisor)
{
	const struct run_config *config = supervisor->config;
	const struct policy *policy = config->policy;
	const bool all = config->level == AUDIT_ALL;

	return (struct sensitivity){
		/* Processes outside show in /proc what no policy allows to read. Where there is a
		 * Landlock domain around the tool, the kernel refuses that by itself. */
		.read = all || config->key_file || supervisor->session.host.landlock_abi <= 0 ||
			!policy_allows_all(policy, CLASS_FILE, OP_READ),
		.look = policy_hides_anything(policy) || policy_rewrites(policy, CLASS_FILE),
		/* The result counts programs. */
		.life = all,
		.exec = all || config->capture || !policy_allows_all(policy, CLASS_EXEC, OP_EXEC) ||
			policy_has_environment_rules(policy) || config->library_files,
		.root = geteuid() == 0,
		.rules = supervisor->session.call_rules,
		.observe = config->observe,
		.map = all || !policy_allows_all(policy, CLASS_EXEC, OP_MAP),
		.network = all || !policy_allows_all(policy, CLASS_NETWORK, OP_CONNECT) ||
			   !policy_allows_all(policy, CLASS_NETWORK, OP_BIND),
		.datagrams = supervisor->session.datagrams,
		.library = config->library_files != NULL,
		.disk = policy_limit(policy, LIMIT_DISK) != NULL,
		.processes = all || policy_limit(policy, LIMIT_PROCESSES) != NULL,
		.disguise = policy_has_name_rules(policy) ||
			    policy_rewrites(policy, CLASS_NETWORK),
	};
}

static int launch(struct supervisor *supervisor, const struct inherited_signals *signals,
		  struct error *err)
{
	const struct sensitivity sensitivity = sensitivity_of(supervisor);
	const struct run_config *config = supervisor->config;
	struct session *session = &supervisor->session;
	struct sock_fprog filter = {0};
	int error = filter_build(&sensitivity, &filter, err);

	if (error < 0)
		return error;
	if (config->capture)
		error = capture_new(config->output_limit, config->pass_output, &supervisor->capture,
				    err);
	if (error == 0)
		error = launch_tool(config, &session->host, &filter, signals, supervisor->capture,
				    &supervisor->launch, err);
	filter_free(&filter);
	if (error == 0 && supervisor->capture)
		error = capture_start(supervisor->capture, err);
	if (error < 0)
		return error;
	session->tool = supervisor->launch.pid;
	session->listener = supervisor->launch.listener;
	session->launch_status = supervisor->launch.status;
	return 0;
}

/*
 * Away from the terminal's signals and from group kills. The tool has been forked by now, and stays in
 * the guardian's group. The session is not left: the scheduler would take us for another workload than
 * the tool's (sched(7), autogroup), and every call would cost more. But where nobody does job control,
 * we would count as the one who does: if we were killed while anything in the group is stopped, the
 * kernel would hang up the whole group, the user's script included (kernel/exit.c,
 * kill_orphaned_pgrp()).
 */
static int leave_group(const struct session *session)
{
	if (tree_group_is_orphaned(session->guardian))
		return (int)setsid();
	return setpgid(0, 0);
}

static int start_ticker(struct supervisor *supervisor, struct error *err)
{
	const struct itimerspec every = {.it_value = {.tv_sec = PROGRESS_S},
					 .it_interval = {.tv_sec = PROGRESS_S}};

	supervisor->ticker = -1;
	if (!supervisor->config->progress)
		return 0;
	supervisor->ticker = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (supervisor->ticker < 0 || timerfd_settime(supervisor->ticker, 0, &every, NULL) < 0)
		return error_set(err, errno, "cannot start");
	return 0;
}

/* Apart from the tool, and with room for descriptors. */
static int settle(struct supervisor *supervisor, struct error *err)
{
	struct rlimit limit;
	sigset_t child;

	if (leave_group(&supervisor->session) < 0)
		return error_set(err, errno, "cannot leave the process group");
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "supervisor");
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	supervisor->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	supervisor->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (supervisor->signals < 0 || supervisor->timer < 0)
		return error_set(err, errno, "cannot start");
	return start_ticker(supervisor, err);
}

static void start_timer(struct supervisor *supervisor)
{
	const uint64_t ns = supervisor->config->wall_limit_ns;
	const struct itimerspec limit = {
		.it_value = {.tv_sec = (time_t)(ns / 1000000000U),
			     .tv_nsec = (long)(ns % 1000000000U)},
	};

	if (ns)
		timerfd_settime(supervisor->timer, 0, &limit, NULL);
}

/* ------------------------------------------------------------------------- main loop */

static void tell_stopped(struct supervisor *supervisor, int sig)
{
	const struct message message = {.kind = MESSAGE_STOPPED, .sig = sig};

	supervisor->stopped = true;
	(void)!send(supervisor->channel, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* False when an exec is being traced for longer than this: it may hang in a file system, and the
 * main loop must not. */
static bool lock_children(struct session *session)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += CHILDREN_PATIENCE_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	return pthread_rwlock_clockwrlock(&session->trace_lock, CLOCK_MONOTONIC, &until) == 0;
}

/* Takes what children have to say: the tool's first process, and orphans of its tree. */
static void on_children(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof(info)) == sizeof(info))
		;
	supervisor->late = !lock_children(&supervisor->session);
	if (supervisor->late)
		return;
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status,
				    WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WNOTHREAD);

		if (pid <= 0)
			break;
		if (pid != supervisor->session.tool)
			continue;
		if (WIFSTOPPED(status)) {
			tell_stopped(supervisor, WSTOPSIG(status));
		} else if (WIFCONTINUED(status)) {
			supervisor->stopped = false;
		} else {
			supervisor->status = status;
			supervisor->ended = true;
		}
	}
	if (supervisor->session.tool_taken && !supervisor->ended) {
		supervisor->status = supervisor->session.tool_status;
		supervisor->ended = true;
	}
	pthread_rwlock_unlock(&supervisor->session.trace_lock);
}

static void on_guardian(struct supervisor *supervisor)
{
	struct message message;
	ssize_t got = recv(supervisor->channel, &message, sizeof(message), MSG_DONTWAIT);

	if (got == 0) {
		supervisor->orphaned = true;
		return;
	}
	if (got != sizeof(message) || message.kind != MESSAGE_SIGNAL || supervisor->ended)
		return;
	if (message.sig == SIGCONT && !supervisor->stopped)
		return;
	kill(supervisor->session.tool, message.sig);
}

static void reach_limit(struct supervisor *supervisor, enum policy_limit_kind kind)
{
	supervisor->limited = true;
	supervisor->limit = kind;
}

static void on_limits(struct supervisor *supervisor)
{
	const uint64_t own = audit_written(supervisor->session.audit);
	enum policy_limit_kind kind;

	if (limits_passed(supervisor->session.limits, own, &kind))
		reach_limit(supervisor, kind);
}

/* How it stands. */
static struct run_outcome so_far(const struct supervisor *supervisor)
{
	return (struct run_outcome){
		.duration_ns = stats_now() - supervisor->began,
		.audit = supervisor->session.audit,
		.stats = supervisor->session.stats,
	};
}

static void on_tick(struct supervisor *supervisor)
{
	const struct run_outcome outcome = so_far(supervisor);
	uint64_t ticks;

	if (read(supervisor->ticker, &ticks, sizeof(ticks)) == sizeof(ticks))
		supervisor->config->progress(supervisor->config, &outcome);
}

/* False: nobody will ask any more. */
static bool on_question(struct supervisor *supervisor)
{
	const struct run_outcome outcome = so_far(supervisor);

	return supervisor->config->asked && supervisor->config->asked(supervisor->config, &outcome);
}

static void serve(struct supervisor *supervisor)
{
	struct session *session = &supervisor->session;
	struct pollfd polls[] = {
		{.fd = supervisor->signals, .events = POLLIN},
		{.fd = supervisor->channel, .events = POLLIN},
		{.fd = supervisor->timer, .events = POLLIN},
		{.fd = session->failed_event, .events = POLLIN},
		{.fd = pool_watch_fd(session->pool), .events = POLLIN},
		{.fd = supervisor->ticker, .events = POLLIN},
		{.fd = limits_fd(session->limits), .events = POLLIN},
		{.fd = supervisor->config->asked ? supervisor->config->question : -1, .events = POLLIN},
	};
	bool watching = false;

	while (!supervisor->ended && !supervisor->limited && !supervisor->orphaned &&
	       !session_is_over(session)) {
		const int tick = watching	    ? (int)BLOCKING_TICK_MS
				 : supervisor->late ? (int)CHILDREN_LATE_MS
						    : -1;
		int ready = poll(polls, sizeof(polls) / sizeof(polls[0]), tick);

		if (ready < 0)
			continue;
		if (polls[0].revents || (supervisor->late && ready == 0))
			on_children(supervisor);
		if (polls[1].revents)
			on_guardian(supervisor);
		if (polls[2].revents)
			reach_limit(supervisor, LIMIT_WALL);
		if (polls[5].revents)
			on_tick(supervisor);
		if (polls[6].revents)
			on_limits(supervisor);
		if (polls[7].revents && !on_question(supervisor))
			polls[7].fd = -1;
		if (polls[4].revents || (watching && ready == 0))
			watching = pool_watch(session->pool);
	}
}

/* -------------------------------------------------------------------------- the end */

/* Ends what is left of the tool's tree: asked first, then killed. */
static void end_tree(struct supervisor *supervisor)
{
	const uint64_t until = stats_now() + GRACE_MS * 1000000ULL;
	const bool at_once = supervisor->orphaned || session_is_over(&supervisor->session) ||
			     (supervisor->limited && supervisor->limit != LIMIT_WALL);

	if (!at_once && tree_has_children()) {
		tree_signal(getpid(), SIGTERM);
		tree_signal(getpid(), SIGCONT);
	}
	while (!at_once && tree_has_children() && stats_now() < until) {
		struct pollfd child = {.fd = supervisor->signals, .events = POLLIN};

		poll(&child, 1, 5);
		on_children(supervisor);
	}
	tree_kill();
	on_children(supervisor);
}

static int exit_code(const struct supervisor *supervisor)
{
	const int status = supervisor->status;

	if (supervisor->limited && supervisor->limit == LIMIT_WALL)
		return EXIT_TIMED_OUT;
	if (atomic_load(&supervisor->session.failed))
		return EXIT_PROCTOR_FAILED;
	if (atomic_load(&supervisor->session.killed) || supervisor->limited)
		return EXIT_SIGNAL_BASE + SIGKILL;
	if (!supervisor->ended)
		return EXIT_PROCTOR_FAILED;
	if (WIFSIGNALED(status))
		return EXIT_SIGNAL_BASE + WTERMSIG(status);
	return WEXITSTATUS(status);
}

/* The line that sets the limit. NULL: an option on the command line does. */
static const struct rule_source *limit_rule(const struct supervisor *supervisor)
{
	const struct policy_limit *limit =
		policy_limit(supervisor->config->policy, supervisor->limit);

	if (supervisor->limit == LIMIT_WALL && limit &&
	    limit->value != supervisor->config->wall_limit_ns)
		return NULL;
	return limit ? &limit->rule : NULL;
}

/* What the log still takes: nobody waits for it long any more. */
static void close_log(struct supervisor *supervisor, const struct run_outcome *outcome)
{
	char detail[32];
	const struct audit_record limit = {
		.event = EVENT_LIMIT,
		.verdict = {.rule = outcome->limit_rule},
		.detail = detail,
	};
	struct audit *audit = supervisor->session.audit;
	struct audit_library library;

	audit_hurry(audit);
	lives_finish(supervisor->session.lives);
	if (outcome->limit) {
		snprintf(detail, sizeof(detail), "limit %s", outcome->limit);
		audit_write(audit, &limit);
	}
	if (supervisor->session.library) {
		library_counts(supervisor->session.library, &library);
		audit_set_library(audit, &library);
	}
	audit_write_end(audit, outcome->exit_code, outcome->duration_ns);
}

static int finish(struct supervisor *supervisor, const char *failure)
{
	struct session *session = &supervisor->session;
	struct run_outcome outcome = {
		.exit_code = failure ? EXIT_PROCTOR_FAILED : exit_code(supervisor),
		.timed_out = supervisor->limited && supervisor->limit == LIMIT_WALL,
		.limit = supervisor->limited ? limit_name(supervisor->limit) : NULL,
		.limit_rule = supervisor->limited ? limit_rule(supervisor) : NULL,
		.killed = atomic_load(&session->killed),
		.duration_ns = stats_now() - supervisor->began,
		.failure = failure,
		.audit = session->audit,
		.stats = session->stats,
		.capture = supervisor->capture,
		.programs = session->identity ? identity_count(session->identity) : 0,
	};

	if (supervisor->ended && WIFSIGNALED(supervisor->status))
		outcome.signal = WTERMSIG(supervisor->status);
	usage_take(&outcome.usage);
	if (session->audit)
		close_log(supervisor, &outcome);
	if (session->audit && audit_failure(session->audit)) {
		outcome.failure = audit_failure(session->audit);
		outcome.exit_code = EXIT_PROCTOR_FAILED;
	} else if (!failure && atomic_load(&session->failed)) {
		outcome.failure = "the supervisor could not go on";
	}
	supervisor->config->finished(supervisor->config, &outcome);
	capture_free(supervisor->capture);
	audit_close(session->audit);
	return outcome.exit_code;
}

/* Says why nothing was run; the summary has no room for it. */
static void explain_exec(const struct supervisor *supervisor)
{
	int error = launch_exec_error(&supervisor->launch);

	if (error)
		fprintf(stderr, "proctor: cannot execute %s: %s\n", supervisor->config->program,
			strerror(error));
}

/* Tells the tool where the proxy is, if there is one, by way of a configuration of our own. */
static int set_environment(struct supervisor *supervisor, struct run_config *own, struct error *err)
{
	struct session *session = &supervisor->session;

	if (!session->proxy)
		return 0;
	own->environment = net_proxy_environment(session->proxy, session->policy, own->environment);
	session->environment = own->environment;
	supervisor->config = own;
	return own->environment ? 0 : error_set(err, ENOMEM, "environment");
}

int supervise(const struct run_config *config, int channel, struct stack_service *stacks,
	      const struct inherited_signals *signals)
{
	struct supervisor supervisor = {
		.config = config,
		.channel = channel,
		.began = stats_now(),
		.session = {.stacks = stacks, .channel = channel},
	};
	struct run_config own = *config;
	struct error err = {0};
	int error;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	error = session_open(&supervisor.session, config, &err);
	if (error == 0)
		error = net_state_open(&supervisor.session, config->session_id, &err);
	if (error == 0)
		error = set_environment(&supervisor, &own, &err);
	if (error == 0)
		error = session_open_log(&supervisor.session, config, &err);
	if (error == 0)
		error = write_start(&supervisor, &err);
	if (error == 0)
		error = launch(&supervisor, signals, &err);
	if (error == 0)
		error = settle(&supervisor, &err);
	if (error == 0 && lives_start(supervisor.session.lives) < 0)
		error = error_set(&err, EAGAIN, "cannot start a thread");
	if (error == 0)
		error = pool_start(&supervisor.session, &err);
	if (error == 0)
		error = net_state_start(&supervisor.session, &err);
	if (error < 0) {
		tree_kill();
		/* Killed from outside before its exec: as if it had been a moment later. */
		supervisor.ended = supervisor.launch.killed_by != 0;
		supervisor.status = supervisor.launch.killed_by;
		return finish(&supervisor, supervisor.ended ? NULL : err.message);
	}
	start_timer(&supervisor);
	limits_start(supervisor.session.limits);
	launch_go(&supervisor.launch);
	serve(&supervisor);
	audit_hurry(supervisor.session.audit);
	end_tree(&supervisor);
	pool_settle(supervisor.session.pool);
	net_state_finish(&supervisor.session);
	ipc_objects_free(supervisor.session.ipc);
	supervisor.session.ipc = NULL;
	if (supervisor.capture)
		capture_finish(supervisor.capture, !supervisor.ended || supervisor.limited);
	if (supervisor.ended && !supervisor.limited)
		explain_exec(&supervisor);
	return finish(&supervisor, NULL);
}
