/* Names and files of the mirror as the engine remembers them. No system calls,
 * but where an offer is taken up. */
#define _GNU_SOURCE
#include "internal.h"

static uint32_t hash_of(const struct hp_object *parent, const char *text, size_t length)
{
	uint64_t hash = (uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3u;
	return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

static uint32_t number_bucket(uint64_t a, uint64_t b)
{
	return (uint32_t)(((a * 0x9e3779b97f4a7c15u) ^ (b * 0xc2b2ae3d27d4eb4fu)) >> 40) % HP_BUCKETS;
}

enum hp_kind hp_kind_of(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return HP_DIR;
	case S_IFREG:
		return HP_FILE_KIND;
	case S_IFLNK:
		return HP_SYMLINK;
	case S_IFIFO:
		return HP_FIFO;
	default:
		return HP_OTHER;
	}
}

struct hp_name *hp_tree_peek(hp_engine *engine, const struct hp_object *parent, const char *text, size_t length)
{
	uint32_t hash = hash_of(parent, text, length);

	for (struct hp_name *name = engine->table[hash % HP_BUCKETS]; name; name = name->next_in_table)
		if (name->hash == hash && name->parent == parent && name->length == length &&
		    memcmp(name->text, text, length) == 0)
			return name;
	return NULL;
}

struct hp_name *hp_tree_find(hp_engine *engine, const struct hp_object *parent, const char *text, size_t length)
{
	struct hp_name *name = hp_tree_peek(engine, parent, text, length);

	if (name && name->offer)
		hp_tree_accept(engine, name);
	return name;
}

struct hp_name *hp_tree_add(hp_engine *engine, struct hp_object *parent, const char *text, size_t length)
{
	struct hp_name *name = hp_tree_put(engine, parent, text, length);

	if (name->offer)
		hp_tree_accept(engine, name);
	return name;
}

void hp_tree_withdraw(struct hp_name *name)
{
	if (!name->offer)
		return;
	free(name->offer);
	name->offer = NULL;
	name->parent->offers--;
}

void hp_tree_offer(struct hp_name *name, const struct hpw_attr *attr, const char *target, size_t target_length)
{
	hp_tree_withdraw(name);
	name->offer = malloc(sizeof *name->offer + target_length);
	name->offer->attr = *attr;
	name->offer->target_length = (uint32_t)target_length;
	memcpy(name->offer->target, target, target_length);
	name->parent->offers++;
}

int hp_tree_accept(hp_engine *engine, struct hp_name *name)
{
	struct hp_offer *offer = name->offer;
	int error = hp_mirror_make(engine, name, &offer->attr, offer->target, offer->target_length);

	if (!error)
		hp_tree_withdraw(name);
	return error;
}

/* The name as absent; found if it is there already, be it an offer. */
struct hp_name *hp_tree_put(hp_engine *engine, struct hp_object *parent, const char *text, size_t length)
{
	struct hp_name *name = hp_tree_peek(engine, parent, text, length);

	if (name)
		return name;
	name = calloc(1, sizeof *name + length + 1);
	name->hash = hash_of(parent, text, length);
	name->parent = parent;
	name->length = (uint16_t)length;
	memcpy(name->text, text, length);
	name->next_in_table = engine->table[name->hash % HP_BUCKETS];
	engine->table[name->hash % HP_BUCKETS] = name;
	name->next_in_parent = parent->children;
	if (parent->children)
		parent->children->previous_in_parent = name;
	parent->children = name;
	return name;
}

void hp_tree_bind(struct hp_name *name, struct hp_object *object)
{
	name->object = object;
	name->next_of_object = object->name;
	object->name = name;
	object->names++;
}

void hp_tree_unbind(hp_engine *engine, struct hp_name *name)
{
	struct hp_object *object = name->object;

	if (!object)
		return;
	for (struct hp_name **link = &object->name; *link; link = &(*link)->next_of_object)
		if (*link == name) {
			*link = name->next_of_object;
			break;
		}
	object->names--;
	name->object = NULL;
	name->next_of_object = NULL;
	if (object->kind == HP_DIR) {
		object->above = name->parent->inode;
		hp_tree_forget_children(engine, object);
	}
}

void hp_tree_move(hp_engine *engine, struct hp_name *from, struct hp_name *to)
{
	struct hp_object *object = from->object;
	struct hp_name *children = object ? object->children : NULL;

	if (!object || from == to)
		return;
	object->children = NULL; /* a directory takes them along */
	hp_tree_unbind(engine, from);
	object->children = children;
	hp_tree_unbind(engine, to);
	hp_tree_bind(to, object);
}

/* After rmdir: only absences can be left below. */
void hp_tree_forget_children(hp_engine *engine, struct hp_object *directory)
{
	struct hp_name *next;

	for (struct hp_name *name = directory->children; name; name = next) {
		next = name->next_in_parent;
		if (name->object)
			hp_tree_unbind(engine, name);
		for (struct hp_name **link = &engine->table[name->hash % HP_BUCKETS]; *link;
		     link = &(*link)->next_in_table)
			if (*link == name) {
				*link = name->next_in_table;
				break;
			}
		free(name->offer);
		free(name);
	}
	directory->children = NULL;
	directory->offers = 0;
}

struct hp_object *hp_object_new(hp_engine *engine, enum hp_kind kind)
{
	struct hp_object *object = calloc(1, sizeof *object);

	object->kind = kind;
	object->fd = -1;
	engine->stats.names++;
	return object;
}

/* Makes it findable by its mirror inode and, where several names may lead to
 * it, by its identity at home. */
void hp_object_index(hp_engine *engine, struct hp_object *object)
{
	uint32_t bucket = number_bucket(object->inode, 0);

	object->next_by_inode = engine->by_inode[bucket];
	engine->by_inode[bucket] = object;
	bucket = number_bucket(object->attr.dev, object->attr.ino);
	object->next_by_home = engine->by_home[bucket];
	engine->by_home[bucket] = object;
}

struct hp_object *hp_object_by_inode(hp_engine *engine, uint64_t inode)
{
	for (struct hp_object *object = engine->by_inode[number_bucket(inode, 0)]; object;
	     object = object->next_by_inode)
		if (object->inode == inode) {
			object->touched = engine->serving.serial;
			return object;
		}
	return NULL;
}

struct hp_object *hp_object_by_home(hp_engine *engine, uint64_t dev, uint64_t inode)
{
	for (struct hp_object *object = engine->by_home[number_bucket(dev, inode)]; object;
	     object = object->next_by_home)
		if (object->attr.ino == inode && object->attr.dev == dev && object->names > 0)
			return object;
	return NULL;
}

/* Another inode of the mirror stands for it from now on. */
void hp_object_move_inode(hp_engine *engine, struct hp_object *object, uint64_t inode)
{
	uint32_t bucket = number_bucket(object->inode, 0);

	for (struct hp_object **link = &engine->by_inode[bucket]; *link; link = &(*link)->next_by_inode)
		if (*link == object) {
			*link = object->next_by_inode;
			break;
		}
	object->inode = inode;
	bucket = number_bucket(inode, 0);
	object->next_by_inode = engine->by_inode[bucket];
	engine->by_inode[bucket] = object;
}

/* Names of it were changed behind the job's back: the times that were shown stay until the next change. What
 * home says meanwhile is of before, and after the last change first of that one. */
static bool keeps_times(struct hp_object *directory, const struct hpw_attr *attr)
{
	struct hpw_attr shown = directory->attr;

	if (!directory->foretold || shown.ino != attr->ino || shown.dev != attr->dev ||
	    (!directory->awaiting &&
	     (attr->ctime_s != directory->home_ctime_s || attr->ctime_ns != directory->home_ctime_ns)))
		return false;
	directory->home_ctime_s = attr->ctime_s;
	directory->home_ctime_ns = attr->ctime_ns;
	directory->awaiting = directory->naming > 0;
	directory->attr = *attr;
	directory->attr.mtime_s = shown.mtime_s;
	directory->attr.mtime_ns = shown.mtime_ns;
	directory->attr.ctime_s = shown.ctime_s;
	directory->attr.ctime_ns = shown.ctime_ns;
	return true;
}

/* New attributes may carry a new identity (a file replaced at home). */
void hp_object_rehome(hp_engine *engine, struct hp_object *object, const struct hpw_attr *attr)
{
	if (attr->dev != object->attr.dev || attr->ino != object->attr.ino) {
		uint32_t bucket = number_bucket(object->attr.dev, object->attr.ino);

		for (struct hp_object **link = &engine->by_home[bucket]; *link; link = &(*link)->next_by_home)
			if (*link == object) {
				*link = object->next_by_home;
				break;
			}
		bucket = number_bucket(attr->dev, attr->ino);
		object->next_by_home = engine->by_home[bucket];
		engine->by_home[bucket] = object;
	}
	if (object->kind == HP_DIR && keeps_times(object, attr))
		return;
	if (object->foretold && object->attr.ino == attr->ino && attr->ctime_s == object->home_ctime_s &&
	    attr->ctime_ns == object->home_ctime_ns) {
		int64_t ctime_s = object->attr.ctime_s;
		uint32_t ctime_ns = object->attr.ctime_ns;

		object->attr = *attr;
		object->attr.ctime_s = ctime_s;
		object->attr.ctime_ns = ctime_ns;
		return;
	}
	object->foretold = false;
	object->attr = *attr;
}

static size_t path_length(const struct hp_object *directory)
{
	size_t length = 0;

	for (const struct hp_name *name = directory->name; name; name = name->parent->name)
		length += 1u + name->length;
	return length;
}

char *hp_name_path(const struct hp_object *parent, const char *text, size_t length)
{
	size_t total = path_length(parent) + 1 + length;
	char *path = malloc(total + 1), *end = path + total;

	*end = 0;
	end -= length;
	memcpy(end, text, length);
	*--end = '/';
	for (const struct hp_name *name = parent->name; name; name = name->parent->name) {
		end -= name->length;
		memcpy(end, name->text, name->length);
		*--end = '/';
	}
	return path;
}

char *hp_object_path(const struct hp_object *object)
{
	if (object->name)
		return hp_name_path(object->name->parent, object->name->text, object->name->length);
	return object->is_root ? strdup("/") : NULL;
}
