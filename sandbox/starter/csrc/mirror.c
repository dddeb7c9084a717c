/* The mirror as a file system: making names, content, permission bits.
 *
 * The job owns what lies there and may have changed it behind our back, so
 * every step goes from a held directory to one name and follows nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "internal.h"

#define LONG_AGO_S 86400

int hp_mirror_dirfd(hp_engine *engine, struct hp_object *directory)
{
	unsigned index = (unsigned)(directory->inode % HP_DIRFDS);
	int parent, fd;

	if (directory == engine->root)
		return engine->root_fd;
	if (engine->dirfds[index].object == directory)
		return engine->dirfds[index].fd;
	if (!directory->name)
		return -ENOENT;
	parent = hp_mirror_dirfd(engine, directory->name->parent);
	if (parent < 0)
		return parent;
	fd = openat(parent, directory->name->text, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (engine->dirfds[index].object)
		close(engine->dirfds[index].fd);
	engine->dirfds[index].object = directory;
	engine->dirfds[index].fd = fd;
	return fd;
}

int hp_mirror_own_dirfd(hp_engine *engine, struct hp_object *directory)
{
	int fd = hp_mirror_dirfd(engine, directory), own = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return fd >= 0 && own < 0 ? -errno : own;
}

void hp_mirror_forget_dirfd(hp_engine *engine, struct hp_object *directory)
{
	unsigned index = (unsigned)(directory->inode % HP_DIRFDS);

	if (engine->dirfds[index].object == directory) {
		close(engine->dirfds[index].fd);
		engine->dirfds[index].object = NULL;
	}
}

static mode_t bits_for(const struct hp_object *object)
{
	uint32_t access = object->attr.access;
	mode_t bits = 0;

	if (object->kind == HP_DIR) {
		if (access & 1)
			bits |= 0100;
		if (object->listed && (access & 4))
			bits |= 0400;
		return bits;
	}
	if (object->kind == HP_FIFO)
		return (mode_t)((access & 6) << 6);
	if (object->kind != HP_FILE_KIND || object->content == HP_CONTENT_NONE)
		return 0;
	if (access & 4)
		bits |= 0400;
	if (access & 1)
		bits |= 0100;
	if (object->opened_writable && access & 2)
		bits |= 0200;
	return bits | object->granted;
}

/* fchmodat cannot take AT_SYMLINK_NOFOLLOW before fchmodat2; /proc is not ours
 * to trust in every mount namespace, but this process keeps the host's. */
int hp_mirror_chmod(int fd, mode_t mode)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return chmod(path, mode) ? -errno : 0;
}

int hp_mirror_open(hp_engine *engine, struct hp_object *object, int flags)
{
	int parent, fd;

	if (object->fd >= 0)
		return fcntl(object->fd, F_DUPFD_CLOEXEC, 3);
	if (object->is_root) {
		fd = openat(engine->root_fd, ".", flags | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	if (!object->name)
		return -ENOENT;
	parent = hp_mirror_dirfd(engine, object->name->parent);
	if (parent < 0)
		return parent;
	fd = openat(parent, object->name->text,
		    flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (flags & O_PATH ? 0 : O_NOATIME));
	if (fd < 0)
		return -errno;
	return fd;
}

void hp_mirror_permit(hp_engine *engine, struct hp_object *object)
{
	int fd = hp_mirror_open(engine, object, O_PATH);
	mode_t bits = bits_for(object);
	struct stat status;

	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0) {
		/* one that the job bound; connecting needs the right to write */
		if (object->kind == HP_OTHER && S_ISSOCK(status.st_mode))
			bits = (mode_t)((object->attr.access & 2) << 6);
		if ((status.st_mode & 07777) != bits)
			hp_mirror_chmod(fd, bits);
	}
	close(fd);
}

/* What came unasked is younger than its atime: the first read moves that, and shows in the pack. Where home's
 * is not surely older, whatever the clocks differ by, it stays: or the job would see the mirror's. */
static const struct timespec *homes_times(const struct hp_object *object, struct timespec times[2])
{
	times[0] = object->unasked && object->attr.atime_s > LONG_AGO_S ?
			   (struct timespec){ 0 } :
			   (struct timespec){ .tv_sec = object->attr.atime_s, .tv_nsec = object->attr.atime_ns };
	times[1] = (struct timespec){ .tv_sec = object->attr.mtime_s, .tv_nsec = object->attr.mtime_ns };
	return times;
}

/* Gives the mirror's inode home's mtime, and remembers it: another value later
 * means that the job wrote. Home's atime too if `atime`: it knows nothing of what the job has read. */
void hp_mirror_set_times(struct hp_object *object, int fd, bool atime)
{
	struct timespec times[2];
	struct stat now;

	homes_times(object, times);
	if (!atime)
		times[0].tv_nsec = UTIME_OMIT;
	futimens(fd, times);
	if (fstat(fd, &now) == 0)
		object->local_mtime = now.st_mtim;
}

void hp_mirror_links(hp_engine *engine, struct hp_object *directory, enum hp_kind kind)
{
	if (kind != HP_SYMLINK || directory->has_links)
		return;
	directory->has_links = true;
	hp_mirror_publish(engine, directory);
}

void hp_mirror_moving(hp_engine *engine, const struct hp_object *object, int begin_or_end)
{
	if (object->kind != HP_DIR && object->kind != HP_SYMLINK)
		return;
	if ((begin_or_end > 0 ? engine->paths_moving++ : --engine->paths_moving) == 0)
		__atomic_store_n(&engine->channel->moves, ++engine->moves, __ATOMIC_SEQ_CST);
}

#define MAKING "making"

static int abandon(hp_engine *engine, struct hp_object *object, int error)
{
	unlinkat(engine->nameless_fd, MAKING, 0);
	free(object->target);
	free(object);
	return error;
}

/* A new name for what has one aside, which it loses. By a link if somebody watches, who is to hear
 * of a new name and not of a move (inotify(7)); by a move if something is in the way. */
int hp_mirror_name(const hp_engine *engine, int from, const char *aside, int to, const char *name)
{
	if (!hp_is_watched(engine) || linkat(from, aside, to, name, 0))
		return renameat(from, aside, to, name);
	unlinkat(from, aside, 0);
	return 0;
}

/* For as long as it is used. What is done by a name aside, those who watch the directory do not hear of. */
int hp_mirror_open_long(hp_engine *engine, struct hp_object *object)
{
	int parent = hp_is_watched(engine) && object->fd < 0 && object->name ?
			     hp_mirror_dirfd(engine, object->name->parent) :
			     -1;
	int fd;

	if (parent < 0 || linkat(parent, object->name->text, engine->nameless_fd, MAKING, 0))
		return hp_mirror_open(engine, object, O_RDWR);
	fd = openat(engine->nameless_fd, MAKING, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOATIME);
	unlinkat(engine->nameless_fd, MAKING, 0);
	return fd < 0 ? -errno : fd;
}

/* One call, as most names that are made are never used. A file's size comes
 * with its content. */
static int make_aside(const hp_engine *engine, const struct hp_object *object)
{
	switch (object->kind) {
	case HP_SYMLINK:
		return symlinkat(object->target, engine->nameless_fd, MAKING);
	case HP_FIFO:
		return mkfifoat(engine->nameless_fd, MAKING, bits_for(object));
	default:
		return mknodat(engine->nameless_fd, MAKING, S_IFREG | bits_for(object), 0);
	}
}

/* A directory cannot be made aside and linked, so it is made in its place; whoever finds one without attributes
 * meanwhile asks for them. */
static int make_directory(hp_engine *engine, struct hp_object *object, int parent, const char *name)
{
	struct stat status;
	int error = 0;

	__atomic_store_n(&engine->channel->making, 1, __ATOMIC_SEQ_CST);
	if (mkdirat(parent, name, bits_for(object)) || fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW)) {
		error = -errno;
	} else {
		object->inode = status.st_ino;
		object->local_mtime = status.st_mtim;
		hp_mirror_publish(engine, object);
	}
	__atomic_store_n(&engine->channel->making, 0, __ATOMIC_SEQ_CST);
	return error;
}

/* Made aside: the job sees it only together with its attributes. */
static int make_other(hp_engine *engine, struct hp_object *object, int parent, const char *name)
{
	struct timespec times[2];
	struct stat status;

	if (make_aside(engine, object) ||
	    (object->content == HP_CONTENT_WHOLE &&
	     utimensat(engine->nameless_fd, MAKING, homes_times(object, times), 0)) ||
	    fstatat(engine->nameless_fd, MAKING, &status, AT_SYMLINK_NOFOLLOW))
		return -errno;
	object->inode = status.st_ino;
	object->local_mtime = status.st_mtim;
	object->home_size = object->attr.size;
	hp_mirror_publish(engine, object);
	return hp_mirror_name(engine, engine->nameless_fd, MAKING, parent, name) ? -errno : 0;
}

static bool link_here(hp_engine *engine, const struct hp_object *object, const struct hp_name *name)
{
	int from = hp_mirror_own_dirfd(engine, object->name->parent);
	int to = hp_mirror_dirfd(engine, name->parent);
	bool linked = from >= 0 && to >= 0 && linkat(from, object->name->text, to, name->text, 0) == 0;

	if (from >= 0)
		close(from);
	return linked;
}

/* Makes what `attr` describes under a name that the mirror lacks, and binds
 * it. A file that already has another name there becomes a hard link of it. */
int hp_mirror_make(hp_engine *engine, struct hp_name *name, const struct hpw_attr *attr, const char *target,
		   size_t target_length)
{
	enum hp_kind kind = hp_kind_of(attr->mode);
	struct hp_object *object, *twin;
	int parent, error;

	hp_mirror_links(engine, name->parent, kind);
	twin = kind == HP_DIR || attr->nlink < 2 ? NULL : hp_object_by_home(engine, attr->dev, attr->ino);
	if (twin && twin->name && twin->kind == kind && link_here(engine, twin, name)) {
		hp_tree_bind(name, twin);
		hp_refresh(engine, twin, attr);
		return 0;
	}
	parent = hp_mirror_dirfd(engine, name->parent);
	if (parent < 0)
		return parent;
	object = hp_object_new(engine, kind);
	object->attr = *attr;
	if (kind == HP_SYMLINK)
		object->target = strndup(target, target_length);
	if (kind == HP_FILE_KIND && attr->size == 0)
		object->content = HP_CONTENT_WHOLE;
	error = kind == HP_DIR ? make_directory(engine, object, parent, name->text) :
				 make_other(engine, object, parent, name->text);
	if (error)
		return abandon(engine, object, error);
	hp_tree_bind(name, object);
	hp_object_index(engine, object);
	return 0;
}

/* Of a placeholder whose bytes nobody may read. */
int hp_mirror_give_size(hp_engine *engine, struct hp_object *object)
{
	int fd = hp_mirror_open(engine, object, O_RDWR), error;

	if (fd < 0)
		return fd;
	hp_mirror_unsteady(engine, object);
	error = ftruncate(fd, (off_t)object->attr.size) ? -errno : 0;
	object->content = HP_CONTENT_WHOLE;
	hp_mirror_set_times(object, fd, true);
	hp_mirror_publish(engine, object);
	close(fd);
	return error;
}

/* The whole content of a small file. The mode is opened last. */
int hp_mirror_fill_whole(hp_engine *engine, struct hp_object *object, const uint8_t *content, uint64_t length)
{
	int fd = hp_mirror_open(engine, object, O_RDWR);
	int error = 0;

	if (fd < 0)
		return fd;
	hp_mirror_unsteady(engine, object);
	if (ftruncate(fd, (off_t)length))
		error = -errno;
	while (!error && (error = -hp_write_sparse(fd, content, length, 0)) == -ENOSPC && hp_evict(engine, length))
		error = 0;
	if (!error) {
		object->content = HP_CONTENT_WHOLE;
		object->home_size = length;
		hp_mirror_set_times(object, fd, true);
		hp_mirror_chmod(fd, bits_for(object));
	} else {
		ftruncate(fd, 0);
		hp_mirror_set_times(object, fd, true);
	}
	hp_mirror_publish(engine, object);
	close(fd);
	return error;
}

/* The name is gone at home: take it out of the mirror. What it stood for may
 * still be open. */
void hp_mirror_drop(hp_engine *engine, struct hp_name *name)
{
	struct hp_object *object = name->object;
	int parent;

	if (!object)
		return;
	hp_mirror_moving(engine, object, 1);
	for (struct hp_name *child = object->children; child; child = child->next_in_parent)
		hp_mirror_drop(engine, child);
	parent = hp_mirror_dirfd(engine, name->parent);
	if (parent >= 0)
		unlinkat(parent, name->text, object->kind == HP_DIR ? AT_REMOVEDIR : 0);
	hp_mirror_moving(engine, object, -1);
	if (object->kind == HP_DIR)
		hp_mirror_forget_dirfd(engine, object);
	hp_tree_unbind(engine, name);
}

/* Nothing is known of it any more; nor, then, of all names of its directory, also when
 * the questions that are on their way are answered. */
void hp_forget_name(hp_engine *engine, struct hp_name *name)
{
	name->parent->listed = name->parent->known = name->parent->was_listed = false;
	hp_mirror_permit(engine, name->parent);
	hp_mirror_publish(engine, name->parent);
	if (name->object)
		hp_mirror_drop(engine, name);
	hp_tree_withdraw(name);
	name->unknown = true;
}
