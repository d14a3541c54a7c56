/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* getpid, by which the preload library speaks */
#include <string.h>
#include <time.h>

#include "supervisor/actor.h"
#include "supervisor/call_rules.h"
#include "supervisor/handlers.h"
#include "supervisor/library.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

/* True when there has been time for another record: a flood of them costs the tool its own time, and
 * the log no room. */
static bool may_record(struct library *library)
{
	struct timespec now;
	uint64_t earned;
	uint64_t ns;
	bool may;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	pthread_mutex_lock(&library->lock);
	earned = (ns - library->earned_ns) / (1000000000U / LIBRARY_RECORDS_S);
	if (earned) {
		library->earned_ns = ns;
		library->records = earned + library->records < LIBRARY_RECORDS_AT_ONCE
					   ? (unsigned int)earned + library->records
					   : LIBRARY_RECORDS_AT_ONCE;
	}
	may = library->records > 0;
	library->records -= may;
	pthread_mutex_unlock(&library->lock);
	return may;
}

/* Copies the texts. False: they are not there, or not such as a C string can hold. */
static bool read_texts(struct call *call, const struct library_message *message,
		       char texts[2][PRELOAD_TEXT_MAX + 1])
{
	for (size_t i = 0; i < message->text_count; i++) {
		const size_t length = message->texts[i].length;

		if (length && tracee_read(call, message->texts[i].address, texts[i], length) < 0)
			return false;
		texts[i][length] = '\0';
		if (strlen(texts[i]) != length)
			return false;
	}
	return true;
}

/* The record is one that may be dropped: a log that takes nothing holds up no call for long. */
static void write_record(struct call *call, const struct library_message *message,
			 char texts[2][PRELOAD_TEXT_MAX + 1])
{
	const char *args[3] = {NULL};
	struct actor *actor = actor_take(call);
	struct audit_record record = {
		.event = EVENT_REPORTED,
		.function = library_function_name(message->function),
		.actor = actor ? actor_of(actor) : NULL,
		.args = args,
	};

	for (size_t i = 0; i < message->text_count; i++)
		args[i] = texts[i];
	if (message->function == PRELOAD_GETADDRINFO)
		record.host = args[0];
	if (audit_write(call->session->audit, &record) < 0)
		session_fail(call->session);
	actor_release(actor);
}

static void take(struct call *call, struct library *library)
{
	char texts[2][PRELOAD_TEXT_MAX + 1];
	struct library_message message;

	atomic_fetch_add(&library->received, 1);
	if (library_decode(call->request.args, &message) < 0)
		atomic_fetch_add(&library->malformed, 1);
	else if (!may_record(library))
		atomic_fetch_add(&library->dropped, 1);
	else if (!read_texts(call, &message, texts))
		atomic_fetch_add(&library->malformed, 1);
	else if (call_valid(call))
		write_record(call, &message, texts);
}

struct reply handle_getpid(struct call *call)
{
	struct library *library = call->session->library;

	/* Nothing depends on what it says. */
	if (library && library_is_message(call->request.args))
		take(call, library);
	/* A rule that denies the call has been asked, but about messages. */
	if (call_rule_of(call->session->call_rules, call->row)->kind == CALL_DENIED)
		return reply_error(call->row->error);
	return reply_continue(call);
}
