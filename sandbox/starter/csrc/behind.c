/* Attributes that the job sets on files it has made itself: sent behind its back.
 *
 * Whoever makes a file owns it, and may set its mode and times; so the answer is
 * known, and unpacking an archive need not wait for home four times a file. Only
 * what is certain: plain permission bits that leave the owner his rights, exact times,
 * the owner it has. They travel on the bulk lane, behind the data; an error there is
 * the job's, as that of a write.
 */
#define _GNU_SOURCE
#include <time.h>

#include "internal.h"

#define TIMES (HPW_SET_ATIME | HPW_SET_MTIME)
#define OWNERS (HPW_SET_UID | HPW_SET_GID)

static bool is_certain(const struct hp_object *object, uint32_t set, const struct hpw_attr *wanted)
{
	if (!object->own || !object->handle_writable || object->fd < 0 || object->orphan || object->error ||
	    object->appends || object->nshared || !set || set & ~(TIMES | OWNERS | HPW_SET_MODE))
		return false;
	if (set & HPW_SET_MODE && ((wanted->mode & ~0777u) || (wanted->mode & 0600) != 0600 ||
				   (wanted->mode & 0111 && !(wanted->mode & 0100))))
		return false;
	if (object->attr.mode & 07000)
		return false;
	return !(set & HPW_SET_UID && wanted->uid != object->attr.uid) &&
	       !(set & HPW_SET_GID && wanted->gid != object->attr.gid);
}

/* The last answer is the whole truth, if nothing was written meanwhile. */
static void apply_set(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply, const uint8_t *body,
		      size_t length)
{
	struct hp_object *object = pending->context;
	const uint8_t *end = body + length;
	const struct hpw_entry *entry = reply->error || !body ? NULL : hp_wire_entry(&body, end);

	object->setting--;
	hp_flush_answered(engine, pending, reply, NULL, 0);
	if (!entry || object->setting || object->orphan || hp_file_has_dirty(engine, object) ||
	    entry->attr.mtime_s != object->attr.mtime_s || entry->attr.mtime_ns != object->attr.mtime_ns ||
	    entry->attr.size != object->attr.size)
		return;
	hp_object_rehome(engine, object, &entry->attr);
	hp_mirror_publish(engine, object);
}

static void foresee(const hp_engine *engine, struct hp_object *object, uint32_t set, const struct hpw_attr *wanted)
{
	struct hpw_attr *attr = &object->attr;
	struct timespec now;
	struct stat status;
	int64_t home;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	home = now.tv_sec * 1000000000ll + now.tv_nsec + engine->config.clock_offset_ns;
	attr->ctime_s = home / 1000000000;
	attr->ctime_ns = (uint32_t)(home % 1000000000);
	if (set & HPW_SET_MODE) {
		attr->mode = (attr->mode & ~07777u) | wanted->mode;
		attr->access = 6 | (wanted->mode & 0100 ? 1 : 0);
	}
	if (set & HPW_SET_ATIME) {
		attr->atime_s = wanted->atime_s;
		attr->atime_ns = wanted->atime_ns;
	}
	if (set & HPW_SET_MTIME) {
		attr->mtime_s = wanted->mtime_s;
		attr->mtime_ns = wanted->mtime_ns;
	}
	if (set & TIMES && fstat(object->fd, &status) == 0) {
		attr->size = (uint64_t)status.st_size;
		attr->blocks = ((uint64_t)status.st_size + 4095) / 4096 * 8;
	}
}

bool hp_set_behind(hp_engine *engine, struct hp_object *object, uint32_t set, const struct hpw_attr *wanted)
{
	if (!is_certain(object, set, wanted))
		return false;
	hp_flush_collect(engine, object);
	foresee(engine, object, set, wanted);
	if (set & TIMES) {
		hp_mirror_set_times(object, object->fd);
		object->sent_mtime = object->local_mtime;
	}
	if (set & HPW_SET_MODE && object->names)
		hp_mirror_permit(engine, object);
	hp_mirror_publish(engine, object);
	object->setting++;
	hp_flush_send(
		engine, object, apply_set,
		&(struct hp_request){
			.head = { .op = HPW_SETATTR, .handle = object->handle, .mode = set, .len2 = sizeof *wanted },
			.string2 = wanted });
	return true;
}
