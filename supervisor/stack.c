/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/channel.h"
#include "supervisor/confine.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"
#include "supervisor/unwind.h"

enum {
	MAPS_SIZE = 512 * 1024,
	STACK_SIZE = 128 * 1024,
	PATIENCE_MS = 400, /* for one answer */
	FIRST_PATIENCE_MS = 1500, /* for the first of a process: it starts, and files are read anew */
	STARTS_MAX = 8,    /* a tool that makes it die again and again goes without */
};

/* Shared by the supervisor, which asks, and the process that answers. */
struct area {
	pid_t pid;
	uint64_t ip;
	uint64_t sp;
	size_t stack_len;
	char maps[MAPS_SIZE];
	unsigned char stack[STACK_SIZE] __attribute__((aligned(8)));
	struct python_place python;
	size_t frame_count;
	struct unwind_frame frames[STACK_FRAMES_MAX];
	size_t script_count; /* of JavaScript */
	struct script_frame script[STACK_FRAMES_MAX];
};

struct stack_service {
	struct area *area;
	int ask;    /* the supervisor's end */
	int answer; /* the process's end */
	pid_t pid;  /* in the guardian */
	/* Of the supervisor: */
	pthread_mutex_t lock;
	unsigned int starts;
	bool running;
	bool answered; /* the process that runs, once */
	uint32_t number; /* of the last question */
};

struct stack_service *stack_service_new(void)
{
	struct stack_service *service = calloc(1, sizeof(*service));
	int pair[2];

	if (!service)
		return NULL;
	service->area = mmap(NULL, sizeof(*service->area), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (service->area == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(service);
		return NULL;
	}
	service->ask = pair[0];
	service->answer = pair[1];
	pthread_mutex_init(&service->lock, NULL);
	return service;
}

void stack_service_free(struct stack_service *service)
{
	if (!service)
		return;
	munmap(service->area, sizeof(*service->area));
	close_fd(&service->ask);
	close_fd(&service->answer);
	pthread_mutex_destroy(&service->lock);
	free(service);
}

/* ------------------------------------------------------------------ the process itself */

static const int unwinder_calls[] = {
	SCMP_SYS(read),       SCMP_SYS(pread64),        SCMP_SYS(recvfrom),  SCMP_SYS(sendto),
	SCMP_SYS(fstat),      SCMP_SYS(newfstatat),     SCMP_SYS(lseek),     SCMP_SYS(close),
	SCMP_SYS(futex),      SCMP_SYS(rt_sigprocmask), SCMP_SYS(getrandom), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(exit_group), SCMP_SYS(getpid),
};

static _Noreturn void serve(struct stack_service *service)
{
	struct area *area = service->area;
	struct unwinder *unwinder;
	uint32_t number;

	prctl(PR_SET_NAME, "stacks");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	unwinder = unwinder_new();
	/* Its end of the socket and nothing else, so that there is nowhere to write to. */
	if (!unwinder || dup2(service->answer, STDIN_FILENO) < 0 || syscall(SYS_close_range, 1, ~0U, 0) < 0 ||
	    confine(unwinder_calls, sizeof(unwinder_calls) / sizeof(unwinder_calls[0]), true) < 0)
		_exit(1);
	while (recv(STDIN_FILENO, &number, sizeof(number), 0) == sizeof(number)) {
		const struct unwind_snapshot snapshot = {
			.ip = area->ip,
			.sp = area->sp,
			.maps = area->maps,
			.stack = area->stack,
			.stack_len = area->stack_len,
		};

		area->frame_count = unwind(unwinder, &snapshot, area->frames, STACK_FRAMES_MAX);
		unwind_find_python(unwinder, &area->python);
		area->script_count =
			unwind_find_javascript(unwinder, area->pid, area->frames,
					       area->frame_count, area->script, STACK_FRAMES_MAX);
		if (send(STDIN_FILENO, &number, sizeof(number), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

void stack_service_start(struct stack_service *service)
{
	if (service->pid > 0) {
		kill(service->pid, SIGKILL);
		waitpid(service->pid, NULL, 0);
	}
	service->pid = fork();
	if (service->pid == 0)
		serve(service);
}

/* ----------------------------------------------------------------------- the supervisor */

/* sp and ip: the last two words of /proc/TID/syscall. */
static bool read_registers(const struct call *call, struct area *area)
{
	AUTO_CLOSE int fd = -1;
	char path[32];
	char text[256];
	const char *word;
	ssize_t len;

	snprintf(path, sizeof(path), "%d/syscall", call->request.tid);
	fd = openat(call->session->proc, path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	word = strrchr(text, ' ');
	while (word && word > text && word[-1] != ' ')
		word--;
	return word && sscanf(word, "%" SCNx64 " %" SCNx64, &area->sp, &area->ip) == 2;
}

static bool read_maps(const struct call *call, struct area *area)
{
	AUTO_CLOSE int fd = -1;
	char path[32];
	size_t used = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "%d/maps", call->request.tid);
	fd = openat(call->session->proc, path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && used < MAPS_SIZE - 1 &&
	       (got = read(fd, area->maps + used, MAPS_SIZE - 1 - used)) > 0)
		used += (size_t)got;
	area->maps[used] = '\0';
	return used > 0;
}

/* Up to the end of what is mapped above sp. */
static bool read_stack(const struct call *call, struct area *area)
{
	enum { PAGE = 4096, PIECES = STACK_SIZE / PAGE };
	struct iovec local = {.iov_base = area->stack, .iov_len = STACK_SIZE};
	struct iovec remote[PIECES];
	uint64_t at = area->sp;
	ssize_t got;

	/* Whole elements are transferred: one a page, so that the last one mapped is the end. */
	for (size_t i = 0; i < PIECES; i++) {
		const uint64_t next = (at / PAGE + 1) * PAGE;

		remote[i] = (struct iovec){.iov_base = (void *)(uintptr_t)at,
					   .iov_len = next - at};
		at = next;
	}
	got = process_vm_readv(call->request.tid, &local, 1, remote, PIECES, 0);
	area->stack_len = got > 0 ? (size_t)got : 0;
	return got > 0;
}

static bool ensure_running(struct stack_service *service, struct session *session)
{
	const struct message message = {.kind = MESSAGE_STACKS};

	if (service->running)
		return true;
	if (service->starts >= STARTS_MAX)
		return false;
	service->starts++;
	service->answered = false;
	service->running = send(session->channel, &message, sizeof(message),
				MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(message);
	return service->running;
}

/* True when the process has answered the question that the area holds. */
static bool ask(struct stack_service *service)
{
	const unsigned int ms = service->answered ? PATIENCE_MS : FIRST_PATIENCE_MS;
	const struct timeval patience = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	uint32_t number;

	service->number++;
	setsockopt(service->ask, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(service->ask, &service->number, sizeof(service->number),
		 MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return false;
	/* An answer that came too late for its question is passed over. */
	do {
		if (recv(service->ask, &number, sizeof(number), 0) != sizeof(number))
			return false;
	} while (number != service->number);
	service->answered = true;
	return true;
}

/* Copies what the process says: nothing in it is taken for granted. */
static void take_frames(const struct area *area, struct stack *ret)
{
	/* Read once: the other side could change it. */
	const size_t said = *(const volatile size_t *)&area->frame_count;
	const size_t count = said < STACK_FRAMES_MAX ? said : STACK_FRAMES_MAX;
	struct unwind_frame *copy = calloc(count ? count : 1, sizeof(*copy));

	if (!copy)
		return;
	memcpy(copy, area->frames, count * sizeof(*copy));
	ret->memory = copy;
	ret->count = count;
	for (size_t i = 0; i < count; i++) {
		struct unwind_frame *frame = &copy[i];

		frame->object[sizeof(frame->object) - 1] = '\0';
		frame->symbol[sizeof(frame->symbol) - 1] = '\0';
		frame->build_id[sizeof(frame->build_id) - 1] = '\0';
		ret->frames[i] = (struct audit_frame){
			.ip = frame->ip,
			.offset = frame->offset,
			.object = frame->object[0] ? frame->object : NULL,
			.symbol = frame->symbol[0] ? frame->symbol : NULL,
			.build_id = frame->build_id[0] ? frame->build_id : NULL,
		};
	}
}

static bool read_tool(void *arg, uint64_t address, void *buf, size_t len)
{
	return tracee_read(arg, address, buf, len) == 0;
}

static void take_script_frame(const char *language, struct script_frame *frame,
			      struct audit_script_frame *ret)
{
	frame->function[sizeof(frame->function) - 1] = '\0';
	frame->file[sizeof(frame->file) - 1] = '\0';
	*ret = (struct audit_script_frame){
		.language = language,
		.function = frame->function,
		.file = frame->file,
		.line = frame->line,
	};
}

/*
 * The process that parses files says where a Python interpreter is, and what is there is read here; or
 * which frames are JavaScript's.
 */
static void take_script(struct call *call, const struct area *area, struct stack *ret)
{
	const struct python_memory memory = {.read = read_tool, .arg = call};
	/* Read once: the other side could change it. */
	const struct python_place place = {
		.runtime = *(const volatile uint64_t *)&area->python.runtime,
		.version = *(const volatile uint32_t *)&area->python.version,
	};
	const size_t said = *(const volatile size_t *)&area->script_count;
	size_t count = said < STACK_FRAMES_MAX ? said : STACK_FRAMES_MAX;
	struct script_frame *frames;

	if (!place.runtime && !count)
		return;
	frames = calloc(STACK_FRAMES_MAX, sizeof(*frames));
	if (!frames)
		return;
	if (count)
		memcpy(frames, area->script, count * sizeof(*frames));
	else
		count = python_walk(&memory, &place, call->request.tid, frames, STACK_FRAMES_MAX);
	ret->script_memory = frames;
	ret->script_count = count;
	for (size_t i = 0; i < count; i++)
		take_script_frame(said ? "javascript" : "python", &frames[i], &ret->script[i]);
}

void stack_take(struct stack_service *service, struct call *call, struct stack *ret)
{
	struct area *area = service->area;

	ret->count = ret->script_count = 0;
	ret->memory = ret->script_memory = NULL;
	pthread_mutex_lock(&service->lock);
	area->pid = call_tgid(call);
	if (read_registers(call, area) && read_stack(call, area) && read_maps(call, area) &&
	    ensure_running(service, call->session)) {
		if (ask(service)) {
			take_frames(area, ret);
			take_script(call, area, ret);
		} else {
			service->running = false; /* the next one has it started anew */
		}
	}
	pthread_mutex_unlock(&service->lock);
}

void stack_release(struct stack *stack)
{
	free(stack->memory);
	free(stack->script_memory);
	stack->count = stack->script_count = 0;
}
