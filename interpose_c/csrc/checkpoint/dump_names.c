/* The job's scratch: names and content below /tmp, /var/tmp and /dev/shm.
 *
 * They are the sandbox's own and travel whole. Times of directories are written down after what is
 * in them. Nobody changes anything meanwhile: the job is frozen.
 */
#include "dump.h"
#include "home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define DEEPEST 200

static bool cannot(const char *path)
{
	return hp_refuse("%s: %s", path, strerror(errno));
}

static bool dump_content(struct hp_dump *dump, const char *path, int at, const char *name, uint32_t *object)
{
	int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool fine = fd >= 0 ? hp_dump_object_content(dump, fd, path, object) : cannot(path);
	if (fd >= 0)
		close(fd);
	return fine;
}

static bool dump_directory(struct hp_dump *dump, const char *path, int at, unsigned depth);

/* Directories of home's that lie here (islands) stay where they are; those on the way to them are made again. */
static bool is_homes(const struct stat *found)
{
	struct hp_attr_entry entry;
	return hp_home_object(found->st_dev, found->st_ino, &entry) && !(entry.flags & HP_ATTR_UNKNOWN);
}

/* What a program has put there, and who else may do what; all else is the machine's own. */
static bool is_carried(const char *name)
{
	return !strncmp(name, "user.", 5) || !strncmp(name, "system.posix_acl_", 17);
}

static bool dump_attributes(struct hp_dump *dump, const char *path, mode_t mode)
{
	static char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
	static uint32_t number; /* of the name, as they are written */
	ssize_t length = S_ISREG(mode) || S_ISDIR(mode) ? llistxattr(path, names, sizeof names) : 0;
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		if (!is_carried(name))
			continue;
		ssize_t got = lgetxattr(path, name, value, sizeof value);
		if (got < 0)
			return cannot(path);
		struct hp_image_attribute record = { .number = number,
						     .name_bytes = (uint32_t)strlen(name) + 1,
						     .value_bytes = (uint32_t)got };
		const struct hp_part parts[] = { { name, record.name_bytes }, { value, (size_t)got } };
		hp_write_record(&dump->writer, HP_R_ATTRIBUTE, &record, sizeof record, parts, 2);
	}
	number++;
	return true;
}

static bool dump_name(struct hp_dump *dump, const char *path, int at, const char *name, unsigned depth)
{
	struct stat found;
	char target[4200] = "";
	struct hp_image_name record = { .path_bytes = (uint32_t)strlen(path) + 1 };
	if (fstatat(at, name, &found, AT_SYMLINK_NOFOLLOW))
		return cannot(path);
	if (is_homes(&found))
		return true;
	if (!hp_dump_marked(dump, path, found.st_ino))
		return false;
	record.mode = found.st_mode;
	record.device = found.st_dev;
	record.inode = found.st_ino;
	record.mtime_s = found.st_mtim.tv_sec;
	record.mtime_ns = found.st_mtim.tv_nsec;
	if (S_ISLNK(found.st_mode)) {
		ssize_t length = readlinkat(at, name, target, sizeof target - 1);
		if (length < 0)
			return cannot(path);
		record.target_bytes = (uint32_t)length + 1;
	}
	if (S_ISREG(found.st_mode) && !dump_content(dump, path, at, name, &record.object))
		return false;
	const struct hp_part parts[] = { { path, record.path_bytes }, { target, record.target_bytes } };
	hp_write_record(&dump->writer, HP_R_NAME, &record, sizeof record, parts, 2);
	if (!dump_attributes(dump, path, found.st_mode))
		return false;
	if (!S_ISDIR(found.st_mode))
		return true;
	int directory = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return directory >= 0 ? dump_directory(dump, path, directory, depth + 1) : cannot(path);
}

static bool dump_entry(struct hp_dump *dump, const char *path, int at, const char *name, unsigned depth)
{
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return true;
	char *below = malloc(strlen(path) + strlen(name) + 2);
	if (below == NULL)
		return hp_refuse("no memory");
	strcat(strcat(strcpy(below, path), "/"), name);
	bool fine = dump_name(dump, below, at, name, depth);
	free(below);
	return fine;
}

/* Takes `at` over. The last first: what is made last is read first, so whoever is in the midst of reading it
 * reads on in the same order. */
static bool dump_directory(struct hp_dump *dump, const char *path, int at, unsigned depth)
{
	struct dirent **names = NULL;
	int count = scandirat(at, ".", &names, NULL, NULL);
	bool fine = count >= 0 || cannot(path);
	if (fine && depth > DEEPEST)
		fine = hp_refuse("%s: directories within directories without end", path);
	while (count-- > 0) {
		fine = fine && dump_entry(dump, path, at, names[count]->d_name, depth);
		free(names[count]);
	}
	free(names);
	close(at);
	return fine;
}

static const char *const places[] = { "/tmp", "/var/tmp", "/dev/shm" };
#define PLACES (sizeof places / sizeof *places)

const char *hp_scratch_of(const char *path)
{
	for (unsigned n = 0; n < PLACES; n++) {
		size_t length = strlen(places[n]);
		if (!strncmp(path, places[n], length) && (path[length] == '/' || path[length] == '\0'))
			return places[n];
	}
	return NULL;
}

bool hp_is_scratch(const char *path)
{
	return hp_scratch_of(path) != NULL;
}

static struct {
	uint64_t device, inode;
	char *path;
	size_t room;
} sought;

static int seek(const char *path, const struct stat *found, int kind, struct FTW *unused)
{
	(void)kind, (void)unused;
	/* sock_diag tells 32 bits of an inode */
	if (!S_ISSOCK(found->st_mode) || (uint32_t)found->st_ino != (uint32_t)sought.inode ||
	    found->st_dev != sought.device || strlen(path) >= sought.room)
		return 0;
	sought.inode = found->st_ino;
	strcpy(sought.path, path);
	return 1;
}

bool hp_scratch_socket(uint64_t device, uint64_t *inode, char *path, size_t room)
{
	bool there = false;
	sought.device = device, sought.inode = *inode, sought.path = path, sought.room = room;
	for (unsigned n = 0; n < PLACES && !there; n++)
		there = nftw(places[n], seek, 16, FTW_PHYS) == 1;
	*inode = sought.inode;
	return there;
}

bool hp_dump_names(struct hp_dump *dump)
{
	for (unsigned n = 0; n < PLACES; n++) {
		struct stat found;
		if (lstat(places[n], &found) == 0 && !hp_dump_marked(dump, places[n], found.st_ino))
			return false;
		int at = open(places[n], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (at >= 0 && !dump_directory(dump, places[n], at, 0))
			return false;
	}
	return true;
}
