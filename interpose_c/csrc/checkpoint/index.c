/* An image's index: objects by number, their content, which of them need a descriptor while they are made.
 *
 * Owns what it allocates, for as long as the restorer lives: some bytes a number and a run. Leaves to others: that
 * numbers are in bounds (read.c).
 */
#include "restore.h"

#include <stdlib.h>
#include <string.h>

bool hp_index_objects(struct hp_image *image)
{
	image->index = calloc(image->objects + 1, sizeof *image->index);
	if (!image->index)
		return hp_refuse("no memory");
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	{
		if (image->index[object->id].object)
			return hp_refuse("the image is damaged: two objects have number %u", object->id);
		image->index[object->id].object = object;
	}
	return true;
}

static bool is_held(const struct hp_indexed *at)
{
	return at->object && ((at->object->kind == HP_O_MEMORY && !at->has_name) || at->object->kind == HP_O_PIPE ||
			      at->object->kind == HP_O_TERMINAL || at->object->kind == HP_O_QUEUE);
}

bool hp_index_content(struct hp_image *image)
{
	unsigned count = image->count[HP_R_RUN];
	image->next_run = calloc(count + 1, sizeof *image->next_run);
	if (!image->next_run)
		return hp_refuse("no memory");
	for (unsigned n = count; n-- > 0;) { /* from the end: so the first comes first */
		const struct hp_image_run *run = image->of[HP_R_RUN][n];
		image->next_run[n] = image->index[run->object].first_run;
		image->index[run->object].first_run = n + 1;
	}
	HP_EACH(image, hp_image_name, HP_R_NAME, name)
	image->index[name->object].has_name = name->object != 0;
	for (uint32_t id = 1; id <= image->objects; id++)
		if (is_held(&image->index[id]))
			image->index[id].place = ++image->held;
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	image->has_proc |= hp_is_of_proc(image, file);
	return true;
}

bool hp_is_of_proc(const struct hp_image *image, const struct hp_image_file *file)
{
	const struct hp_image_object *object = hp_image_object(image, file->object);
	if (file->kind != HP_F_NAMED || object == NULL || object->kind != HP_O_NAMED)
		return false;
	const char *path = hp_image_path(object);
	return !strncmp(path, "/proc/", 6) && path[6] >= '0' && path[6] <= '9';
}

bool hp_is_proc_at(const struct hp_image *image, pid_t pid, int number)
{
	if (!image->has_proc)
		return false;
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	{
		if (!hp_is_of_proc(image, file))
			continue;
		HP_EACH(image, hp_image_fd, HP_R_FD, fd)
		if (fd->pid == pid && fd->fd == number && fd->file == file->id)
			return true;
	}
	return false;
}

const char *hp_image_name_of(const struct hp_image *image, uint32_t id)
{
	HP_EACH(image, hp_image_name, HP_R_NAME, name)
	if (name->object == id)
		return (const char *)(name + 1);
	return NULL;
}

const struct hp_image_object *hp_image_object(const struct hp_image *image, uint32_t id)
{
	return id <= image->objects ? image->index[id].object : NULL;
}
