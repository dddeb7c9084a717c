/* Changes whose outcome is known before home has made them: answered in the mirror at
 * once, sent home behind the job's back. What else it takes: ordered.c; new files: creating.c.
 *
 * Known is it where home has promised so (HPW_SURE_CHANGES: shared for writing, a file system that
 * has what Linux has), for the owner, and of names only while home watches their directory
 * (HPW_SURE_NAMES). What people use as a lock is never here: O_EXCL, mkdir, link, symlink; nor
 * unlinking or renaming what others made, since who succeeds at that may take it for his.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "changes.h"

#define TIMES (HPW_SET_ATIME | HPW_SET_MTIME)
#define NOW (HPW_SET_ATIME_NOW | HPW_SET_MTIME_NOW)
#define OWNERS (HPW_SET_UID | HPW_SET_GID)

static bool is_owner(const struct hp_object *object)
{
	uid_t user = geteuid();

	return object->attr.sure & HPW_SURE_ANY_MODE || object->attr.uid == user;
}

bool hp_is_foreseeable(const hp_engine *engine, const struct hp_object *directory)
{
	return !engine->moving && directory->attr.sure & HPW_SURE_NAMES && (directory->attr.access & 3) == 3 &&
	       !directory->unsure && (directory->listed || directory->known) && !directory->local &&
	       (directory->name || directory->is_root);
	/* with a name: home will find it */
}

/* Nothing about the file that would have to be asked for. */
static bool is_plain(const struct hp_object *object)
{
	return object->attr.sure & HPW_SURE_CHANGES && object->names && !object->orphan && !object->error &&
	       !object->appends && !object->nshared && !object->locks && !object->bulk && !object->filling &&
	       !(object->attr.mode & 07000);
}

/* As the kernel stamps a file whose time somebody looked at: later than any it has shown, and what it
 * stamps more coarsely afterwards is not older (timestamps of several grains, Linux 6.13). The first of
 * two may be as old as the last that was shown. */
static struct timespec stamp(const hp_engine *engine)
{
	struct stat status;

	for (int round = 0; round < 2; round++)
		if (fchmod(engine->clock_fd, 0600) || fstat(engine->clock_fd, &status))
			clock_gettime(CLOCK_REALTIME, &status.st_ctim);
	return status.st_ctim;
}

void hp_touch(const hp_engine *engine, struct hpw_attr *attr, bool modified)
{
	struct timespec now = stamp(engine);
	int64_t home = now.tv_sec * 1000000000ll + now.tv_nsec + engine->config.clock_offset_ns;
	int64_t shown = attr->ctime_s * 1000000000 + attr->ctime_ns;

	if (home <= shown)
		home = shown + 1; /* clocks are compared with some error, but every change moves a file's time on */
	attr->ctime_s = home / 1000000000;
	attr->ctime_ns = (uint32_t)(home % 1000000000);
	if (modified) {
		attr->mtime_s = attr->ctime_s;
		attr->mtime_ns = attr->ctime_ns;
	}
}

static uint32_t access_by(const struct hpw_attr *attr)
{
	if (attr->sure & HPW_SURE_ANY_MODE)
		return 6 | (S_ISDIR(attr->mode) || attr->mode & 0111 ? 1 : 0);
	return (attr->mode >> 6) & 7;
}

/* The same as exact values; false: only home can say. */
static bool foresee(const hp_engine *engine, const struct hp_object *object, uint32_t *set, struct hpw_attr *wanted,
		    struct hpw_attr *attr)
{
	if (!*set || *set & ~(TIMES | NOW | OWNERS | HPW_SET_MODE) || !is_owner(object))
		return false;
	if (*set & HPW_SET_MODE && wanted->mode & ~0777u)
		return false;
	if ((*set & HPW_SET_UID && wanted->uid != object->attr.uid && wanted->uid != ~0u) ||
	    (*set & HPW_SET_GID && wanted->gid != object->attr.gid && wanted->gid != ~0u))
		return false;
	*attr = object->attr;
	hp_touch(engine, attr, false);
	if (*set & HPW_SET_ATIME_NOW) {
		wanted->atime_s = attr->ctime_s;
		wanted->atime_ns = attr->ctime_ns;
		*set = (*set & ~(uint32_t)HPW_SET_ATIME_NOW) | HPW_SET_ATIME;
	}
	if (*set & HPW_SET_MTIME_NOW) {
		wanted->mtime_s = attr->ctime_s;
		wanted->mtime_ns = attr->ctime_ns;
		*set = (*set & ~(uint32_t)HPW_SET_MTIME_NOW) | HPW_SET_MTIME;
	}
	if (*set & HPW_SET_MODE) {
		attr->mode = (attr->mode & ~07777u) | wanted->mode;
		attr->access = access_by(attr);
		if (!(attr->access & 2))
			attr->sure = 0; /* as home would say */
	}
	if (*set & HPW_SET_ATIME) {
		attr->atime_s = wanted->atime_s;
		attr->atime_ns = wanted->atime_ns;
	}
	if (*set & HPW_SET_MTIME) {
		attr->mtime_s = wanted->mtime_s;
		attr->mtime_ns = wanted->mtime_ns;
	}
	return true;
}

/* Times far off may be cut to what home's file system holds. */
static bool is_ordinary_time(uint32_t set, const struct hpw_attr *wanted)
{
	return (!(set & HPW_SET_ATIME) || (wanted->atime_s >= 0 && wanted->atime_s < INT32_MAX)) &&
	       (!(set & HPW_SET_MTIME) || (wanted->mtime_s >= 0 && wanted->mtime_s < INT32_MAX));
}

static void send_attributes(hp_engine *engine, struct hp_object *object, uint32_t set, const struct hpw_attr *attr,
			    const char *verb)
{
	hp_ordered_send(engine, &(struct hp_change){ .object = object, .verb = verb },
			&(struct hp_request){ .head = { .op = HPW_SETATTR, .mode = set, .len2 = sizeof *attr },
					      .string2 = attr });
}

bool hp_set_behind(hp_engine *engine, struct hp_object *object, uint32_t set, const struct hpw_attr *given)
{
	struct hpw_attr wanted = *given, attr;
	struct stat status;

	if ((object->kind != HP_FILE_KIND && object->kind != HP_DIR) || !is_plain(object) || object->local)
		return false;
	hp_flush_collect(engine, object);
	if (engine->moving || !is_plain(object) || !foresee(engine, object, &set, &wanted, &attr) ||
	    !is_ordinary_time(set, &wanted))
		return false;
	hp_pool_drop(engine, object);
	if (object->kind == HP_FILE_KIND && object->content != HP_CONTENT_NONE) {
		int fd = hp_mirror_open(engine, object, O_PATH);

		if (fd < 0 || fstat(fd, &status)) {
			if (fd >= 0)
				close(fd);
			return false;
		}
		close(fd);
		if (status.st_mtim.tv_sec != object->local_mtime.tv_sec ||
		    status.st_mtim.tv_nsec !=
			    object->local_mtime.tv_nsec) { /* the job wrote: attr was the mirror's to say */
			attr.size = (uint64_t)status.st_size;
			attr.blocks = (uint64_t)status.st_blocks;
			if (status.st_mtim.tv_sec * 1000000000ll + status.st_mtim.tv_nsec +
				    engine->config.clock_offset_ns ==
			    attr.mtime_s * 1000000000 + attr.mtime_ns)
				object->local_mtime = status.st_mtim; /* all of it is on its way */
		}
	}
	object->attr = attr;
	object->foretold = false;
	if (object->kind == HP_FILE_KIND && set & TIMES && object->content != HP_CONTENT_NONE) {
		int fd = hp_mirror_open(engine, object, O_RDWR);

		if (fd >= 0) {
			hp_mirror_set_times(object, fd, set & (HPW_SET_ATIME | HPW_SET_ATIME_NOW));
			object->sent_mtime = object->local_mtime;
			close(fd);
		}
	}
	if (set & HPW_SET_MODE)
		hp_mirror_permit(engine, object);
	hp_tell_attributes(engine, object);
	send_attributes(engine, object, set, &wanted, "changing");
	hp_mirror_publish(engine, object);
	return true;
}

/* O_TRUNC of a file that is there. Its content is the job's from now on. */
bool hp_empty_behind(hp_engine *engine, struct hp_object *object, int flags, uint32_t mode)
{
	struct hp_object *parent = object->name ? object->name->parent : NULL;
	uint64_t handle;
	char *path;

	if (object->kind != HP_FILE_KIND || object->names != 1 || object->attr.nlink != 1 || !is_plain(object) ||
	    !parent || !hp_is_foreseeable(engine, parent) || object->name->unknown || object->name->doubtful ||
	    object->attr.mode & 0111 || /* ETXTBSY is home's to say */
	    (object->attr.access & 6) != 6 || object->mapped || object->content == HP_CONTENT_BLOCKS)
		return false;
	hp_flush_collect(engine, object);
	if (!is_plain(object) || object->names != 1 || !hp_is_foreseeable(engine, parent))
		return false;
	hp_touch(engine, &object->attr, true);
	object->attr.size = object->attr.blocks = 0;
	object->foretold = false;
	if (object->handle_writable) {
		send_attributes(engine, object, HPW_SET_SIZE | HPW_SET_MTIME, &object->attr, "emptying");
		return true;
	}
	handle = ++engine->next_handle;
	path = hp_object_path(object);
	hp_ordered_send(engine, &(struct hp_change){ .object = object, .verb = "emptying" },
			&(struct hp_request){ .head = { .op = HPW_OPEN,
							.handle = handle,
							.arg = (uint32_t)(O_RDWR | O_TRUNC | (flags & O_CREAT)),
							.mode = mode,
							.len1 = (uint32_t)strlen(path) },
					      .string1 = path });
	free(path);
	object->handle = handle; /* an older one may still have reads on the way: it is left to the end */
	object->handle_writable = true;
	send_attributes(engine, object, HPW_SET_MTIME, &object->attr, "emptying");
	return true;
}

/* The job has made it itself: nobody can have raced for the name. */
static bool is_own(const hp_engine *engine, const struct hp_where *where)
{
	const struct hp_object *object = where->object;
	const struct hp_name *name = object ? object->name : NULL;

	return object && object->own && object->kind == HP_FILE_KIND && object->names == 1 && object->attr.nlink <= 1 &&
	       !object->locks && !object->error && name && name->parent == where->parent &&
	       name->length == where->last_length && !memcmp(name->text, where->last, name->length) && !name->unknown &&
	       !name->doubtful && hp_is_foreseeable(engine, where->parent);
}

bool hp_unlink_behind(hp_engine *engine, const struct hp_where *where)
{
	struct hp_object *object = where->object, *parent = where->parent;
	char *path;

	if (!is_own(engine, where))
		return false;
	path = hp_name_path(parent, where->last, where->last_length);
	object->orphan = true;
	hp_mirror_drop(engine, object->name);
	object->attr.nlink = 0;
	hp_touch(engine, &object->attr, false);
	hp_mirror_publish(engine, object);
	hp_file_forsake(engine, object);
	hp_ordered_send(
		engine,
		&(struct hp_change){ .parent = parent,
				     .last = where->last,
				     .length = where->last_length,
				     .verb = "removing",
				     .forgives = ENOENT },
		&(struct hp_request){ .head = { .op = HPW_UNLINK, .len1 = (uint32_t)strlen(path) }, .string1 = path });
	free(path);
	return true;
}

/* Nothing is there, or a plain file that its owner may replace. */
static bool is_replaceable(const struct hp_name *to)
{
	const struct hp_object *old = to->object;

	if (to->unknown || to->doubtful || to->offer)
		return false;
	return !old || (old->kind == HP_FILE_KIND && old->names == 1 && old->attr.nlink == 1 && !old->locks &&
			!old->error && !old->bulk && (is_owner(old) || !(to->parent->attr.mode & S_ISVTX)));
}

/* What was made aside takes its place: in the same directory, of which home can say nothing else.
 * Who renames tells others that it is done: nobody outside hears of what the job does next before home
 * has it. */
bool hp_rename_behind(hp_engine *engine, const struct hp_where *from, const struct hp_where *to)
{
	struct hp_object *object = from->object, *parent = from->parent;
	struct hp_name *target;
	char *path, *path2;
	bool done;

	if (engine->config.strict || engine->config.network || to->parent != parent || !is_own(engine, from) ||
	    object->bulk || object->collecting)
		return false;
	target = hp_tree_add(engine, parent, to->last, to->last_length);
	if (target == object->name || !is_replaceable(target))
		return false;
	path = hp_name_path(parent, from->last, from->last_length);
	path2 = hp_name_path(parent, to->last, to->last_length);
	done = hp_rename_here(engine, object->name, target, 0);
	if (done) {
		hp_touch(engine, &object->attr, false);
		hp_mirror_publish(engine, object);
		hp_ordered_send(engine,
				&(struct hp_change){ .object = object,
						     .parent = parent,
						     .last = to->last,
						     .from = from->last,
						     .length = to->last_length,
						     .from_length = from->last_length,
						     .verb = "renaming to",
						     .makes = true },
				&(struct hp_request){ .head = { .op = HPW_RENAME,
								.len1 = (uint32_t)strlen(path),
								.len2 = (uint32_t)strlen(path2) },
						      .string1 = path,
						      .string2 = path2 });
		engine->ordered_synced = engine->ordered_sent;
	}
	free(path);
	free(path2);
	return done;
}
