/* What the shim reads of an object without a question: a table of seqlocks in shared memory. */
#define _GNU_SOURCE
#include "internal.h"

/* Who looks meanwhile waits; nothing that takes longer than writing some bytes may come before the end. */
bool hp_mirror_unsteady(hp_engine *engine, const struct hp_object *object)
{
	struct hp_attr_entry *entry = &engine->attrs[object->inode % HP_ATTR_COUNT];
	bool was_steady = !(entry->sequence & 1);

	if (entry->inode == object->inode)
		__atomic_store_n(&entry->sequence, entry->sequence | 1u, __ATOMIC_SEQ_CST);
	return was_steady;
}

void hp_mirror_publish(hp_engine *engine, struct hp_object *object)
{
	struct hp_attr_entry *entry = &engine->attrs[object->inode % HP_ATTR_COUNT];
	uint32_t flags = 0;
	uint64_t listed_at;

	if (object->local)
		flags |= HP_ATTR_LOCAL;
	else if (object->attr.ino == 0)
		flags |= HP_ATTR_UNKNOWN;
	if (object->listed)
		flags |= HP_ATTR_LISTED;
	if (object->kind == HP_FILE_KIND && object->content == HP_CONTENT_NONE)
		flags |= HP_ATTR_PLACEHOLDER;
	if (object->takes_gs)
		flags |= HP_ATTR_TAKES_GS;
	if (object->kind == HP_DIR && ((object->naming && !object->foretold) || object->behind))
		flags |= HP_ATTR_AWAITED;
	if (object->has_links)
		flags |= HP_ATTR_LINKS;
	listed_at = entry->inode == object->inode && entry->flags & HP_ATTR_LISTED ? entry->listed_at : 0;
	if (flags & HP_ATTR_LISTED && !listed_at) {
		listed_at = ++engine->listings;
		__atomic_store_n(&engine->channel->listings, listed_at, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&entry->sequence, entry->sequence | 1u, __ATOMIC_SEQ_CST);
	entry->inode = object->inode;
	entry->flags = flags;
	entry->local_mtime_s = object->local_mtime.tv_sec;
	entry->local_mtime_ns = (uint32_t)object->local_mtime.tv_nsec;
	entry->file = object->file;
	entry->attr = object->attr;
	entry->listed_at = listed_at;
	__atomic_store_n(&entry->sequence, (entry->sequence | 1u) + 1u, __ATOMIC_SEQ_CST);
}
