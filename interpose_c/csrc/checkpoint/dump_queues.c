/* POSIX queues of messages of the job's own IPC namespace: those that have a name, those that are open.
 *
 * Nobody can look into one: its messages are taken out and put back in the order they are received in. Who is
 * told that one has come (mq_notify) shows, but not with which value: so it tells, the signal is taken from
 * the process again before that runs, and the process asks to be told once more.
 */
#include "dump.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define QUEUES "/dev/mqueue"
#define QUEUES_MAGIC 0x19800202
#define INFO_BYTES 128
#define INFO_VALUE 24 /* in siginfo_t */

struct notice { /* struct sigevent */
	uint64_t value;
	int32_t signal, notify, pad[12];
};

struct queue {
	const char *name;
	int fd;
	struct stat stat;
	struct mq_attr about;
	uint8_t *content;
	size_t used;
	uint64_t taken;
	struct hp_process *told; /* NULL: nobody */
	int told_fd;             /* its descriptor of the queue */
	struct notice notice;
};

static bool cannot(const struct queue *queue, const char *why)
{
	return hp_refuse("POSIX message queue %.200s: %s", queue->name, why);
}

bool hp_is_queue(int fd)
{
	struct statfs system;
	struct stat found;
	return fstatfs(fd, &system) == 0 && system.f_type == QUEUES_MAGIC && fstat(fd, &found) == 0 &&
	       S_ISREG(found.st_mode);
}

/* ---- messages ------------------------------------------------------------------------------- */

static bool take_out(struct queue *queue)
{
	size_t most = (size_t)queue->about.mq_msgsize + sizeof(struct hp_image_message) + 7;
	queue->content = calloc((size_t)queue->about.mq_curmsgs + 1, most); /* one more is the provoked one */
	if (queue->content == NULL)
		return cannot(queue, "no memory");
	for (; queue->taken < (uint64_t)queue->about.mq_curmsgs; queue->taken++) {
		struct hp_image_message *message = (void *)(queue->content + queue->used);
		unsigned priority;
		ssize_t got = mq_receive(queue->fd, (char *)(message + 1), (size_t)queue->about.mq_msgsize, &priority);
		if (got < 0)
			return cannot(queue, strerror(errno));
		message->type = priority;
		message->bytes = (uint32_t)got;
		queue->used += sizeof *message + (((size_t)got + 7) & ~7ul);
	}
	return true;
}

static bool put_back(struct queue *queue)
{
	const uint8_t *at = queue->content;
	for (uint64_t n = 0; n < queue->taken; n++) {
		const struct hp_image_message *message = (const void *)at;
		if (mq_send(queue->fd, (const char *)(message + 1), message->bytes, (unsigned)message->type))
			return cannot(queue, strerror(errno));
		at += sizeof *message + ((message->bytes + 7ul) & ~7ul);
	}
	return true;
}

/* ---- who is told ---------------------------------------------------------------------------- */

static bool may_be_provoked(const struct queue *queue)
{
	int number = queue->notice.signal;
	return queue->notice.notify == SIGEV_SIGNAL && number != 0 && number != SIGKILL && number != SIGSTOP;
}

static bool is_pending(const struct hp_task *task, int number)
{
	uint64_t own = ~0ull, shared = ~0ull;
	char *status = hp_proc_text(task->tid, "status", NULL);
	if (status) {
		hp_proc_number(status, "SigPnd", 16, &own);
		hp_proc_number(status, "ShdPnd", 16, &shared);
	}
	free(status);
	return (own | shared) >> (number - 1) & 1;
}

/* It closes none of its descriptors of a queue without being told no more. */
static bool has_descriptor(struct queue *queue)
{
	for (int n = 0; n < queue->told->fd_count; n++) {
		struct stat found;
		char path[48];
		queue->told_fd = queue->told->fds[n];
		snprintf(path, sizeof path, "%d/fd/%d", (int)queue->told->pid, queue->told_fd);
		if (fstatat(hp_proc, path, &found, 0) == 0 && found.st_ino == queue->stat.st_ino &&
		    found.st_dev == queue->stat.st_dev)
			return true;
	}
	return false;
}

static bool read_notice(struct hp_dump *dump, struct queue *queue)
{
	char text[200] = "";
	struct notice *notice = &queue->notice;
	int pid = 0;
	if (pread(queue->fd, text, sizeof text - 1, 0) < 0 ||
	    sscanf(text, "QSIZE:%*u NOTIFY:%d SIGNO:%d NOTIFY_PID:%d", &notice->notify, &notice->signal, &pid) != 3)
		return cannot(queue, "is not described by this kernel");
	if (pid == 0)
		return true;
	queue->told = hp_dump_process(dump, pid);
	if (queue->told == NULL || queue->told->count == 0 || !has_descriptor(queue))
		return cannot(queue, "tells somebody outside of the job");
	if (notice->notify != SIGEV_SIGNAL && notice->notify != SIGEV_NONE)
		return cannot(queue, "tells by starting a thread (SIGEV_THREAD)");
	if (may_be_provoked(queue) && notice->signal == SIGTRAP)
		return cannot(queue, "tells by SIGTRAP");
	return !may_be_provoked(queue) || !is_pending(&queue->told->tasks[0], notice->signal) ||
	       cannot(queue, "the signal that it sends is pending");
}

static long ask_to_be_told(const struct queue *queue, const struct notice *notice)
{
	struct hp_remote *task = &queue->told->tasks[0].remote;
	if (notice && hp_remote_write(task->tid, task->scratch, notice, sizeof *notice))
		return -EFAULT;
	return HP_ASK(task, SYS_mq_notify, queue->told_fd, notice ? task->scratch : 0);
}

/* The queue is empty. Afterwards nobody is told any more. */
static bool provoke(struct queue *queue)
{
	struct {
		uint64_t set;
		struct timespec none;
		uint8_t info[INFO_BYTES];
	} wait = { .set = 1ull << (queue->notice.signal - 1) };
	struct hp_remote *task = &queue->told->tasks[0].remote;
	uint64_t at = task->scratch;
	if (mq_send(queue->fd, "", 0, 0) ||
	    mq_receive(queue->fd, (char *)queue->content + queue->used, (size_t)queue->about.mq_msgsize, NULL) < 0)
		return cannot(queue, strerror(errno));
	if (hp_remote_write(task->tid, at, &wait, sizeof wait))
		return cannot(queue, "its signal cannot be taken");
	long got = HP_ASK(task, SYS_rt_sigtimedwait, at, at + offsetof(__typeof__(wait), info),
			  at + offsetof(__typeof__(wait), none), sizeof wait.set);
	if (got == -EAGAIN) { /* whoever asked has executed another program since, which is not told */
		queue->notice.notify = SIGEV_NONE;
		return true;
	}
	return (got == queue->notice.signal &&
		hp_remote_read(task->tid, at + offsetof(__typeof__(wait), info) + INFO_VALUE, &queue->notice.value,
			       sizeof queue->notice.value) == 0) ||
	       cannot(queue, "its signal cannot be taken");
}

static bool hush(struct queue *queue)
{
	if (queue->told == NULL)
		return true;
	if (may_be_provoked(queue))
		return provoke(queue);
	return ask_to_be_told(queue, NULL) == 0 || cannot(queue, "goes on telling");
}

/* ---- all of one ------------------------------------------------------------------------------- */

/* Whatever fails: what was taken out goes back. */
static bool read_queue(struct hp_dump *dump, struct queue *queue)
{
	bool fine = read_notice(dump, queue), asked = queue->told != NULL && fine;
	fine = fine && take_out(queue) && hush(queue);
	fine = put_back(queue) && fine;
	return (!asked || ask_to_be_told(queue, &queue->notice) == 0 || cannot(queue, "tells no more")) && fine;
}

/* By a descriptor of our own: the job's may be for one way only, or wait. */
static bool dump_open(struct hp_dump *dump, struct queue *queue, uint32_t id)
{
	struct hp_image_object object = { .id = id,
					  .kind = HP_O_QUEUE,
					  .mode = queue->stat.st_mode & 07777,
					  .seals = queue->stat.st_nlink == 0,
					  .device = queue->stat.st_dev,
					  .inode = queue->stat.st_ino,
					  .path_bytes = ((uint32_t)strlen(queue->name) + 8) & ~7u };
	bool fine = (mq_getattr(queue->fd, &queue->about) == 0 || cannot(queue, strerror(errno))) &&
		    read_queue(dump, queue);
	object.size = (uint64_t)queue->about.mq_msgsize;
	object.extra[0] = (uint64_t)queue->about.mq_maxmsg;
	object.extra[1] = queue->taken;
	if (queue->told) {
		object.extra[2] = (uint64_t)queue->notice.notify + 1;
		object.extra[3] = (uint64_t)queue->notice.signal;
		object.extra[4] = (uint64_t)queue->told->pid;
		object.extra[5] = queue->notice.value;
	}
	object.extra_bytes = (uint32_t)queue->used;
	const struct hp_part parts[] = { { queue->name, object.path_bytes }, { queue->content, queue->used } };
	if (fine)
		hp_write_record(&dump->writer, HP_R_OBJECT, &object, sizeof object, parts, 2);
	free(queue->content);
	return fine;
}

bool hp_dump_object_queue(struct hp_dump *dump, const char *path, int fd, uint32_t *id)
{
	static const char deleted[] = " (deleted)";
	char name[304] = "", again[32];
	bool made;
	const char *last = strrchr(path, '/');
	strncpy(name, last ? last : path, sizeof name - 8);
	struct queue queue = { .name = name, .fd = -1 };
	if (fstat(fd, &queue.stat))
		return cannot(&queue, strerror(errno));
	*id = hp_dump_thing(dump, queue.stat.st_dev, queue.stat.st_ino, HP_O_QUEUE, &made);
	if (!made)
		return *id != 0;
	size_t length = strlen(name), suffix = sizeof deleted - 1;
	if (queue.stat.st_nlink == 0 && length > suffix && !strcmp(name + length - suffix, deleted))
		memset(name + length - suffix, '\0', suffix);
	snprintf(again, sizeof again, "self/fd/%d", fd);
	queue.fd = openat(hp_proc, again, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	bool fine = queue.fd >= 0 ? dump_open(dump, &queue, *id) : cannot(&queue, strerror(errno));
	if (queue.fd >= 0)
		close(queue.fd);
	return fine;
}

bool hp_dump_queues(struct hp_dump *dump)
{
	bool fine = true;
	uint32_t id;
	DIR *queues = opendir(QUEUES);
	for (struct dirent *entry = queues ? readdir(queues) : NULL; entry && fine; entry = readdir(queues)) {
		char name[260];
		if (entry->d_name[0] == '.' && (!entry->d_name[1] || !strcmp(entry->d_name, "..")))
			continue;
		snprintf(name, sizeof name, "/%s", entry->d_name);
		int fd = mq_open(name, O_RDONLY | O_NONBLOCK);
		fine = fd >= 0 ? hp_dump_object_queue(dump, name, fd, &id) :
				 hp_refuse("POSIX message queue %s: %s", name, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (queues)
		closedir(queues);
	return fine;
}
