/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * esc_ipc KEY QUEUE
 *
 * Makes, uses and removes System V objects of the key KEY and a POSIX queue of the name QUEUE, in
 * itself and with a child, and prints what each call gave. Nothing is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 4096, TEXT = 16 };

struct message {
	long type;
	char text[TEXT];
};

static long say(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: fine\n", what);
	return result;
}

static void in_child(void (*act)(int id), int id)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		act(id);
		fflush(stdout);
		_exit(0);
	}
	say("child", waitpid(child, NULL, 0));
}

static void write_memory(int id)
{
	char *memory = shmat(id, NULL, 0);

	if (say("shmat in the child", memory == (void *)-1 ? -1 : 0) < 0)
		return;
	strcpy(memory, "from the child");
	say("shmdt", shmdt(memory));
}

static void send_message(int id)
{
	const struct message message = {.type = 1, .text = "from the child"};

	say("msgsnd in the child", msgsnd(id, &message, sizeof(message.text), 0));
}

static void raise_semaphore(int id)
{
	struct sembuf act = {.sem_num = 1, .sem_op = 2};

	say("semop in the child", semop(id, &act, 1));
}

static void memory(key_t key)
{
	const int id = (int)say("shmget", shmget(key, SIZE, IPC_CREAT | 0600));
	struct shmid_ds stat;
	char *here = shmat(id, NULL, 0);

	if (say("shmat", here == (void *)-1 ? -1 : 0) < 0)
		return;
	in_child(write_memory, id);
	printf("%s\n", here);
	say("shmget again", shmget(key, 0, 0) == id ? 0 : -1);
	say("shmget anew", shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600));
	say("shmget too large", shmget(key, 2 * SIZE, 0));
	say("IPC_STAT", shmctl(id, IPC_STAT, &stat));
	printf("%zu bytes, %lu attached\n", stat.shm_segsz, (unsigned long)stat.shm_nattch);
	say("IPC_RMID", shmctl(id, IPC_RMID, NULL));
	say("shmat of the removed", shmat(id, NULL, 0) == (void *)-1 ? -1 : 0);
	say("shmget of the removed", shmget(key, 0, 0));
	say("shmdt", shmdt(here));
}

static void messages(key_t key)
{
	const int id = (int)say("msgget", msgget(key, IPC_CREAT | 0600));
	struct message message = {0};

	in_child(send_message, id);
	say("msgrcv", msgrcv(id, &message, sizeof(message.text), 0, 0));
	printf("%s\n", message.text);
	say("msgrcv of none", msgrcv(id, &message, sizeof(message.text), 0, IPC_NOWAIT));
	say("msgget again", msgget(key, 0) == id ? 0 : -1);
	say("IPC_RMID", msgctl(id, IPC_RMID, NULL));
	say("msgget of the removed", msgget(key, 0));
	say("msgrcv of the removed", msgrcv(id, &message, sizeof(message.text), 0, IPC_NOWAIT));
}

static void semaphores(key_t key)
{
	const int id = (int)say("semget", semget(key, 2, IPC_CREAT | 0600));
	struct sembuf act = {.sem_num = 1, .sem_op = -2, .sem_flg = IPC_NOWAIT};

	say("semop too early", semop(id, &act, 1));
	in_child(raise_semaphore, id);
	printf("GETVAL %d\n", semctl(id, 1, GETVAL));
	say("semop", semop(id, &act, 1));
	say("SETVAL", semctl(id, 1, SETVAL, 7));
	printf("GETVAL %d\n", semctl(id, 1, GETVAL));
	say("semget again", semget(key, 2, 0) == id ? 0 : -1);
	say("IPC_RMID", semctl(id, 0, IPC_RMID));
	say("semop of the removed", semop(id, &act, 1));
	say("semget of the removed", semget(key, 2, 0));
}

static void queue(const char *name)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = TEXT};
	char text[TEXT] = "";
	const mqd_t mq = (mqd_t)say("mq_open", mq_open(name, O_CREAT | O_RDWR, 0600, &attr));

	if (mq < 0)
		return;
	printf("FD_CLOEXEC %d\n", fcntl(mq, F_GETFD) == FD_CLOEXEC);
	say("mq_send", mq_send(mq, "text", 5, 0));
	say("mq_receive", mq_receive(mq, text, sizeof(text), NULL));
	printf("%s\n", text);
	say("mq_open anew", mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr));
	say("mq_close", mq_close(mq));
	say("mq_unlink", mq_unlink(name));
	say("mq_unlink of none", mq_unlink(name));
	say("mq_open of none", mq_open(name, O_RDONLY));
}

int main(int argc, char **argv)
{
	key_t key;

	if (argc != 3)
		return 99;
	key = (key_t)strtol(argv[1], NULL, 0);
	memory(key);
	memory(IPC_PRIVATE);
	messages(key);
	semaphores(key);
	queue(argv[2]);
	return 0;
}
