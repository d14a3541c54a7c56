/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System V shared memory, semaphores and message queues; POSIX message queues. */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <mqueue.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uthash.h>

#include "supervisor/file.h"
#include "supervisor/handlers.h"
#include "supervisor/ipc.h"
#include "supervisor/session.h"
#include "supervisor/tracee.h"

/*
 * sysvipc(7): objects have numbers, not names that a rule could give, and all of a user's are open
 * to each of its processes. The tool has those that it made: the supervisor makes them for it and
 * remembers their numbers. Afterwards every call is decided from the number, in a register.
 */

enum ipc_kind { IPC_SHM, IPC_SEM, IPC_MSG };

struct ipc_object {
	uint64_t key; /* kind and number */
	UT_hash_handle hh;
};

struct ipc_objects {
	pthread_mutex_t lock;
	struct ipc_object *made;
};

struct ipc_objects *ipc_objects_new(void)
{
	struct ipc_objects *objects = calloc(1, sizeof(*objects));

	if (objects)
		pthread_mutex_init(&objects->lock, NULL);
	return objects;
}

static enum ipc_kind kind_of(int nr)
{
	switch (nr) {
	case SYS_shmget:
	case SYS_shmat:
	case SYS_shmctl:
		return IPC_SHM;
	case SYS_semget:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_semctl:
		return IPC_SEM;
	default:
		return IPC_MSG;
	}
}

static uint64_t key_of(enum ipc_kind kind, int id)
{
	return (uint64_t)kind << 32 | (uint32_t)id;
}

static enum ipc_kind kind_in(const struct ipc_object *object)
{
	return (enum ipc_kind)(object->key >> 32);
}

static int id_in(const struct ipc_object *object)
{
	return (int)(uint32_t)object->key;
}

static bool remember(struct ipc_objects *objects, enum ipc_kind kind, int id)
{
	const uint64_t key = key_of(kind, id);
	struct ipc_object *object;

	pthread_mutex_lock(&objects->lock);
	HASH_FIND(hh, objects->made, &key, sizeof(key), object);
	if (!object) {
		object = calloc(1, sizeof(*object));
		if (object) {
			object->key = key;
			HASH_ADD(hh, objects->made, key, sizeof(object->key), object);
		}
	}
	pthread_mutex_unlock(&objects->lock);
	return object != NULL;
}

/* Numbers are given again: what is removed is the tool's no more. Shared memory can still be
 * attached then, and knows who made it. */
static bool is_own(struct ipc_objects *objects, enum ipc_kind kind, int id, bool removes)
{
	const uint64_t key = key_of(kind, id);
	struct ipc_object *object;
	struct shmid_ds shm;

	pthread_mutex_lock(&objects->lock);
	HASH_FIND(hh, objects->made, &key, sizeof(key), object);
	if (object && removes && kind != IPC_SHM) {
		HASH_DEL(objects->made, object);
		free(object);
	}
	pthread_mutex_unlock(&objects->lock);
	if (!object || kind != IPC_SHM)
		return object != NULL;
	return shmctl(id, IPC_STAT, &shm) < 0 || shm.shm_cpid == getpid();
}

static void remove_made(struct ipc_objects *objects, const struct ipc_object *object)
{
	const int id = id_in(object);

	if (kind_in(object) == IPC_SEM)
		semctl(id, 0, IPC_RMID);
	else if (kind_in(object) == IPC_MSG)
		msgctl(id, IPC_RMID, NULL);
	else if (is_own(objects, IPC_SHM, id, false))
		shmctl(id, IPC_RMID, NULL);
}

void ipc_objects_free(struct ipc_objects *objects)
{
	struct ipc_object *object;
	struct ipc_object *next;

	if (!objects)
		return;
	for (object = objects->made; object; object = object->hh.next)
		remove_made(objects, object);
	object = objects->made;
	HASH_CLEAR(hh, objects->made);
	for (; object; object = next) {
		next = object->hh.next;
		free(object);
	}
	pthread_mutex_destroy(&objects->lock);
	free(objects);
}

/* Nobody's: removed, or never given. */
static bool is_gone(enum ipc_kind kind, int id)
{
	struct shmid_ds shm;
	struct msqid_ds msg;
	struct semid_ds sem;
	union {
		struct semid_ds *stat;
	} arg = {&sem};
	int result;

	if (kind == IPC_SHM)
		result = shmctl(id, IPC_STAT, &shm);
	else if (kind == IPC_MSG)
		result = msgctl(id, IPC_STAT, &msg);
	else
		result = semctl(id, 0, IPC_STAT, arg);
	return result < 0 && (errno == EINVAL || errno == EIDRM);
}

static struct reply refuse(struct call *call)
{
	const struct ask ask = {
		.class = call->row->class,
		.ops = {call->row->op},
		.op_count = 1,
	};

	return call_refuse(call, &ask, EACCES, "System V IPC with a process outside the tool's tree");
}

static int get(const struct call *call, int flags)
{
	const uint64_t *args = call->request.args;

	switch (kind_of(call->request.nr)) {
	case IPC_SHM:
		return shmget((key_t)args[0], args[1], flags);
	case IPC_SEM:
		return semget((key_t)args[0], (int)args[1], flags);
	default:
		return msgget((key_t)args[0], flags);
	}
}

/* shmget, semget, msgget */
struct reply handle_ipc_get(struct call *call)
{
	const enum ipc_kind kind = kind_of(call->request.nr);
	const uint64_t *args = call->request.args;
	const int flags = (int)args[kind == IPC_MSG ? 1 : 2];
	int id;

	if (!call_valid(call))
		return reply_none();
	if ((key_t)args[0] == IPC_PRIVATE || (flags & IPC_CREAT)) {
		id = get(call, flags | IPC_CREAT | IPC_EXCL);
		if (id >= 0 && !remember(call->session->ipc, kind, id))
			return reply_error(ENOMEM);
		if (id >= 0 || errno != EEXIST || (flags & IPC_EXCL))
			return reply_result(id);
	}
	id = get(call, flags & ~IPC_CREAT);
	return id < 0 || is_own(call->session->ipc, kind, id, false) ? reply_result(id) : refuse(call);
}

/* shmat, shmctl, semop, semtimedop, semctl, msgsnd, msgrcv, msgctl */
struct reply handle_ipc_use(struct call *call)
{
	const int nr = call->request.nr;
	const bool control = nr == SYS_shmctl || nr == SYS_semctl || nr == SYS_msgctl;
	const int command = (int)call->request.args[nr == SYS_semctl ? 2 : 1];
	const int id = (int)call->request.args[0];

	if (control) {
		switch (command) { /* what /proc/sysvipc tells */
		case IPC_STAT:
		case IPC_INFO:
			return reply_continue(call);
		default:
			if ((nr == SYS_shmctl && command >= SHM_STAT && command <= 15) ||
			    (nr == SYS_semctl && command >= SEM_STAT && command <= 20) ||
			    (nr == SYS_msgctl && command >= MSG_STAT && command <= 13))
				return reply_continue(call);
		}
	}
	if (is_own(call->session->ipc, kind_of(nr), id, control && command == IPC_RMID))
		return reply_continue(call);
	return is_gone(kind_of(nr), id) ? reply_error(EINVAL) : refuse(call);
}

/* ------------------------------------------------------------- mq_overview(7) */

struct queue {
	char name[NAME_MAX + 1];
	char path[sizeof("/dev/mqueue/") + NAME_MAX];
};

/* The queue's name, as the path that it has where the file system of queues is mounted. */
static bool read_queue(struct call *call, uint64_t addr, struct queue *ret, struct reply *reply)
{
	ssize_t len = tracee_read_string(call, addr, ret->name, sizeof(ret->name));

	if (len < 0)
		*reply = tracee_failed(call, (int)len);
	else if (len == 0)
		*reply = reply_error(ENOENT);
	else if (strchr(ret->name, '/') || !strcmp(ret->name, ".") || !strcmp(ret->name, ".."))
		*reply = reply_error(EACCES);
	else
		snprintf(ret->path, sizeof(ret->path), "/dev/mqueue/%s", ret->name);
	return len > 0 && reply->kind != REPLY_ERROR;
}

struct reply handle_mq_open(struct call *call)
{
	const uint64_t *args = call->request.args;
	const int flags = (int)args[1];
	const bool with_attr = (flags & O_CREAT) && args[3];
	struct queue queue;
	struct mq_attr attr;
	struct ask ask = {.class = CLASS_FILE, .path = queue.path, .arg = queue.name};
	struct reply reply = reply_none();
	int fd = 0;

	if (with_attr)
		fd = tracee_read(call, args[3], &attr, sizeof(attr));
	if (fd < 0)
		return tracee_failed(call, fd);
	if (!read_queue(call, args[0], &queue, &reply))
		return reply;
	if (flags & O_CREAT)
		ask.ops[ask.op_count++] = OP_CREATE;
	if ((flags & O_ACCMODE) != O_WRONLY)
		ask.ops[ask.op_count++] = OP_READ;
	if ((flags & O_ACCMODE) != O_RDONLY)
		ask.ops[ask.op_count++] = OP_MODIFY;
	if (!call_permit(call, &ask, &reply))
		return reply;
	fd = file_take_umask(call);
	if (fd < 0)
		return reply_error(-fd);
	fd = (int)syscall(SYS_mq_open, queue.name, flags, (mode_t)args[2], with_attr ? &attr : NULL);
	return fd < 0 ? reply_error(errno) : reply_fd(fd, true);
}

struct reply handle_mq_unlink(struct call *call)
{
	struct queue queue;
	const struct ask ask = {
		.class = CLASS_FILE,
		.ops = {OP_DELETE},
		.op_count = 1,
		.path = queue.path,
		.arg = queue.name,
	};
	struct reply reply = reply_none();

	if (!read_queue(call, call->request.args[0], &queue, &reply) ||
	    !call_permit(call, &ask, &reply))
		return reply;
	return reply_result(syscall(SYS_mq_unlink, queue.name));
}
