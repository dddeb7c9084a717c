/* Reads an image again and again, wrong in a few bytes each time: meta pages seed times. */
#include "checkpoint/restore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static uint64_t state;

static uint64_t chance(uint64_t below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % below;
}

static void damage(uint8_t *meta, size_t bytes)
{
	static const uint32_t liked[] = { 0, 1, 7, 8, 0x7fffffff, 0x80000000, 0xffffffff, 4096 };
	for (uint64_t n = chance(4) + 1; n > 0; n--) {
		size_t at = chance(bytes / 4) * 4;
		uint32_t word = liked[chance(8)];
		if (chance(2))
			meta[at + chance(4)] ^= (uint8_t)(1u << chance(8));
		else
			memcpy(meta + at, &word, sizeof word);
	}
	struct hp_image_end *end = (struct hp_image_end *)(meta + bytes - sizeof *end);
	end->sum = hp_image_sum(0, meta, bytes - sizeof *end);
}

/* Everything that the restorer would look at. */
static uint64_t touch(const struct hp_image *image)
{
	uint64_t sum = 0;
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	{
		sum += object->path_bytes ? (uint8_t)hp_image_path(object)[object->path_bytes - 1] : 0;
		sum += object->extra_bytes ? hp_image_extra(object)[object->extra_bytes - 1] : 0;
	}
	HP_EACH(image, hp_image_run, HP_R_RUN, run)
	sum += image->pages[run->pages] + image->pages[run->pages + run->bytes - 1];
	HP_EACH(image, hp_image_thread, HP_R_THREAD, thread)
	sum += hp_image_sum(0, thread + 1, thread->xstate_bytes) + strlen(thread->comm);
	HP_EACH(image, hp_image_process, HP_R_PROCESS, process)
	sum += process->cwd_bytes ? strlen((const char *)(process + 1) + process->auxv_bytes) : 0;
	HP_EACH(image, hp_image_name, HP_R_NAME, name)
	sum += strlen((const char *)(name + 1));
	for (uint32_t id = 0; id <= image->objects; id++)
		HP_EACH_RUN(image, id, run)
	sum += run->object == id && hp_fd_of_object(image, id) <= hp_fd_last(image);
	return sum;
}

int main(int argc, char **argv)
{
	struct stat found;
	unsigned accepted = 0, refused = 0;
	if (argc != 5)
		return 2;
	int meta = open(argv[1], O_RDONLY), pages = open(argv[2], O_RDONLY);
	state = strtoull(argv[3], NULL, 10);
	if (meta < 0 || pages < 0 || fstat(meta, &found))
		return 2;
	size_t bytes = (size_t)found.st_size;
	uint8_t *whole = malloc(bytes), *wrong = malloc(bytes);
	if (read(meta, whole, bytes) != (ssize_t)bytes)
		return 2;
	for (long times = atol(argv[4]); times > 0; times--) {
		struct hp_image image;
		int file = memfd_create("wrong", 0);
		memcpy(wrong, whole, bytes);
		damage(wrong, bytes);
		if (write(file, wrong, bytes) != (ssize_t)bytes)
			return 2;
		if (hp_image_read(&image, file, pages))
			accepted++, state += touch(&image) == 1;
		else
			refused++;
		close(file);
		munmap((void *)image.meta, image.meta_bytes);
		if (image.pages_bytes)
			munmap((void *)image.pages, image.pages_bytes);
	}
	printf("%u %u\n", accepted, refused);
	return 0;
}
