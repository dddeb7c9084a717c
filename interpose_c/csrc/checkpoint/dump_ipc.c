/* System V objects of the job's own IPC namespace: segments, sets of semaphores, queues.
 *
 * All of the namespace travel, whoever uses them. Segments are read through an attachment of our own,
 * queues are looked at without being emptied (MSG_COPY). Leaves to others: what is undone to
 * semaphores when a process ends (dump_undo.c).
 */
#include "dump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define RIGHTS 0777u
#define VECTOR 32768u /* pages asked for at once */
#define MSG_COPY_ 040000 /* the n-th message, which stays */
#define PAGES(bytes) (((bytes) + HP_IMAGE_PAGE - 1) / HP_IMAGE_PAGE)

static bool cannot(const char *what, int id)
{
	return hp_refuse("System V %s %d cannot be read: %s", what, id, strerror(errno));
}

/* ---- segments ------------------------------------------------------------------------------- */

/* Where nothing swaps, what is not in memory is zeros. */
static bool copy_segment(struct hp_dump *dump, const struct hp_image_object *object, const uint8_t *memory)
{
	static uint8_t resident[VECTOR];
	uint64_t pages = PAGES(object->size);
	for (uint64_t page = 0; page < pages; page += VECTOR) {
		size_t count = pages - page < VECTOR ? pages - page : VECTOR;
		memset(resident, 1, count);
		if (!dump->has_swap &&
		    mincore((void *)(memory + page * HP_IMAGE_PAGE), count * HP_IMAGE_PAGE, resident))
			return cannot("segment", (int)object->inode);
		for (size_t n = 0, end; n < count; n = end + 1) {
			for (end = n; end < count && resident[end] & 1;)
				end++;
			struct hp_image_run run = { .object = object->id,
						    .at = (page + n) * HP_IMAGE_PAGE,
						    .bytes = (end - n) * HP_IMAGE_PAGE };
			run.pages = object->extra[0] + run.at;
			if (end == n)
				continue;
			hp_write_record(&dump->writer, HP_R_RUN, &run, sizeof run, NULL, 0);
			hp_write_content(&dump->writer, memory + run.at, run.bytes, run.pages);
		}
	}
	return true;
}

static bool dump_segment(struct hp_dump *dump, int id, const struct shmid_ds *about)
{
	bool made;
	struct hp_image_object object = { .id = hp_dump_thing(dump, 0, (uint64_t)id, HP_O_SYSV, &made),
					  .kind = HP_O_SYSV,
					  .mode = about->shm_perm.mode,
					  .size = about->shm_segsz,
					  .inode = (uint64_t)id };
	if (object.id == 0)
		return false;
	const uint8_t *memory = shmat(id, NULL, SHM_RDONLY);
	if (memory == (const void *)-1)
		return cannot("segment", id);
	object.extra[0] = hp_write_region(&dump->writer, 0, PAGES(object.size) * HP_IMAGE_PAGE);
	object.extra[1] = (uint32_t)about->shm_perm.__key;
	hp_write_record(&dump->writer, HP_R_OBJECT, &object, sizeof object, NULL, 0);
	bool fine = copy_segment(dump, &object, memory);
	shmdt(memory);
	return fine;
}

/* Nothing else may be where it lies as a whole: it is attached there again as a whole. */
static bool is_alone(const struct hp_process *process, const struct hp_mapping *of, uint64_t bytes)
{
	uint64_t base = of->start - of->offset;
	for (unsigned n = 0; n < process->mapping_count; n++) {
		const struct hp_mapping *other = &process->mappings[n];
		bool same = other->shared && other->inode == of->inode && other->device == of->device &&
			    other->start - other->offset == base;
		if (other->start < base + bytes && other->end > base && (!same || other->end > base + bytes))
			return false;
	}
	return of->start >= of->offset && of->end <= base + bytes;
}

bool hp_dump_attached(struct hp_dump *dump, struct hp_process *process, struct hp_mapping *mapping)
{
	bool made;
	struct shmid_ds about;
	mapping->kind = HP_V_SHARED;
	mapping->object = hp_dump_thing(dump, 0, mapping->inode, HP_O_SYSV, &made);
	if (mapping->object == 0 || made || !mapping->shared || shmctl((int)mapping->inode, IPC_STAT, &about))
		return hp_refuse("process %d maps %s, which is none of the job's segments", (int)process->pid,
				 mapping->name);
	return is_alone(process, mapping, PAGES(about.shm_segsz) * HP_IMAGE_PAGE) ||
	       hp_refuse("process %d has mapped something else into an attached segment", (int)process->pid);
}

/* ---- semaphores ------------------------------------------------------------------------------ */

static bool dump_set(struct hp_dump *dump, int id, const struct semid_ds *about)
{
	size_t count = about->sem_nsems;
	struct hp_image_semaphores set = { .id = id,
					   .key = about->sem_perm.__key,
					   .mode = about->sem_perm.mode & RIGHTS,
					   .count = (uint32_t)count,
					   .operated_s = about->sem_otime };
	uint16_t *values = calloc(count, sizeof *values);
	struct hp_image_semaphore *each = calloc(count, sizeof *each);
	struct hp_part part = { each, count * sizeof *each };
	bool fine = values && each && semctl(id, 0, GETALL, values) >= 0;
	for (size_t n = 0; n < count && fine; n++) {
		each[n].value = values[n];
		each[n].pid = semctl(id, (int)n, GETPID);
		fine = each[n].pid >= 0;
	}
	if (fine)
		hp_write_record(&dump->writer, HP_R_SEMAPHORES, &set, sizeof set, &part, 1);
	else
		(void)cannot("set of semaphores", id);
	for (size_t n = 0; n < count && fine; n++)
		fine = hp_dump_undo(dump, id, (unsigned)n, values[n]);
	free(values);
	free(each);
	return fine;
}

/* ---- queues ---------------------------------------------------------------------------------- */

static bool dump_queue(struct hp_dump *dump, int id, const struct msqid_ds *about)
{
	struct {
		long type;
		char bytes[];
	} *message = malloc(sizeof *message + about->__msg_cbytes);
	uint8_t *content = calloc(about->msg_qnum + 1, sizeof(struct hp_image_message) + 8 + about->__msg_cbytes);
	size_t used = 0;
	struct hp_image_queue queue = { .id = id,
					.key = about->msg_perm.__key,
					.mode = about->msg_perm.mode & RIGHTS,
					.count = (uint32_t)about->msg_qnum,
					.sender = about->msg_lspid,
					.receiver = about->msg_lrpid,
					.room = about->msg_qbytes };
	bool fine = message && content;
	for (uint32_t n = 0; n < queue.count && fine; n++) {
		ssize_t got = msgrcv(id, message, about->__msg_cbytes, n, MSG_COPY_ | IPC_NOWAIT);
		fine = got >= 0;
		if (!fine)
			break;
		struct hp_image_message head = { message->type, (uint32_t)got, 0 };
		memcpy(content + used, &head, sizeof head);
		memcpy(content + used + sizeof head, message->bytes, (size_t)got);
		used += sizeof head + (((size_t)got + 7) & ~7ul);
	}
	struct hp_part part = { content, used };
	queue.bytes = used;
	if (fine)
		hp_write_record(&dump->writer, HP_R_QUEUE, &queue, sizeof queue, &part, 1);
	free(message);
	free(content);
	return fine || cannot("queue", id);
}

/* ---- all of them ----------------------------------------------------------------------------- */

bool hp_dump_ipc(struct hp_dump *dump)
{
	struct shmid_ds segment;
	struct semid_ds set;
	struct msqid_ds queue;
	struct shm_info segments;
	struct seminfo sets;
	struct msginfo queues;
	bool fine = hp_dump_queues(dump);
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&segments), id;
	for (int n = 0; n <= last && fine; n++)
		if ((id = shmctl(n, SHM_STAT_ANY, &segment)) >= 0)
			fine = dump_segment(dump, id, &segment);
	last = semctl(0, 0, SEM_INFO, &sets);
	for (int n = 0; n <= last && fine; n++)
		if ((id = semctl(n, 0, SEM_STAT_ANY, &set)) >= 0)
			fine = dump_set(dump, id, &set);
	last = msgctl(0, MSG_INFO, (struct msqid_ds *)&queues);
	for (int n = 0; n <= last && fine; n++)
		if ((id = msgctl(n, MSG_STAT_ANY, &queue)) >= 0)
			fine = dump_queue(dump, id, &queue);
	return fine;
}
