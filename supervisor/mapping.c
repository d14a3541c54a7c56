/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mmap, mprotect and pkey_mprotect with PROT_EXEC */
#include "supervisor/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/reg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/call_rules.h"
#include "supervisor/handlers.h"
#include "supervisor/names.h"
#include "supervisor/notify.h"
#include "supervisor/resolve.h"
#include "supervisor/session.h"
#include "supervisor/trace.h"
#include "supervisor/tracee.h"

enum { PAGE_BYTES = 4096 };

static struct ask ask_map(const char *name, const char *arg)
{
	return (struct ask){
		.class = CLASS_EXEC,
		.ops = {OP_MAP},
		.op_count = 1,
		.path = name,
		.arg = arg,
	};
}

bool mapping_permit(struct call *call, const char *name, const char *arg, struct reply *ret)
{
	const struct ask ask = ask_map(name, arg);

	return call_permit(call, &ask, ret);
}

/* Memory that several processes share, but no file: shared anonymous memory, huge pages, shmat(2). */
static bool is_memory(const char *name)
{
	return !strcmp(name, "/dev/zero (deleted)") || !strcmp(name, "/anon_hugepage (deleted)") ||
	       !strncmp(name, "/SYSV", 5);
}

/* The name by which the tool knows what /proc shows as `name`. False: by none, as a rewrite stands before
 * it, or it is too long. */
static bool given_name(const struct call *call, const char *name, char ret[PATH_MAX])
{
	char buf[PATH_MAX];

	if (strlen(name) >= PATH_MAX)
		return false;
	strcpy(ret, name);
	return names_given(call->session, ret) || names_place(call->session, ret, buf) == ret;
}

static bool name_permitted(struct call *call, enum access_op op, const char *name)
{
	struct ask ask = {.class = CLASS_EXEC, .ops = {op}, .op_count = 1};
	char given[PATH_MAX];

	if (!given_name(call, name, given))
		return call->session->observe;
	ask.path = given;
	return call_would_permit(call, &ask);
}

bool proc_name_permitted(struct call *call, enum access_op op, const char *name)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(name);
	char bare[PATH_MAX + 32];
	char *newline;

	if (len >= sizeof(bare) || !name_permitted(call, op, name))
		return false;
	memcpy(bare, name, len + 1);
	if (len >= strlen(mark) && !strcmp(bare + len - strlen(mark), mark))
		bare[len - strlen(mark)] = '\0';
	while ((newline = strstr(bare, "\\012"))) {
		*newline = '\n';
		memmove(newline + 1, newline + 4, strlen(newline + 4) + 1);
	}
	return !strcmp(bare, name) || name_permitted(call, op, bare);
}

const char *mapping_verify(struct call *call, uint64_t start, uint64_t end, enum mapping_kind kind,
			   char ret_name[PATH_MAX])
{
	AUTO_FILE FILE *maps = proc_open_maps(call->session, call->request.tid);
	struct proc_mapping mapping;
	int more;

	if (!maps)
		return "the mapping cannot be verified";
	while ((more = proc_next_mapping(maps, &mapping)) > 0 && mapping.start < end) {
		if (mapping.end <= start || !mapping.inode || is_memory(mapping.name) ||
		    (kind == MAPPING_CODE && !mapping.code))
			continue;
		if (proc_name_permitted(call, OP_MAP, mapping.name))
			continue;
		if (!given_name(call, mapping.name, ret_name))
			snprintf(ret_name, PATH_MAX, "%.*s", PATH_MAX - 1, mapping.name);
		return "another file than the one decided on was mapped as code";
	}
	return more < 0 ? "the mapping cannot be verified" : NULL;
}

/* The part of the address space that the call was about; empty when it did nothing. */
static void range_of(const struct call *call, pid_t pid, uint64_t *ret_start, uint64_t *ret_end)
{
	const uint64_t *args = call->request.args;
	uint64_t length = (args[1] + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);

	*ret_start = args[0] & ~(uint64_t)(PAGE_BYTES - 1);
	if (call->request.nr == SYS_mmap) {
		errno = 0;
		*ret_start = (uint64_t)ptrace(PTRACE_PEEKUSER, pid, 8L * RAX, NULL);
		if (errno || *ret_start > -(uint64_t)PAGE_BYTES)
			length = 0;
	}
	*ret_end = *ret_start + length < *ret_start ? UINT64_MAX : *ret_start + length;
}

int mapping_run(struct call *call)
{
	const struct ask ask = ask_map(NULL, NULL);
	struct trace_stop stop;
	struct reply refused;
	const char *why;
	char name[PATH_MAX] = "";
	uint64_t start;
	uint64_t end;
	int error;

	error = trace_call(call, &stop);
	/* Who may trace it can put any code there by that alone. */
	if (error == -EPERM && call_rules_allow_tracing(call->session->call_rules))
		return notify_continue(call);
	if (error == -EPERM) {
		refused = call_refuse(call, &ask, EACCES,
				      "the mapping cannot be verified: the process is traced");
		return notify_reply(call, &refused);
	}
	if (error <= 0)
		return error;
	range_of(call, stop.pid, &start, &end);
	why = start < end ? mapping_verify(call, start, end, MAPPING_CODE, name) : NULL;
	if (why)
		call_record_kill(call, OP_MAP, name[0] ? name : NULL, why);
	trace_go(call, &stop, why != NULL);
	return 0;
}

struct reply handle_mmap(struct call *call)
{
	AUTO_OBJECT struct object object = OBJECT_INIT;
	const uint64_t *args = call->request.args;
	const bool alone = tracee_is_alone(call);
	struct reply reply;
	int error;

	if (args[5] % PAGE_BYTES)
		return reply_error(EINVAL);
	error = resolve_descriptor(call, (int)args[4], &object);
	if (error < 0)
		return tracee_failed(call, error);
	if (!mapping_permit(call, object.name, NULL, &reply))
		return reply;
	return alone ? reply_alone() : reply_map();
}

/* mprotect, pkey_mprotect: of what stands there now, and is not code already. */
struct reply handle_mprotect(struct call *call)
{
	AUTO_FILE FILE *maps = proc_open_maps(call->session, call->request.tid);
	struct proc_mapping mapping;
	uint64_t start;
	uint64_t end;
	int more;

	range_of(call, 0, &start, &end);
	if (!maps)
		return tracee_failed(call, -errno);
	while ((more = proc_next_mapping(maps, &mapping)) > 0 && mapping.start < end) {
		char given[PATH_MAX];
		struct reply reply;
		struct ask ask;

		if (mapping.end <= start || !mapping.inode || mapping.code ||
		    is_memory(mapping.name) ||
		    proc_name_permitted(call, OP_MAP, mapping.name))
			continue;
		if (given_name(call, mapping.name, given) &&
		    !mapping_permit(call, given, NULL, &reply))
			return reply;
		ask = ask_map(mapping.name, NULL);
		return call_refuse(call, &ask, EACCES, "another name that it may have is not allowed");
	}
	return more < 0 ? tracee_failed(call, more) : reply_map();
}
