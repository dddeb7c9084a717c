/* POSIX queues of messages, made again with what was in them. */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void fill(const struct hp_image_object *object, int queue)
{
	const uint8_t *at = hp_image_extra(object);
	for (uint64_t n = 0; n < object->extra[1]; n++) {
		const struct hp_image_message *message = (const void *)at;
		if (mq_send(queue, (const char *)(message + 1), message->bytes, (unsigned)message->type))
			hp_together_fail(errno, "filling message queue %.150s", hp_image_path(object));
		at += sizeof *message + ((message->bytes + 7ul) & ~7ul);
	}
}

/* One that has lost its name first: another may have that. */
static void make_queue(const struct hp_image *image, const struct hp_image_object *object)
{
	const char *name = hp_image_path(object);
	struct mq_attr about = { .mq_maxmsg = (long)object->extra[0], .mq_msgsize = (long)object->size };
	int queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &about);
	if (queue < 0)
		hp_together_fail(errno, "making message queue %.150s", name);
	fill(object, queue);
	if (object->seals && mq_unlink(name))
		hp_together_fail(errno, "removing message queue %.150s", name);
	hp_put_fd(queue, hp_fd_of_object(image, object->id));
}

void hp_make_queues(const struct hp_image *image)
{
	for (uint32_t is_gone = 2; is_gone-- > 0;)
		HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_QUEUE && !object->seals == !is_gone)
		make_queue(image, object);
}

void hp_settle_queues(const struct hp_image *image)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_QUEUE && fchmod(hp_fd_of_object(image, object->id), object->mode))
		hp_together_fail(errno, "rights of message queue %.150s", hp_image_path(object));
}

/* ---- from outside ---------------------------------------------------------------------------- */

static bool opens(const struct hp_image *image, uint32_t file, uint32_t object)
{
	HP_EACH(image, hp_image_file, HP_R_FILE, candidate)
	if (candidate->id == file)
		return candidate->object == object;
	return false;
}

bool hp_restore_notices(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_object, HP_R_OBJECT, object)
	{
		long error = -EBADF;
		struct {
			uint64_t value;
			int32_t signal, notify, pad[12];
		} notice = { object->extra[5], (int32_t)object->extra[3], (int32_t)object->extra[2] - 1, { 0 } };
		if (object->kind != HP_O_QUEUE || !object->extra[2] || (pid_t)object->extra[4] != to->process->pid)
			continue;
		if (hp_remote_write(to->leader.tid, to->leader.scratch, &notice, sizeof notice))
			return hp_refuse("process %d: a notice of a message queue", (int)to->process->pid);
		HP_EACH(to->image, hp_image_fd, HP_R_FD, fd)
		if (error && fd->pid == to->process->pid && opens(to->image, fd->file, object->id))
			error = HP_ASK(&to->leader, SYS_mq_notify, fd->fd, to->leader.scratch);
		if (error)
			return hp_refuse("process %d: a notice of a message queue: %s", (int)to->process->pid,
					 strerror((int)-error));
	}
	return true;
}
