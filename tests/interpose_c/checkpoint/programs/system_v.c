/* System V segments, semaphores and queues: contents, numbers, who has them, what is undone at an end. */
#include "again.h"
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

#define LARGE (40 * 4096 + 100)
#define SETS 3

struct message {
	long type;
	char text[200];
};

static int sets[SETS];

static int operate(int set, unsigned short number, short by, short flags)
{
	struct sembuf one = { number, by, flags };
	return semop(set, &one, 1);
}

static int value(int set, int number)
{
	return semctl(set, number, GETVAL);
}

static void *nothing(void *unused)
{
	pause();
	return unused;
}

/* Waits for a semaphore, then for a message of type 9; its own SEM_UNDO takes 5 from one and gives 2 to another. */
static void child(int queue, int go, char *area)
{
	struct message message;
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0);
	CHECK(operate(sets[1], 0, 5, SEM_UNDO) == 0 && operate(sets[1], 1, -2, SEM_UNDO) == 0);
	CHECK(area[4096] == 'p');
	CHECK(write(go, "x", 1) == 1);
	CHECK(operate(sets[0], 0, -1, 0) == 0);
	CHECK(msgrcv(queue, &message, sizeof message.text, 9, 0) == 4 && !memcmp(message.text, "nine", 4));
	area[LARGE - 1] = 'c';
	_exit(0);
}

static void *wait_for_one(void *unused)
{
	/* two calls that a stop would end with EINTR */
	CHECK(operate(sets[0], 1, -3, 0) == 0);
	struct epoll_event event;
	int set = epoll_create1(0), ends[2];
	CHECK(pipe(ends) == 0);
	event = (struct epoll_event){ .events = EPOLLIN };
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0 && write(ends[1], "", 1) == 1);
	CHECK(epoll_wait(set, &event, 1, -1) == 1);
	return unused;
}

static void *wait_for_end(void *descriptor)
{
	struct epoll_event event;
	CHECK(epoll_wait(*(int *)descriptor, &event, 1, -1) == 1);
	return NULL;
}

int main(void)
{
	struct message message = { 7, "seven" };
	struct shmid_ds about;
	struct semid_ds semaphores;
	struct msqid_ds messages;
	pthread_t waits, polls;
	int go[2], status;
	char byte;
	for (int n = 0; n < 5; n++) /* numbers that are not the first ones */
		CHECK(shmctl(shmget(IPC_PRIVATE, 4096, 0600), IPC_RMID, NULL) == 0 &&
		      semctl(semget(IPC_PRIVATE, 1, 0600), 0, IPC_RMID) == 0 &&
		      msgctl(msgget(IPC_PRIVATE, 0600), IPC_RMID, NULL) == 0);
	int keyed = shmget(0x1234, LARGE, IPC_CREAT | IPC_EXCL | 0640), removed = shmget(IPC_PRIVATE, 8192, 0600);
	int idle = shmget(0x77, 4096, IPC_CREAT | 0600);
	char *area = shmat(keyed, NULL, 0), *gone = shmat(removed, NULL, 0),
	     *only_read = shmat(keyed, NULL, SHM_RDONLY);
	char *other = shmat(idle, NULL, 0);
	CHECK(area != (void *)-1 && gone != (void *)-1 && only_read != (void *)-1 && other != (void *)-1);
	CHECK(shmctl(removed, IPC_RMID, NULL) == 0);
	memset(other, 'i', 4096);
	CHECK(shmdt(other) == 0);
	area[4096] = 'p';
	area[LARGE - 1] = 'e';
	strcpy(gone, "removed");
	CHECK(mprotect(area + 8192, 4096, PROT_READ) == 0 && munmap(area + 5 * 4096, 2 * 4096) == 0);
	for (int n = 0; n < SETS; n++)
		CHECK((sets[n] = semget(n == 2 ? IPC_PRIVATE : 0x50 + n, 3, IPC_CREAT | 0600)) >= 0);
	CHECK(semctl(sets[1], 1, SETVAL, 2) == 0 && semctl(sets[1], 2, SETVAL, 32767) == 0);
	CHECK(operate(sets[1], 2, -7, SEM_UNDO) == 0);
	int queue = msgget(0x99, IPC_CREAT | 0600), empty = msgget(IPC_PRIVATE, 0620);
	CHECK(msgsnd(queue, &message, 5, 0) == 0);
	message = (struct message){ 3, "three" };
	CHECK(msgsnd(queue, &message, 5, 0) == 0 && msgsnd(queue, &message, 0, 0) == 0);
	CHECK(msgctl(queue, IPC_STAT, &messages) == 0);
	messages.msg_qbytes = 2000;
	CHECK(msgctl(queue, IPC_SET, &messages) == 0);
	CHECK(pipe(go) == 0);
	pid_t pid = fork();
	if (pid == 0)
		child(queue, go[1], area);
	CHECK(read(go[0], &byte, 1) == 1);
	CHECK(value(sets[1], 0) == 5 && value(sets[1], 1) == 0);
	int polled = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	CHECK(epoll_ctl(polled, EPOLL_CTL_ADD, go[0], &event) == 0);
	CHECK(pthread_create(&waits, NULL, wait_for_one, NULL) == 0 &&
	      pthread_create(&polls, NULL, wait_for_end, &polled) == 0);
	CHECK(shmctl(keyed, IPC_STAT, &about) == 0); /* each of its mappings counts */
	unsigned long parts = about.shm_nattch;
	linger();
	CHECK(shmget(0x1234, 0, 0) == keyed && shmget(0x77, 0, 0) == idle && msgget(0x99, 0) == queue);
	CHECK(shmctl(keyed, IPC_STAT, &about) == 0 && about.shm_segsz == LARGE && (about.shm_perm.mode & 0777) == 0640);
	CHECK(about.shm_perm.uid == getuid() && about.shm_perm.cuid == getuid() && about.shm_nattch == parts);
	CHECK(area[4096] == 'p' && area[LARGE - 1] == 'e' && only_read[4096] == 'p' && area[0] == 0);
	CHECK(mprotect(only_read, 4096, PROT_READ | PROT_WRITE) < 0 && errno == EACCES);
	CHECK(mprotect(area + 8192, 4096, PROT_READ | PROT_WRITE) == 0);
	CHECK(mmap(area + 5 * 4096, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	      area + 5 * 4096);
	CHECK(!strcmp(gone, "removed") && shmctl(removed, IPC_STAT, &about) == 0 && about.shm_perm.mode & SHM_DEST);
	CHECK(about.shm_nattch == 2);
	other = shmat(idle, NULL, SHM_RDONLY);
	CHECK(other != (void *)-1 && other[4095] == 'i');
	CHECK(semget(0x50, 0, 0) == sets[0] && semget(0x51, 3, 0) == sets[1]);
	CHECK(value(sets[1], 0) == 5 && value(sets[1], 1) == 0 && value(sets[1], 2) == 32760 && value(sets[2], 0) == 0);
	CHECK(semctl(sets[1], 0, GETPID) == pid && semctl(sets[1], 2, GETPID) == getpid());
	CHECK(semctl(sets[2], 0, GETPID) == 0);
	CHECK(semctl(sets[1], 0, IPC_STAT, &semaphores) == 0 && semaphores.sem_otime != 0);
	CHECK(semctl(sets[2], 0, IPC_STAT, &semaphores) == 0 && semaphores.sem_otime == 0);
	CHECK(semctl(sets[0], 0, GETNCNT) == 1 && semctl(sets[0], 1, GETNCNT) == 1);
	CHECK(msgctl(queue, IPC_STAT, &messages) == 0 && messages.msg_qnum == 3 && messages.msg_qbytes == 2000);
	CHECK(messages.msg_lspid == getpid() && messages.msg_lrpid == 0);
	CHECK(msgctl(empty, IPC_STAT, &messages) == 0 && messages.msg_qnum == 0 && messages.msg_lspid == 0 &&
	      (messages.msg_perm.mode & 0777) == 0620);
	CHECK(msgrcv(queue, &message, sizeof message.text, 3, 0) == 5 && !memcmp(message.text, "three", 5));
	CHECK(msgrcv(queue, &message, sizeof message.text, 0, 0) == 5 && message.type == 7);
	CHECK(msgrcv(queue, &message, sizeof message.text, 0, 0) == 0 && message.type == 3);
	CHECK(operate(sets[0], 0, 1, 0) == 0 && operate(sets[0], 1, 3, 0) == 0);
	message = (struct message){ 9, "nine" };
	CHECK(msgsnd(queue, &message, 4, 0) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(area[LARGE - 1] == 'c' && value(sets[1], 0) == 0 && value(sets[1], 1) == 2);
	CHECK(shmctl(removed, IPC_STAT, &about) == 0 && about.shm_nattch == 1 && shmdt(gone) == 0);
	CHECK(shmctl(removed, IPC_STAT, &about) < 0);
	CHECK(write(go[1], "", 1) == 1);
	CHECK(pthread_join(waits, NULL) == 0 && pthread_join(polls, NULL) == 0);
	pid = fork();
	if (pid == 0) /* what we undo is not undone by our children */
		_exit(0);
	CHECK(waitpid(pid, &status, 0) == pid && value(sets[1], 2) == 32760);
	CHECK(shmdt(area) == 0 && shmdt(only_read) == 0);
	return done();
}
