/* An empty mirror becomes one: shared memory, the loader, the places that are
 * the sandbox's own. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "internal.h"

static void *shared_file(int directory, const char *name, size_t size, mode_t mode)
{
	int fd = openat(directory, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *memory = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0 && fchmod(fd, mode) == 0)
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return memory;
}

static int copy_loader(int directory, int loader_fd)
{
	int fd = openat(directory, "loader", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0500);
	struct stat status;
	off_t offset = 0;
	int error = 0;

	if (fd < 0 || fstat(loader_fd, &status))
		return -errno;
	while (offset < status.st_size && !error)
		if (sendfile(fd, loader_fd, &offset, (size_t)(status.st_size - offset)) <= 0)
			error = errno ? -errno : -EIO;
	close(fd);
	return error;
}

/* Directories that are the sandbox's own. Their content is never asked for. */
static int make_local(hp_engine *engine, const char *path, mode_t mode)
{
	struct hp_object *directory = engine->root;

	while (*path == '/') {
		const char *text = path + 1;
		size_t length = strcspn(text, "/");
		struct hp_name *name = hp_tree_add(engine, directory, text, length);

		path = text + length;
		if (!name->object) {
			struct hpw_attr attr = { .mode = S_IFDIR | 0755, .nlink = 2, .access = 5, .blksize = 4096 };
			int error = hp_mirror_make(engine, name, &attr, NULL, 0);

			if (error)
				return error;
		}
		directory = name->object;
		if (!*path) {
			int fd = hp_mirror_dirfd(engine, directory);

			if (fd < 0)
				return fd;
			directory->local = true;
			directory->attr.access = 7;
			hp_mirror_chmod(fd, mode);
			hp_mirror_publish(engine, directory);
		}
	}
	return 0;
}

/* By the numbers that a listing of the root shows, under whatever is mounted. */
static int hide_private(hp_engine *engine)
{
	int fd = openat(engine->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *root = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *name;

	if (!root)
		return -errno;
	while ((name = readdir(root)) != NULL) {
		struct hp_attr_entry *hidden = &engine->attrs[name->d_ino % HP_ATTR_COUNT];

		if (strcmp(name->d_name, HP_PRIVATE_DIR + 1) && strcmp(name->d_name, HP_NAMELESS_DIR + 1))
			continue;
		hidden->inode = name->d_ino;
		hidden->flags = HP_ATTR_HIDDEN;
	}
	closedir(root);
	return 0;
}

int hp_mirror_prepare(hp_engine *engine)
{
	static const struct {
		const char *path;
		mode_t mode;
	} local[] = {
		{ "/proc", 0555 }, { "/dev", 0755 }, { "/sys", 0555 }, { "/tmp", 01777 }, { "/var/tmp", 01777 },
	};
	int private_fd, error;

	if (mkdirat(engine->root_fd, HP_PRIVATE_DIR + 1, 0700) && errno != EEXIST) /* mounted there: hp_mirror_mount */
		return -errno;
	if (mkdirat(engine->root_fd, HP_NAMELESS_DIR + 1, 0100))
		return -errno;
	engine->nameless_fd =
		openat(engine->root_fd, HP_NAMELESS_DIR + 1, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (engine->nameless_fd < 0)
		return -errno;
	private_fd = openat(engine->root_fd, HP_PRIVATE_DIR + 1, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (private_fd < 0)
		return -errno;
	engine->channel = shared_file(private_fd, "channel", sizeof *engine->channel, 0600);
	engine->attrs = shared_file(private_fd, "attrs", sizeof *engine->attrs * HP_ATTR_COUNT, 0400);
	error = copy_loader(private_fd, engine->config.loader_fd);
	hp_mirror_chmod(private_fd, 0100);
	close(private_fd);
	if (engine->channel == MAP_FAILED || engine->attrs == MAP_FAILED)
		return -ENOSPC;
	if (error)
		return error;
	error = hide_private(engine);
	if (error)
		return error;
	for (size_t i = 0; i < sizeof local / sizeof *local && !error; i++)
		error = make_local(engine, local[i].path, local[i].mode);
	return error;
}
