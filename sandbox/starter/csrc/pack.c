/* Small files of a former run, one behind the other in one file, so that the
 * next run need not bring them again. What says that home's file is still the
 * same is what says so to close-to-open caches: inode, size, mtime, ctime.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "internal.h"

#define MOST_PACKED (64ull << 20)

static const char magic[8] = "hpool-p1";

/* Behind it: path, content, padding to 8. */
struct packed {
	uint32_t path_length, content_length;
	uint64_t dev, ino;
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
};

struct hp_pack {
	size_t count;
	const struct packed *of[];
};

static const char *path_of(const struct packed *packed)
{
	return (const char *)(packed + 1);
}

static size_t size_of(const struct packed *packed)
{
	return sizeof *packed + (((uint64_t)packed->path_length + packed->content_length + 7) & ~7ull);
}

static int by_path(const void *a, const void *b)
{
	const struct packed *one = *(const struct packed *const *)a, *other = *(const struct packed *const *)b;

	return hp_order(path_of(one), one->path_length, path_of(other), other->path_length);
}

/* Damaged bytes make an empty pack, or one without its end. */
struct hp_pack *hp_pack_read(const uint8_t *bytes, size_t length)
{
	size_t count = 0, room = 1024, at = sizeof magic;
	struct hp_pack *pack = malloc(sizeof *pack + room * sizeof *pack->of);

	if (length < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
		length = 0;
	while (at + sizeof(struct packed) <= length) {
		const struct packed *packed = (const void *)(bytes + at);

		if (size_of(packed) > length - at)
			break;
		if (count == room)
			pack = realloc(pack, sizeof *pack + (room *= 2) * sizeof *pack->of);
		pack->of[count++] = packed;
		at += size_of(packed);
	}
	pack->count = count;
	qsort(pack->of, count, sizeof *pack->of, by_path);
	return pack;
}

void hp_pack_free(struct hp_pack *pack)
{
	free(pack);
}

static struct packed *describe(const struct hp_object *object, const char *path)
{
	const struct hpw_attr *attr = &object->attr;
	size_t length = strlen(path);
	struct packed *packed = calloc(1, sizeof *packed + length + 1);

	*packed = (struct packed){ .path_length = (uint32_t)length,
				   .content_length = (uint32_t)attr->size,
				   .dev = attr->dev,
				   .ino = attr->ino,
				   .mtime_s = attr->mtime_s,
				   .ctime_s = attr->ctime_s,
				   .mtime_ns = attr->mtime_ns,
				   .ctime_ns = attr->ctime_ns };
	memcpy(packed + 1, path, length);
	return packed;
}

/* A placeholder gets its content from the pack, if that is still home's. */
bool hp_pack_fill(hp_engine *engine, const struct hp_pack *pack, struct hp_object *object)
{
	char *path = hp_object_path(object);
	struct packed *wanted = path ? describe(object, path) : NULL;
	const struct packed *const *found =
		wanted ? bsearch(&wanted, pack->of, pack->count, sizeof *pack->of, by_path) : NULL;
	bool same = found && memcmp(*found, wanted, sizeof *wanted) == 0;

	if (same)
		same = hp_mirror_fill_whole(engine, object, (const uint8_t *)path_of(*found) + (*found)->path_length,
					    (*found)->content_length) == 0;
	free(wanted);
	free(path);
	return same;
}

static bool is_worth_it(const struct hp_object *object)
{
	return object->kind == HP_FILE_KIND && object->content == HP_CONTENT_WHOLE && object->name &&
	       object->attr.size && object->attr.size <= HP_INLINE_LIMIT && object->attr.access & 4 &&
	       !object->written && !object->opened_writable && !object->digest && !object->local;
}

static bool put(int fd, const void *bytes, size_t length)
{
	return write(fd, bytes, length) == (ssize_t)length;
}

/* What nobody read of what came unasked is left out; what somebody did is a question of the next run. */
static bool is_used(hp_engine *engine, const struct hp_object *object, int fd, const char *path)
{
	struct stat status;

	if (!object->unasked)
		return true;
	if (fstat(fd, &status) || (status.st_atim.tv_sec == 0 && status.st_atim.tv_nsec == 0))
		return false;
	hp_remember(engine, 'C', path, strlen(path));
	return true;
}

static bool write_one(hp_engine *engine, int to, struct hp_object *object, uint8_t *room, uint64_t *total)
{
	static const char zeros[8];
	char *path = hp_object_path(object);
	int from = path ? hp_mirror_open(engine, object, O_RDONLY) : -1;
	struct packed *packed = path ? describe(object, path) : NULL;
	bool well = true;

	if (from >= 0 && is_used(engine, object, from, path) &&
	    pread(from, room, object->attr.size, 0) == (ssize_t)object->attr.size) {
		size_t strings = packed->path_length + packed->content_length;

		*total += size_of(packed);
		well = put(to, packed, sizeof *packed + packed->path_length) && put(to, room, packed->content_length) &&
		       put(to, zeros, -strings & 7);
	}
	if (from >= 0)
		close(from);
	free(packed);
	free(path);
	return well;
}

/* Writes what the next run may use. Files written, 0: nothing new came, so an
 * older pack is as good; -errno. The job is over. */
long hp_engine_pack(hp_engine *engine, int fd)
{
	uint8_t *room = malloc(HP_INLINE_LIMIT);
	uint64_t total = 0;
	long count = 0;

	pthread_mutex_lock(&engine->lock);
	if (engine->contents_came && !put(fd, magic, sizeof magic))
		count = -errno;
	for (unsigned bucket = 0; bucket < HP_BUCKETS && engine->contents_came && count >= 0; bucket++)
		for (struct hp_object *object = engine->by_inode[bucket]; object && count >= 0;
		     object = object->next_by_inode) {
			if (!is_worth_it(object) || total > MOST_PACKED)
				continue;
			count = write_one(engine, fd, object, room, &total) ? count + 1 : errno ? -errno : -EIO;
		}
	pthread_mutex_unlock(&engine->lock);
	free(room);
	return count;
}
