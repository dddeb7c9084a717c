/* The job's scratch, filled again. Confined: whatever the image says, it is the job's own doing.
 *
 * Sockets in it are made by whoever is bound there (make_sockets.c), those that nobody has any more here.
 */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static void write_content(const struct hp_image *image, uint32_t object, int fd, const char *path)
{
	const struct hp_image_object *content = hp_image_object(image, object);
	HP_EACH_RUN(image, object, run)
	{
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

/* The first name of each file, by its old inode. */
struct files {
	const struct hp_image_name **names;
	size_t room; /* a power of two, more than there are names */
};

static bool linked(const struct files *files, const struct hp_image_name *name, const char *path)
{
	size_t at = (name->inode * 0x9e3779b97f4a7c15ull >> 32) & (files->room - 1);
	for (; files->names[at]; at = (at + 1) & (files->room - 1))
		if (files->names[at]->inode == name->inode && files->names[at]->device == name->device)
			return link((const char *)(files->names[at] + 1), path) == 0;
	files->names[at] = name;
	return false;
}

static bool is_bound(const struct hp_image *image, const struct hp_image_name *name)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_SOCKET && object->inode == name->inode && object->device == name->device)
		return true;
	return false;
}

static void make(const struct hp_image *image, const struct files *files, const struct hp_image_name *name)
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
	} else if (S_ISCHR(name->mode) || (S_ISSOCK(name->mode) && !is_bound(image, name))) {
		/* of devices only 0:0, which is none, can be made by anybody */
		if (mknod(path, name->mode & (S_IFMT | 07777), 0))
			hp_together_fail(errno, "making %.150s", path);
	} else if (S_ISREG(name->mode) && !linked(files, name, path)) {
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
	struct files files = { .room = 2 };
	while (files.room <= image->count[HP_R_NAME])
		files.room *= 2;
	files.room *= 2; /* so that few stand in each other's way */
	files.names = calloc(files.room, sizeof *files.names);
	if (!files.names)
		hp_together_fail(ENOMEM, "names of scratch");
	HP_EACH(image, hp_image_name, HP_R_NAME, name)
	make(image, &files, name);
	free(files.names);
}

static void set_attributes(const struct hp_image *image)
{
	HP_EACH(image, hp_image_attribute, HP_R_ATTRIBUTE, attribute)
	{
		const struct hp_image_name *of = image->of[HP_R_NAME][attribute->number];
		const char *path = (const char *)(of + 1), *name = (const char *)(attribute + 1);
		if (lsetxattr(path, name, name + attribute->name_bytes, attribute->value_bytes, 0))
			hp_together_fail(errno, "attribute %.60s of %.100s", name, path);
	}
}

void hp_settle_names(const struct hp_image *image)
{
	set_attributes(image); /* while all may be written to */
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
