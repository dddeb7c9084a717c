/* System V objects, made again with the numbers they had: by PID 1, in a namespace that nobody else is in yet.
 *
 * Whoever did something to one last is played by a process of that number, which ends again.
 * Leaves to others: who has segments attached, what is undone to semaphores (restore_ipc.c).
 */
#include "restore.h"
#include "../keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define RIGHTS 0777u
#define VALUE_MOST 32767

static int last_pid;

static void choose_id(const char *kind, int id)
{
	char path[40], text[16];
	snprintf(path, sizeof path, "sys/kernel/%s_next_id", kind);
	int length = snprintf(text, sizeof text, "%d", id);
	HP_AUTO_CLOSE int fd = openat(hp_proc, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)length) != length)
		hp_die(errno, "choosing numbers of System V objects");
}

static void must_be(int made, int id, const char *what)
{
	if (made != id)
		hp_die(made < 0 ? errno : EEXIST, what);
}

/* ---- segments -------------------------------------------------------------------------------- */

static void make_segment(const struct hp_image *image, const struct hp_image_object *object)
{
	int id = (int)object->inode;
	uint64_t room = (object->size + HP_IMAGE_PAGE - 1) & ~(uint64_t)(HP_IMAGE_PAGE - 1);
	choose_id("shm", id);
	must_be(shmget((key_t)object->extra[1], object->size, IPC_CREAT | IPC_EXCL | (int)(object->mode & RIGHTS)), id,
		"making a segment");
	uint8_t *memory = shmat(id, NULL, 0);
	if (memory == (void *)-1)
		hp_die(errno, "filling a segment");
	HP_EACH_RUN(image, object->id, run)
	{
		if (run->at > room || run->bytes > room - run->at)
			hp_die(EBADMSG, "content of a segment");
		memcpy(memory + run->at, image->pages + run->pages, run->bytes);
	}
	if (object->mode & SHM_LOCKED)
		(void)shmctl(id, SHM_LOCK, NULL); /* as far as this machine allows */
	shmdt(memory);
}

/* ---- who did it last ------------------------------------------------------------------------- */

/* True in a process of that number; false in ours, after it has ended. A number that this machine does not
 * give out is only told to who asks (GETPID): another one will do. */
static bool play(pid_t pid)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%d", (int)pid - 1), status = -1;
	(void)!pwrite(last_pid, text, (size_t)length, 0);
	long child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0)
		return true;
	while (child > 0 && waitpid((pid_t)child, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		hp_die(child < 0         ? errno :
		       WIFEXITED(status) ? WEXITSTATUS(status) :
					   EPROTO,
		       "making System V objects as they were");
	return false;
}

/* ---- semaphores ------------------------------------------------------------------------------- */

static const struct hp_image_semaphore *of_set(const struct hp_image_semaphores *set)
{
	return (const void *)(set + 1);
}

/* Up and down again: who has done that has changed it last, by semop, and the value is what it was. */
static int operate(const struct hp_image_semaphores *set, unsigned number)
{
	int16_t way = of_set(set)[number].value == VALUE_MOST ? -1 : 1;
	struct sembuf there_and_back[] = { { (uint16_t)number, way, IPC_NOWAIT },
					   { (uint16_t)number, (int16_t)-way, IPC_NOWAIT } };
	return semop(set->id, there_and_back, 2);
}

static void set_values(const struct hp_image *image, pid_t pid)
{
	HP_EACH(image, hp_image_semaphores, HP_R_SEMAPHORES, set)
	for (unsigned n = 0; n < set->count; n++)
		if (of_set(set)[n].pid == pid && (semctl(set->id, (int)n, SETVAL, (int)of_set(set)[n].value) ||
						  (set->operated_s && operate(set, n))))
			_exit(errno);
	_exit(0);
}

static int by_number(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

static void make_semaphores(const struct hp_image *image)
{
	size_t total = 0, used = 0;
	HP_EACH(image, hp_image_semaphores, HP_R_SEMAPHORES, set)
	{
		choose_id("sem", set->id);
		must_be(semget(set->key, (int)set->count, IPC_CREAT | IPC_EXCL | (int)set->mode), set->id,
			"making semaphores");
		total += set->count;
	}
	pid_t *pids = calloc(total + 1, sizeof *pids);
	if (pids == NULL)
		hp_die(ENOMEM, "making semaphores");
	HP_EACH(image, hp_image_semaphores, HP_R_SEMAPHORES, set)
	for (unsigned n = 0; n < set->count; n++)
		if (of_set(set)[n].pid > 1)
			pids[used++] = of_set(set)[n].pid;
	qsort(pids, used, sizeof *pids, by_number);
	for (size_t n = 0; n < used; n++)
		if ((n == 0 || pids[n] != pids[n - 1]) && play(pids[n]))
			set_values(image, pids[n]);
	free(pids);
}

/* ---- queues ------------------------------------------------------------------------------------ */

static const struct {
	long type;
	char byte;
} token = { 1, 0 };

static void send_all(const struct hp_image_queue *queue)
{
	const uint8_t *at = (const void *)(queue + 1);
	if (queue->count == 0) /* what has been sent has been received */
		_exit(msgsnd(queue->id, &token, 1, IPC_NOWAIT) ? errno : 0);
	for (uint32_t n = 0; n < queue->count; n++) {
		const struct hp_image_message *message = (const void *)at;
		struct {
			long type;
			uint8_t bytes[];
		} *copy = malloc(sizeof *copy + message->bytes);
		if (copy == NULL)
			_exit(ENOMEM);
		copy->type = message->type;
		memcpy(copy->bytes, message + 1, message->bytes);
		if (msgsnd(queue->id, copy, message->bytes, IPC_NOWAIT))
			_exit(errno);
		free(copy);
		at += sizeof *message + ((message->bytes + 7ull) & ~7ull);
	}
	_exit(0);
}

static void receive(const struct hp_image_queue *queue)
{
	struct {
		long type;
		char byte;
	} message;
	_exit(msgrcv(queue->id, &message, 1, 0, IPC_NOWAIT) < 0 ? errno : 0);
}

static void make_queue(const struct hp_image_queue *queue)
{
	struct msqid_ds about;
	choose_id("msg", queue->id);
	must_be(msgget(queue->key, IPC_CREAT | IPC_EXCL | (int)queue->mode), queue->id, "making a queue");
	bool was_empty = queue->count == 0;
	if (was_empty && queue->sender > 1 && play(queue->sender))
		send_all(queue);
	if (!was_empty && queue->receiver > 1 && msgsnd(queue->id, &token, 1, IPC_NOWAIT))
		hp_die(errno, "filling a queue");
	if (queue->receiver > 1 && play(queue->receiver))
		receive(queue);
	if (!was_empty && play(queue->sender))
		send_all(queue);
	if (msgctl(queue->id, IPC_STAT, &about))
		hp_die(errno, "settings of a queue");
	about.msg_qbytes = queue->room;
	if (msgctl(queue->id, IPC_SET, &about))
		hp_die(errno, "settings of a queue");
}

void hp_make_ipc(const struct hp_image *image, int numbers)
{
	last_pid = numbers;
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_SYSV)
		make_segment(image, object);
	make_semaphores(image);
	HP_EACH(image, hp_image_queue, HP_R_QUEUE, queue)
	make_queue(queue);
}
