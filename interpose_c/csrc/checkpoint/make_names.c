/* The job's scratch, filled again. Confined: whatever the image says, it is the job's own doing.
 *
 * Sockets in it are made by whoever listens there (make_sockets.c).
 */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void write_content(const struct hp_image *image, uint32_t object, int fd, const char *path)
{
	const struct hp_image_object *content = hp_image_object(image, object);
	HP_EACH(image, hp_image_run, HP_R_RUN, run)
	{
		if (run->object != object)
			continue;
		for (uint64_t done = 0; done < run->bytes;) {
			ssize_t part = pwrite(fd, image->pages + run->pages + done, run->bytes - done,
					      (off_t)(run->at + done));
			if (part < 0)
				hp_together_fail(errno, "writing %.150s", path);
			done += (uint64_t)part;
		}
	}
	if (content && ftruncate(fd, (off_t)content->size))
		hp_together_fail(errno, "writing %.150s", path);
}

static bool linked(const struct hp_image *image, const struct hp_image_name *name, unsigned before, const char *path)
{
	if (!S_ISREG(name->mode))
		return false;
	for (unsigned n = 0; n < before; n++) {
		const struct hp_image_name *other = image->of[HP_R_NAME][n];
		if (S_ISREG(other->mode) && other->inode == name->inode && other->device == name->device)
			return link((const char *)(other + 1), path) == 0;
	}
	return false;
}

static void make(const struct hp_image *image, const struct hp_image_name *name, unsigned number)
{
	const char *path = (const char *)(name + 1);
	if (S_ISDIR(name->mode)) {
		if (mkdir(path, 0700) && errno != EEXIST)
			hp_together_fail(errno, "making %.150s", path);
	} else if (S_ISLNK(name->mode)) {
		if (symlink(path + name->path_bytes, path))
			hp_together_fail(errno, "making %.150s", path);
	} else if (S_ISFIFO(name->mode)) {
		if (mkfifo(path, 0600))
			hp_together_fail(errno, "making %.150s", path);
	} else if (S_ISREG(name->mode) && !linked(image, name, number, path)) {
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			hp_together_fail(errno, "making %.150s", path);
		if (name->object)
			write_content(image, name->object, fd, path);
		close(fd);
	}
}

void hp_make_names(const struct hp_image *image)
{
	HP_EACH(image, hp_image_name, HP_R_NAME, name)
	make(image, name, name_n);
}

void hp_settle_names(const struct hp_image *image)
{
	/* from the end: what is in a directory before the directory */
	for (unsigned n = image->count[HP_R_NAME]; n-- > 0;) {
		const struct hp_image_name *name = image->of[HP_R_NAME][n];
		const char *path = (const char *)(name + 1);
		const struct timespec times[2] = { { name->mtime_s, name->mtime_ns },
						   { name->mtime_s, name->mtime_ns } };
		if (S_ISSOCK(name->mode))
			continue;
		if (!S_ISLNK(name->mode) && chmod(path, name->mode & 07777))
			hp_together_fail(errno, "mode of %.150s", path);
		(void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
	}
}
