/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking the policy, and writing the record before the tool can know the answer. */
#include "supervisor/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "core/cleanup.h"
#include "supervisor/actor.h"
#include "supervisor/file.h"
#include "supervisor/library.h"
#include "supervisor/lives.h"
#include "supervisor/names.h"
#include "supervisor/open_flags.h"
#include "supervisor/session.h"
#include "supervisor/stack.h"
#include "supervisor/tracee.h"
#include "supervisor/walk.h"

/* Of a name whose address is not known: "tcp:example.org:443". */
static const char *format_endpoint(const struct ask *ask, char *buf, size_t size)
{
	const struct endpoint *endpoint = ask->endpoint;

	if (!ask->host || endpoint->family != AF_UNSPEC)
		return endpoint_format(endpoint, buf, size);
	snprintf(buf, size, "%s:%s:%u", endpoint->transport == TRANSPORT_UDP ? "udp" : "tcp",
		 ask->host, endpoint->port);
	return buf;
}

/* Writes one record about the call. False: it could not be written, or it says that the tool is
 * killed for the call; the run ends. */
static bool record(struct call *call, const struct ask *ask, enum audit_event event,
		   enum access_op op, const struct verdict *verdict, const char *detail,
		   const struct access *access)
{
	struct session *session = call->session;
	char endpoint[ENDPOINT_TEXT_MAX];
	const char *flags[OPEN_FLAGS_MAX];
	char remedy[PATH_MAX + 64] = "";
	char to[PATH_MAX];
	char unknown[32];
	AUTO_FREE const char **args = NULL;
	struct stack stack = {.count = 0};
	struct actor *actor;
	struct audit_record entry = {
		.event = event,
		.class = ask->class,
		.op = op,
		.syscall = call->row ? call->row->name : unknown,
		.arg = ask->arg,
		.path = ask->path,
		.to = ask->to,
		.host = ask->host,
		.verdict = *verdict,
		.detail = detail,
	};

	const bool kills = event == EVENT_BLOCKED &&
			   policy_on_block(session->policy) == DECISION_KILL;

	if (!audit_level_wants(session->level, event))
		return true;
	if (kills)
		entry.verdict.decision = DECISION_KILL;
	actor = actor_take(call);
	entry.actor = actor ? actor_of(actor) : NULL;
	snprintf(unknown, sizeof(unknown), "syscall_%d", call->request.nr);
	if (ask->endpoint)
		entry.endpoint = format_endpoint(ask, endpoint, sizeof(endpoint));
	if (ask->open_flags)
		entry.flags = open_flags_names(*ask->open_flags, flags);
	if (event == EVENT_REWRITTEN && !entry.to && ask->path &&
	    names_place(session, ask->path, to) == to)
		entry.to = to;
	if (access && verdict->decision == DECISION_DENY)
		policy_suggest(session->policy, access, remedy, sizeof(remedy));
	if (ask->argv)
		args = tracee_read_argv(call, ask->argv);
	entry.args = args;
	entry.remedy = remedy[0] ? remedy : NULL;
	if (session->stacks && (event == EVENT_BLOCKED || event == EVENT_WOULD_BLOCK))
		stack_take(session->stacks, call, &stack);
	entry.stack = stack.frames;
	entry.stack_count = stack.count;
	entry.script = stack.script;
	entry.script_count = stack.script_count;
	if (event == EVENT_EXEC)
		entry.exe_sha256 = ask->sha256;
	if (actor)
		lives_see(session->lives, entry.actor->pid);
	if (audit_write(session->audit, &entry) < 0)
		session_fail(session);
	else if (kills)
		session_kill(session);
	stack_release(&stack);
	actor_release(actor);
	return !session_is_over(session);
}

/* The name that a policy knows an object of /proc by; `buf` holds it if it is another. Returns
 * NULL for a process that is not the tool's. */
static const char *policy_name(struct call *call, const char *path, char buf[PATH_MAX])
{
	static const char memfd[] = "/memfd:";
	static const char terminals[] = "/dev/pts/";
	const char *rest;
	pid_t pid = proc_name_pid(path, &rest);

	/* What follows is the tool's to choose, slashes included; see object_is_nameless(). */
	if (!strncmp(path, memfd, strlen(memfd)))
		return memfd;
	/* The caller's own terminal is /dev/tty under any name. */
	if (!strncmp(path, terminals, strlen(terminals)) &&
	    file_tty_path(call, buf, PATH_MAX) == 0 && !strcmp(path, buf))
		return "/dev/tty";
	if (pid == 0)
		return path;
	if (pid != call->request.tid && !session_owns(call->session, pid))
		return NULL;
	snprintf(buf, PATH_MAX, "/proc/self%s", rest);
	return buf;
}

/* What is proctor's own stays as it is, under whatever name. */
static bool is_guarded(const struct call *call, const struct access *access)
{
	const struct session *session = call->session;
	const int nr = call->request.nr;
	const bool folder = nr == SYS_mkdir || nr == SYS_mkdirat;
	struct access place = *access;
	char buf[PATH_MAX];

	if (guard_forbids(&session->guard, access, folder))
		return true;
	if (!session->rewrites || access->class != CLASS_FILE || !access->path)
		return false;
	place.path = names_place(session, access->path, buf);
	return place.path && guard_forbids(&session->guard, &place, folder);
}

static struct verdict decide(struct call *call, const struct access *access, bool own,
			     const char **ret_detail)
{
	const struct verdict denied = {.decision = DECISION_DENY, .error = EACCES};

	if (own || library_is_own(call->session->library, access))
		return (struct verdict){.decision = DECISION_ALLOW};
	if (access->class == CLASS_FILE || access->class == CLASS_EXEC) {
		if (!access->path) {
			*ret_detail = "another process";
			return denied;
		}
		if (access->path[0] != '/')
			return denied;
		if (is_guarded(call, access)) {
			*ret_detail = "proctor's own files";
			return denied;
		}
	}
	return policy_decide(call->session->policy, access);
}

/* Answers a denial: false with the reply, or true where nothing is enforced. What is guarded is
 * so always. */
static bool denied(struct call *call, const struct ask *ask, const struct access *access,
		   const struct verdict *verdict, const char *detail, struct reply *ret)
{
	const bool observe = call->session->observe && !is_guarded(call, access);

	*ret = reply_error(verdict->error);
	if (!record(call, ask, observe ? EVENT_WOULD_BLOCK : EVENT_BLOCKED, access->op, verdict,
		    detail, detail ? NULL : access)) {
		*ret = reply_none();
		return false;
	}
	return observe;
}

/* False: the caller is gone, or the run is over and nobody is answered any more: the tool is
 * killed before it learns what no record tells. */
static bool goes_on(const struct call *call, struct reply *ret)
{
	*ret = reply_none();
	return call_valid(call) && !session_is_over(call->session);
}

bool call_permit(struct call *call, const struct ask *ask, struct reply *ret)
{
	struct access access = {
		.class = ask->class,
		.endpoint = ask->endpoint,
		.argv = ask->exec_argv,
		.sha256 = ask->sha256,
		.host = ask->host,
	};
	struct verdict verdict = {.decision = DECISION_ALLOW};
	const char *detail = NULL;
	char buf[PATH_MAX];

	if (!goes_on(call, ret))
		return false;
	access.path = ask->path ? policy_name(call, ask->path, buf) : NULL;
	for (size_t i = 0; i < ask->op_count; i++) {
		access.op = ask->ops[i];
		verdict = decide(call, &access, ask->own, &detail);
		if (verdict.decision == DECISION_ALLOW ||
		    (verdict.decision == DECISION_REWRITE && (ask->rewritten || ask->missing)))
			continue;
		if (verdict.decision == DECISION_REWRITE) {
			/* Whatever became of the name meanwhile, it is not what it is rewritten to. */
			verdict.decision = DECISION_DENY;
			detail = "what it is rewritten to was not reached";
		}
		if (ask->missing && !verdict.rule && (access.path || !ask->path)) {
			*ret = reply_error(ask->missing);
			return false;
		}
		return denied(call, ask, &access, &verdict, detail, ret);
	}
	if (ask->missing) {
		*ret = reply_error(ask->missing);
		return false;
	}
	return record(call, ask,
		      verdict.decision == DECISION_REWRITE ? EVENT_REWRITTEN : EVENT_ALLOWED,
		      ask->ops[0], &verdict, NULL, NULL);
}

/* The folder of a process outside may be looked at, and nothing in it. */
static bool is_stranger(const char *path, const char *name)
{
	const char *rest = "";

	return !name && proc_name_pid(path, &rest) && *rest;
}

bool call_permit_look(struct call *call, const struct ask *ask, struct reply *ret)
{
	struct access access = {.class = ask->class, .op = ask->ops[0]};
	struct verdict verdict = {.decision = DECISION_DENY, .error = ENOENT};
	char buf[PATH_MAX];

	if (!goes_on(call, ret))
		return false;
	access.path = policy_name(call, ask->path, buf);
	if (is_stranger(ask->path, access.path)) {
		verdict.error = EACCES;
		return denied(call, ask, &access, &verdict, "another process", ret);
	}
	if (access.path && access.path[0] == '/' &&
	    !library_is_own(call->session->library, &access))
		verdict.rule = policy_hides(call->session->policy, access.path);
	if (verdict.rule && !denied(call, ask, &access, &verdict, NULL, ret))
		return false;
	if (ask->missing) {
		*ret = reply_error(ask->missing);
		return false;
	}
	if (!ask->rewritten)
		return true;
	verdict = (struct verdict){.decision = DECISION_REWRITE};
	policy_rewrite_path(call->session->policy, CLASS_FILE, ask->path, buf, &verdict.rule);
	return record(call, ask, EVENT_REWRITTEN, ask->ops[0], &verdict, NULL, NULL);
}

bool call_needs_digest(struct call *call, const struct ask *ask)
{
	const char *detail = NULL;
	char buf[PATH_MAX];
	const struct access access = {
		.class = ask->class,
		.op = ask->ops[0],
		.path = policy_name(call, ask->path, buf),
		.argv = ask->exec_argv,
	};

	return decide(call, &access, false, &detail).needs_digest;
}

bool call_would_permit(struct call *call, const struct ask *ask)
{
	const char *detail = NULL;
	char buf[PATH_MAX];

	for (size_t i = 0; i < ask->op_count; i++) {
		const struct access access = {
			.class = ask->class,
			.op = ask->ops[i],
			.path = ask->path ? policy_name(call, ask->path, buf) : NULL,
			.endpoint = ask->endpoint,
		};

		if (decide(call, &access, ask->own, &detail).decision != DECISION_ALLOW)
			return call->session->observe;
	}
	return true;
}

bool call_deny(struct call *call, const struct ask *ask, const struct access *access,
	       const struct verdict *verdict, const char *detail, struct reply *ret)
{
	const bool observe = call->session->observe;

	*ret = call_valid(call) ? reply_error(verdict->error) : reply_none();
	if (ret->kind == REPLY_NONE)
		return false;
	if (!record(call, ask, observe ? EVENT_WOULD_BLOCK : EVENT_BLOCKED, ask->ops[0], verdict,
		    detail, access)) {
		*ret = reply_none();
		return false;
	}
	return observe;
}

bool call_permit_rewrite(struct call *call, const struct ask *ask, const struct verdict *verdict,
			 struct reply *ret)
{
	return goes_on(call, ret) &&
	       record(call, ask, EVENT_REWRITTEN, ask->ops[0], verdict, NULL, NULL);
}

bool call_permit_later(struct session *session, pid_t tid, int nr, const struct ask *ask,
		       const struct verdict *verdict, const struct access *access,
		       const char *detail)
{
	struct call call = {
		.session = session,
		.request = {.tid = tid, .nr = nr},
		.row = syscall_row(nr),
	};
	const bool allowed = verdict->decision != DECISION_DENY;
	enum audit_event event = EVENT_ALLOWED;

	if (session_is_over(session))
		return false;
	if (!allowed)
		event = session->observe ? EVENT_WOULD_BLOCK : EVENT_BLOCKED;
	if (!record(&call, ask, event, ask->ops[0], verdict, detail, access))
		return false;
	return allowed || session->observe;
}

bool call_allows_quietly(const struct call *call, const struct access *access)
{
	const struct session *session = call->session;

	return !session_is_over(session) &&
	       !audit_level_wants(session->level, EVENT_ALLOWED) &&
	       !guard_forbids(&session->guard, access, false) &&
	       policy_decide(session->policy, access).decision == DECISION_ALLOW;
}

bool call_permit_move(struct call *call, const char *from, const char *to, bool tree,
		      const struct ask *ask, struct reply *ret)
{
	const struct access change = {.class = CLASS_FILE, .op = OP_MODIFY, .path = from};
	struct verdict verdict = policy_decide_move(call->session->policy, from, to, tree);

	/* A second name of the log would be one that is not guarded. */
	if (is_guarded(call, &change))
		return denied(call, ask, &change,
			      &(struct verdict){.decision = DECISION_DENY, .error = EACCES},
			      "proctor's own files", ret);
	if (verdict.decision == DECISION_ALLOW)
		return true;
	*ret = reply_error(verdict.error);
	if (!record(call, ask, call->session->observe ? EVENT_WOULD_BLOCK : EVENT_BLOCKED,
		    ask->ops[0], &verdict,
		    "the old and the new name do not have the same rights", NULL)) {
		*ret = reply_none();
		return false;
	}
	return call->session->observe;
}

struct reply call_refuse(struct call *call, const struct ask *ask, int error, const char *detail)
{
	const struct verdict verdict = {.decision = DECISION_DENY, .error = error};

	if (!call_valid(call))
		return reply_none();
	if (!record(call, ask, EVENT_BLOCKED, ask->ops[0], &verdict, detail, NULL))
		return reply_none();
	return reply_error(error);
}

struct reply call_refuse_limit(struct call *call, const struct ask *ask, int error,
			       const struct rule_source *rule, const char *detail)
{
	const struct verdict verdict = {.decision = DECISION_DENY, .error = error, .rule = rule};

	if (!call_valid(call))
		return reply_none();
	if (!record(call, ask, EVENT_LIMIT, ask->ops[0], &verdict, detail, NULL))
		return reply_none();
	return reply_error(error);
}

void call_record_exec(struct call *call, const char *path, const char *sha256)
{
	const struct ask ask = {.class = CLASS_EXEC, .path = path, .sha256 = sha256};
	const struct verdict allowed = {.decision = DECISION_ALLOW};

	record(call, &ask, EVENT_EXEC, OP_EXEC, &allowed, NULL, NULL);
}

void call_record_dropped(struct call *call, const char *path, const char *variable)
{
	const struct ask ask = {.class = CLASS_EXEC, .path = path, .arg = variable, .to = ""};
	const struct verdict rewritten = {.decision = DECISION_REWRITE};

	record(call, &ask, EVENT_REWRITTEN, OP_EXEC, &rewritten,
	       "the dynamic loader would load other files; env: {keep} lets it through", NULL);
}

void call_record_kill(struct call *call, enum access_op op, const char *path, const char *detail)
{
	const struct ask ask = {.class = CLASS_EXEC, .path = path};
	const struct verdict killed = {.decision = DECISION_KILL, .error = EACCES};

	record(call, &ask, EVENT_BLOCKED, op, &killed, detail, NULL);
}
