/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_STACK_H
#define PROCTOR_SUPERVISOR_STACK_H

#include <stddef.h>

#include "audit/audit.h"
#include "supervisor/call.h"

/*
 * Native stacks of waiting threads. To unwind one, files that the tool has made are parsed: not in
 * the supervisor, but in a process of its own, which can open files for reading and answer, and
 * nothing else. The worst that it can do is to name wrong frames or none.
 */
struct stack_service;

enum { STACK_FRAMES_MAX = 64 };

struct stack {
	struct audit_frame frames[STACK_FRAMES_MAX];
	size_t count;
	struct audit_script_frame script[STACK_FRAMES_MAX]; /* of an interpreter */
	size_t script_count;
	void *memory; /* what the frames' texts stand in */
	void *script_memory;
};

/* Before the supervisor is forked. Costs memory when it is used first. NULL and errno. */
struct stack_service *stack_service_new(void);

/* In the guardian, at the end. NULL is fine. */
void stack_service_free(struct stack_service *service);

/* In the guardian, when the supervisor asks for it: (re)starts the process. */
void stack_service_start(struct stack_service *service);

/*
 * Takes the stack of the thread that waits in the call. An empty stack where it cannot be told, or took too long.
 */
void stack_take(struct stack_service *service, struct call *call, struct stack *ret);
void stack_release(struct stack *stack);

#endif
