/* Reads a raw image and believes nothing of it.
 *
 * Owns: that every record is whole, every string ends, every number that others rely on is in
 * bounds. Leaves to others: what the kernel says to the values.
 */
#include "restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define FD_MOST (1 << 20)
#define PID_MOST (1 << 22)
#define NUMBERS_MOST (1u << 20)
#define ADDRESS_MOST (1ull << 47)
#define SEMAPHORES_MOST 65536u

static const uint32_t smallest[HP_R_KINDS] = {
	[HP_R_JOB] = sizeof(struct hp_image_job),
	[HP_R_PROCESS] = sizeof(struct hp_image_process),
	[HP_R_THREAD] = sizeof(struct hp_image_thread),
	[HP_R_ACTIONS] = sizeof(struct hp_image_actions),
	[HP_R_SIGNAL] = sizeof(struct hp_image_signal),
	[HP_R_TIMER] = sizeof(struct hp_image_timer),
	[HP_R_VMA] = sizeof(struct hp_image_vma),
	[HP_R_RUN] = sizeof(struct hp_image_run),
	[HP_R_OBJECT] = sizeof(struct hp_image_object),
	[HP_R_FILE] = sizeof(struct hp_image_file),
	[HP_R_FD] = sizeof(struct hp_image_fd),
	[HP_R_WATCH] = sizeof(struct hp_image_watch),
	[HP_R_NAME] = sizeof(struct hp_image_name),
	[HP_R_LOCK] = sizeof(struct hp_image_lock),
	[HP_R_SEMAPHORES] = sizeof(struct hp_image_semaphores),
	[HP_R_UNDO] = sizeof(struct hp_image_undo),
	[HP_R_QUEUE] = sizeof(struct hp_image_queue),
	[HP_R_OPTION] = sizeof(struct hp_image_option),
	[HP_R_SETTING] = sizeof(struct hp_image_setting),
	[HP_R_MARK] = sizeof(struct hp_image_mark),
	[HP_R_GUARD] = sizeof(struct hp_image_guard),
	[HP_R_ATTRIBUTE] = sizeof(struct hp_image_attribute),
	[HP_R_END] = sizeof(struct hp_image_end),
};

static bool bad(const char *what, uint64_t number)
{
	return hp_refuse("the image is damaged: %s (%lu)", what, (unsigned long)number);
}

/* `first` bytes and `second` bytes behind the fixed part; a string ends with its NUL. */
static bool tail_fits(const void *record, size_t fixed, uint64_t first, uint64_t second)
{
	const struct hp_record *head = record;
	return first <= head->bytes && second <= head->bytes && fixed + first + second <= head->bytes;
}

static bool ends(const void *record, size_t at, size_t length)
{
	return length == 0 || ((const char *)record)[at + length - 1] == '\0';
}

static bool index_records(struct hp_image *image)
{
	const struct hp_image_end *end = NULL;
	uint64_t number = 0;
	for (size_t at = 0; at < image->meta_bytes; number++) {
		const struct hp_record *record = (const void *)(image->meta + at);
		size_t left = image->meta_bytes - at;
		if (left < sizeof *record || record->bytes > left || record->bytes % 8 || record->kind == 0 ||
		    record->kind >= HP_R_KINDS || record->bytes < smallest[record->kind])
			return bad("a record", number);
		if ((number == 0) != (record->kind == HP_R_JOB))
			return bad("its first record", number);
		const void ***list = &image->of[record->kind];
		unsigned *count = &image->count[record->kind];
		if ((*count & (*count - 1)) == 0) {
			const void **larger = realloc(*list, (*count ? *count * 2 : 1) * sizeof *larger);
			if (larger == NULL)
				return hp_refuse("no memory");
			*list = larger;
		}
		(*list)[(*count)++] = record;
		if (record->kind == HP_R_END) {
			end = (const void *)record;
			if (at + record->bytes != image->meta_bytes || end->records != number + 1 ||
			    end->sum != hp_image_sum(0, image->meta, at))
				return bad("its sum", number);
		}
		at += record->bytes;
	}
	return end != NULL || bad("it is cut off", number);
}

static bool check_processes(struct hp_image *image)
{
	HP_EACH(image, hp_image_process, HP_R_PROCESS, process)
	{
		if (process->pid <= 1 || process->pid >= PID_MOST || process->state > HP_P_ZOMBIE ||
		    !tail_fits(process, sizeof *process, process->auxv_bytes, process->cwd_bytes) ||
		    !ends(process, sizeof *process + process->auxv_bytes, process->cwd_bytes) ||
		    hp_image_process(image, process->pid) != process)
			return bad("a process", (uint64_t)process->pid);
		if (process->state != HP_P_ZOMBIE && (process->cwd_bytes == 0 || process->auxv_bytes > 4096))
			return bad("a process", (uint64_t)process->pid);
		/* a parent is before its children: so there are no circles */
		const struct hp_image_process *parent = hp_image_process(image, process->ppid);
		bool known = process->ppid == 1;
		for (unsigned n = 0; n < process_n; n++)
			known |= image->of[HP_R_PROCESS][n] == parent && parent->state != HP_P_ZOMBIE;
		if (!known || process->pgid <= 0 || process->sid <= 0)
			return bad("a process's parent", (uint64_t)process->pid);
	}
	HP_EACH(image, hp_image_thread, HP_R_THREAD, thread)
	{
		if (!hp_image_process(image, thread->pid) || thread->tid <= 1 || thread->tid >= PID_MOST ||
		    thread->comm[15] || thread->xstate_bytes > HP_XSTATE_MOST ||
		    !tail_fits(thread, sizeof *thread, thread->xstate_bytes, 0))
			return bad("a thread", (uint64_t)thread->tid);
	}
	HP_EACH(image, hp_image_setting, HP_R_SETTING, setting)
	if (!hp_image_process(image, setting->pid) || setting->kind == 0 || setting->kind >= HP_S_KINDS)
		return bad("a setting", setting->kind);
	const struct hp_image_process *first = hp_image_process(image, (pid_t)image->job->first);
	return (first && first->ppid == 1 && first->state != HP_P_ZOMBIE) ||
	       bad("its first process", image->job->first);
}

static bool check_memory(struct hp_image *image)
{
	uint64_t last = 0;
	pid_t pid = 0;
	HP_EACH(image, hp_image_vma, HP_R_VMA, vma)
	{
		if (vma->pid != pid)
			last = 0, pid = vma->pid;
		if (!hp_image_process(image, vma->pid) || vma->start % HP_IMAGE_PAGE || vma->end % HP_IMAGE_PAGE ||
		    vma->start < last || vma->end <= vma->start || vma->end > ADDRESS_MOST || vma->name[15] ||
		    vma->kind == 0 || vma->kind > HP_V_KERNEL || vma->prot > 7 || vma->offset % HP_IMAGE_PAGE ||
		    ((vma->kind == HP_V_FILE || vma->kind == HP_V_SHARED) && !hp_image_object(image, vma->object)))
			return bad("a mapping", vma->start);
		last = vma->end;
	}
	HP_EACH(image, hp_image_guard, HP_R_GUARD, guard)
	if (!hp_image_process(image, guard->pid) || guard->start % HP_IMAGE_PAGE || guard->end % HP_IMAGE_PAGE ||
	    guard->end <= guard->start || guard->end > ADDRESS_MOST)
		return bad("guard pages", guard->start);
	HP_EACH(image, hp_image_run, HP_R_RUN, run)
	{
		if (run->pages > image->pages_bytes || run->bytes > image->pages_bytes - run->pages ||
		    run->at > ADDRESS_MOST || run->bytes == 0)
			return bad("content", run->at);
		const struct hp_image_object *object = hp_image_object(image, run->object);
		if (run->object ? !object || (object->kind != HP_O_MEMORY && object->kind != HP_O_SYSV) :
				  !hp_image_process(image, run->pid))
			return bad("content of nothing", run->at);
	}
	return true;
}

static bool check_objects(struct hp_image *image)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	{
		if (object->id == 0 || object->id > NUMBERS_MOST || object->kind == 0 || object->kind >= HP_O_KINDS ||
		    !tail_fits(object, sizeof *object, object->path_bytes, object->extra_bytes) ||
		    object->path_bytes > 4400)
			return bad("an object", object->id);
		if (object->kind != HP_O_SOCKET && !ends(object, sizeof *object, object->path_bytes))
			return bad("an object's name", object->id);
		if (object->kind == HP_O_NAMED && object->path_bytes == 0)
			return bad("an object's name", object->id);
		if (object->kind == HP_O_SOCKET && object->extra[0] != AF_UNIX &&
		    (object->path_bytes != 2 * sizeof(struct sockaddr_storage) || object->extra[2] >= HP_I_KINDS))
			return bad("a socket", object->id);
		image->objects = object->id > image->objects ? object->id : image->objects;
	}
	if (!hp_index_objects(image))
		return false;
	HP_EACH(image, hp_image_name, HP_R_NAME, name)
	{
		if (name->path_bytes == 0 || name->path_bytes > 4400 || name->target_bytes > 4400 ||
		    !tail_fits(name, sizeof *name, name->path_bytes, name->target_bytes) ||
		    !ends(name, sizeof *name, name->path_bytes) ||
		    !ends(name, sizeof *name + name->path_bytes, name->target_bytes) ||
		    (name->object && !hp_image_object(image, name->object)))
			return bad("a name", name_n);
	}
	HP_EACH(image, hp_image_attribute, HP_R_ATTRIBUTE, attribute)
	if (attribute->number >= image->count[HP_R_NAME] || attribute->name_bytes == 0 ||
	    !tail_fits(attribute, sizeof *attribute, attribute->name_bytes, attribute->value_bytes) ||
	    !ends(attribute, sizeof *attribute, attribute->name_bytes))
		return bad("an attribute of a name", attribute_n);
	return true;
}

static bool check_files(struct hp_image *image)
{
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	{
		if (file->id == 0 || file->id > NUMBERS_MOST || file->kind == 0 || file->kind >= HP_F_KINDS ||
		    (file->object && !hp_image_object(image, file->object)))
			return bad("an open file", file->id);
		bool has = file->kind <= HP_F_SOCKET || file->kind == HP_F_TERMINAL || file->kind == HP_F_QUEUE;
		if ((has && !file->object) || (file->kind == HP_F_STDIO && file->extra[0] > 2))
			return bad("an open file", file->id);
		image->files = file->id > image->files ? file->id : image->files;
	}
	HP_EACH(image, hp_image_fd, HP_R_FD, fd)
	{
		if (!hp_image_process(image, fd->pid) || fd->fd < 0 || fd->fd >= FD_MOST || fd->file == 0 ||
		    fd->file > image->files)
			return bad("a descriptor", (uint64_t)fd->fd);
		image->high = fd->fd >= image->high ? fd->fd + 1 : image->high;
	}
	HP_EACH(image, hp_image_option, HP_R_OPTION, option)
	if (!tail_fits(option, sizeof *option, option->bytes, 0) || !hp_image_object(image, option->object))
		return bad("an option of a socket", option->object);
	HP_EACH(image, hp_image_watch, HP_R_WATCH, watch)
	{
		if (watch->file == 0 || watch->file > image->files || watch->fd < 0 || watch->fd >= FD_MOST ||
		    watch->held < 0 || watch->held >= FD_MOST)
			return bad("a watch", watch_n);
		image->high = watch->fd >= image->high ? watch->fd + 1 : image->high;
	}
	HP_EACH(image, hp_image_mark, HP_R_MARK, mark)
	if (mark->file == 0 || mark->file > image->files || mark->wd < 1 || mark->wd > HP_WD_MOST ||
	    mark->path_bytes == 0 || !tail_fits(mark, sizeof *mark, mark->path_bytes, 0) ||
	    !ends(mark, sizeof *mark, mark->path_bytes))
		return bad("what is watched", mark_n);
	return true;
}

/* `count` messages, each with its bytes. */
static bool messages_fit(const uint8_t *at, uint64_t bytes, uint64_t count)
{
	const uint8_t *end = at + bytes;
	for (uint64_t n = 0; n < count; n++) {
		const struct hp_image_message *message = (const void *)at;
		if ((size_t)(end - at) < sizeof *message || message->bytes > (size_t)(end - at) - sizeof *message)
			return false;
		at += sizeof *message + ((message->bytes + 7ull) & ~7ull);
		if (at > end)
			return false;
	}
	return true;
}

static bool check_ipc(struct hp_image *image)
{
	HP_EACH(image, hp_image_semaphores, HP_R_SEMAPHORES, set)
	if (set->count > SEMAPHORES_MOST ||
	    !tail_fits(set, sizeof *set, set->count * sizeof(struct hp_image_semaphore), 0))
		return bad("semaphores", (uint64_t)set->id);
	HP_EACH(image, hp_image_undo, HP_R_UNDO, undo)
	if (!hp_image_process(image, undo->pid) || undo->number > SEMAPHORES_MOST || undo->adjust < INT16_MIN ||
	    undo->adjust > INT16_MAX)
		return bad("what is undone to semaphores", (uint64_t)undo->id);
	HP_EACH(image, hp_image_queue, HP_R_QUEUE, queue)
	if (queue->bytes % 8 || !tail_fits(queue, sizeof *queue, queue->bytes, 0) ||
	    !messages_fit((const void *)(queue + 1), queue->bytes, queue->count))
		return bad("a queue of messages", (uint64_t)queue->id);
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_SYSV && (object->size == 0 || object->size > ADDRESS_MOST))
		return bad("a shared segment", object->inode);
	else if (object->kind == HP_O_QUEUE &&
		 (object->path_bytes < 3 || object->extra[1] > object->extra[0] ||
		  !messages_fit(hp_image_extra(object), object->extra_bytes, object->extra[1])))
		return bad("a POSIX queue of messages", object->id);
	return true;
}

bool hp_image_read(struct hp_image *image, int meta, int pages)
{
	struct stat file, content;
	*image = (struct hp_image){ .high = 64 };
	if (fstat(meta, &file) || fstat(pages, &content) || file.st_size < (off_t)sizeof *image->job)
		return hp_refuse("the image is damaged: it has no beginning");
	image->meta_bytes = (size_t)file.st_size;
	image->meta = mmap(NULL, image->meta_bytes, PROT_READ, MAP_PRIVATE, meta, 0);
	image->job = (const void *)image->meta;
	image->pages_bytes = (uint64_t)content.st_size;
	if (image->meta == MAP_FAILED)
		return hp_refuse("the image cannot be read: %s", strerror(errno));
	if (image->job->magic != HP_IMAGE_MAGIC)
		return hp_refuse("this is not an image of a job");
	if (image->job->version != HP_IMAGE_VERSION)
		return hp_refuse("the image has format %u, this hpool reads format %u", image->job->version,
				 HP_IMAGE_VERSION);
	if (image->pages_bytes)
		image->pages = mmap(NULL, image->pages_bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, pages, 0);
	if (image->pages == MAP_FAILED)
		return hp_refuse("the image cannot be read: %s", strerror(errno));
	return index_records(image) && check_objects(image) && check_processes(image) && check_memory(image) &&
	       check_files(image) && check_ipc(image) && hp_index_content(image);
}

void hp_image_close(struct hp_image *image)
{
	munmap((void *)image->meta, image->meta_bytes);
	if (image->pages)
		munmap((void *)image->pages, image->pages_bytes);
}

const char *hp_image_path(const struct hp_image_object *object)
{
	return (const char *)(object + 1);
}

const uint8_t *hp_image_extra(const struct hp_image_object *object)
{
	return (const uint8_t *)(object + 1) + object->path_bytes;
}

const struct hp_image_process *hp_image_process(const struct hp_image *image, pid_t pid)
{
	HP_EACH(image, hp_image_process, HP_R_PROCESS, process)
	if (process->pid == pid)
		return process;
	return NULL;
}

bool hp_image_pid_known(const struct hp_image *image, pid_t pid)
{
	HP_EACH(image, hp_image_process, HP_R_PROCESS, process)
	if (process->pid == pid || process->pgid == pid || process->sid == pid)
		return true;
	HP_EACH(image, hp_image_thread, HP_R_THREAD, thread)
	if (thread->tid == pid)
		return true;
	return false;
}

pid_t hp_image_free_pid(const struct hp_image *image, pid_t below)
{
	while (--below > 2 && hp_image_pid_known(image, below))
		;
	return below;
}
