/* What only a process itself can do with System V objects: attach segments, promise to undo what it did. */
#include "restore.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define MOST 32767
#define OPERATIONS 8

static bool failed(const struct hp_restored *to, const char *what, long error)
{
	return hp_refuse("process %d: %s: %s", (int)to->process->pid, what, strerror((int)-error));
}

static const struct hp_image_object *segment_of(const struct hp_image *image, const struct hp_image_vma *vma)
{
	const struct hp_image_object *object = vma->kind == HP_V_SHARED ? hp_image_object(image, vma->object) : NULL;
	return object && object->kind == HP_O_SYSV ? object : NULL;
}

bool hp_is_attached(const struct hp_image *image, const struct hp_image_vma *vma)
{
	return segment_of(image, vma) != NULL;
}

/* ---- segments -------------------------------------------------------------------------------- */

/* Attached as a whole, where its beginning would be; then what the process has unmapped goes. */
static bool attach(struct hp_restored *to, const struct hp_image_object *segment, const struct hp_image_vma *first)
{
	uint64_t base = first->start - first->offset, at = base;
	uint64_t end = base + ((segment->size + HP_IMAGE_PAGE - 1) & ~(uint64_t)(HP_IMAGE_PAGE - 1));
	uint32_t given = PROT_READ | (first->flags & HP_V_READ_ONLY ? 0 : PROT_WRITE);
	long got = HP_ASK(&to->leader, SYS_shmat, (int)segment->inode, base,
			  first->flags & HP_V_READ_ONLY ? SHM_RDONLY : 0);
	if ((uint64_t)got != base)
		return failed(to, "attaching a segment", got < 0 ? got : -EEXIST);
	HP_EACH(to->image, hp_image_vma, HP_R_VMA, vma)
	{
		if (vma->pid != to->process->pid || vma->object != first->object || vma->start - vma->offset != base)
			continue;
		if (vma->end > end || vma->start < at)
			return failed(to, "attaching a segment", -EBADMSG);
		long error = vma->start > at ? HP_ASK(&to->leader, SYS_munmap, at, vma->start - at) : 0;
		if (!error && vma->prot != given)
			error = HP_ASK(&to->leader, SYS_mprotect, vma->start, vma->end - vma->start, vma->prot);
		if (error)
			return failed(to, "an attached segment", error);
		at = vma->end;
	}
	long error = end > at ? HP_ASK(&to->leader, SYS_munmap, at, end - at) : 0;
	return !error || failed(to, "an attached segment", error);
}

static bool is_first(const struct hp_image *image, const struct hp_image_vma *of)
{
	HP_EACH(image, hp_image_vma, HP_R_VMA, vma)
	{
		if (vma == of)
			return true;
		if (vma->pid == of->pid && vma->object == of->object &&
		    vma->start - vma->offset == of->start - of->offset)
			return false;
	}
	return false;
}

bool hp_restore_attached(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_vma, HP_R_VMA, vma)
	{
		const struct hp_image_object *segment = segment_of(to->image, vma);
		if (vma->pid == to->process->pid && segment && is_first(to->image, vma) && !attach(to, segment, vma))
			return false;
	}
	return true;
}

bool hp_restore_removed(const struct hp_image *image)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_SYSV && object->mode & SHM_DEST && shmctl((int)object->inode, IPC_RMID, NULL))
		return hp_refuse("a segment cannot be removed: %s", strerror(errno));
	return true;
}

/* ---- semaphores ------------------------------------------------------------------------------- */

/* From zero up and down again, by as much as is undone one way only; then the value it has. */
static bool promise(struct hp_restored *to, const struct hp_image_undo *undo, uint16_t value)
{
	struct sembuf all[OPERATIONS];
	uint16_t number = (uint16_t)undo->number;
	int16_t up = undo->adjust < 0 ? SEM_UNDO : 0, down = undo->adjust < 0 ? 0 : SEM_UNDO;
	unsigned count = 0;
	if (value)
		all[count++] = (struct sembuf){ number, (int16_t)-value, 0 };
	for (int left = undo->adjust < 0 ? -undo->adjust : undo->adjust, part; left > 0; left -= part) {
		part = left < MOST ? left : MOST;
		all[count++] = (struct sembuf){ number, (int16_t)part, up };
		all[count++] = (struct sembuf){ number, (int16_t)-part, down };
	}
	if (value)
		all[count++] = (struct sembuf){ number, (int16_t)value, 0 };
	if (hp_remote_write(to->leader.tid, to->leader.scratch, all, count * sizeof *all))
		return failed(to, "what it undoes to semaphores", -EFAULT);
	long error = HP_ASK(&to->leader, SYS_semop, undo->id, to->leader.scratch, count);
	return !error || failed(to, "what it undoes to semaphores", error);
}

bool hp_restore_undo(struct hp_restored *to, bool last)
{
	HP_EACH(to->image, hp_image_undo, HP_R_UNDO, undo)
	HP_EACH(to->image, hp_image_semaphores, HP_R_SEMAPHORES, set)
	{
		if (undo->pid != to->process->pid || set->id != undo->id || undo->number >= set->count)
			continue;
		const struct hp_image_semaphore *of = (const struct hp_image_semaphore *)(set + 1) + undo->number;
		if ((of->pid == undo->pid) == last && !promise(to, undo, of->value))
			return false;
	}
	return true;
}
