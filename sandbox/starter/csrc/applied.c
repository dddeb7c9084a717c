/* Name changes that home has made: the mirror follows, in the order of home's replies. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <unistd.h>

#include "changes.h"

static bool last_link(const struct hp_object *object)
{
	return object->kind == HP_DIR || object->attr.nlink <= 1;
}

static void apply_parents(hp_engine *engine, const uint8_t *body, size_t length, struct hp_object *changed)
{
	const uint8_t *end = body + length;
	const struct hpw_entry *entry;

	while (body && (entry = hp_wire_entry(&body, end))) {
		struct hp_object *object = changed;

		if (entry->flags & HPW_E_PARENT) {
			hp_apply_entry(engine, entry);
			continue;
		}
		if (!object) { /* the name was being asked for again: its other names may be there */
			object = hp_object_by_home(engine, entry->attr.dev, entry->attr.ino);
			object = object && object->behind == 0 ? object : NULL;
		}
		if (object && !(entry->flags & HPW_E_ABSENT) && hp_kind_of(entry->attr.mode) == object->kind)
			hp_refresh(engine, object, &entry->attr);
	}
}

static void gone(hp_engine *engine, struct hp_name *name)
{
	if (name->object && last_link(name->object))
		name->object->orphan = true;
	else if (name->object)
		name->object->attr.nlink--;
	if (name->object && name->object->kind == HP_DIR) {
		name->object->listed = true; /* whoever stands in it may still open "." */
		hp_mirror_permit(engine, name->object);
	}
	if (name->object)
		hp_mirror_drop(engine, name);
}

void hp_apply_removed(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply, const uint8_t *body,
		      size_t length)
{
	struct change *change = pending->context;
	struct hp_name *name;

	if (reply->error)
		return;
	name = hp_name_by_path(engine, change->path);
	change->object = name ? name->object : NULL;
	if (name)
		gone(engine, name);
	if (change->object) {
		change->object->attr.nlink = change->object->orphan ? 0 : change->object->attr.nlink;
		hp_mirror_publish(engine, change->object);
		hp_file_forsake(engine, change->object);
	}
	apply_parents(engine, body, length, change->object);
}

static int rename_in_mirror(hp_engine *engine, int directory, const struct hp_name *from, int directory2,
			    const struct hp_name *to, unsigned exchange)
{
	struct hp_object *moved = from->object, *other = to->object;
	int failed;

	hp_mirror_links(engine, to->parent, moved->kind);
	if (other && exchange)
		hp_mirror_links(engine, from->parent, other->kind);
	hp_mirror_moving(engine, moved, 1);
	if (other)
		hp_mirror_moving(engine, other, 1);
	failed = renameat2(directory, from->text, directory2, to->text, exchange);
	if (other)
		hp_mirror_moving(engine, other, -1);
	hp_mirror_moving(engine, moved, -1);
	return failed;
}

static void exchange(hp_engine *engine, struct hp_name *one, struct hp_name *other)
{
	struct hp_object *first = one->object, *second = other->object;
	struct hp_name *children1 = first->children, *children2 = second->children;

	first->children = second->children = NULL;
	hp_tree_unbind(engine, one);
	hp_tree_unbind(engine, other);
	first->children = children1;
	second->children = children2;
	hp_tree_bind(one, second);
	hp_tree_bind(other, first);
}

bool hp_rename_here(hp_engine *engine, struct hp_name *from, struct hp_name *to, unsigned exchanged)
{
	int directory = hp_mirror_own_dirfd(engine, from->parent), directory2 = hp_mirror_dirfd(engine, to->parent);
	struct hp_object *old = to->object;
	bool failed =
		directory < 0 || directory2 < 0 || rename_in_mirror(engine, directory, from, directory2, to, exchanged);

	if (directory >= 0)
		close(directory);
	if (failed)
		return false;
	from->object->own = false;
	if (exchanged) {
		exchange(engine, from, to);
		return true;
	}
	if (old) {
		if (last_link(old))
			old->orphan = true;
		old->attr.nlink -= old->attr.nlink > 0;
		if (old->orphan)
			old->attr.nlink = 0;
		if (old->kind == HP_DIR)
			hp_mirror_forget_dirfd(engine, old);
		hp_mirror_publish(engine, old);
	}
	hp_tree_move(engine, from, to);
	if (old)
		hp_file_forsake(engine, old);
	return true;
}

void hp_apply_renamed(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply, const uint8_t *body,
		      size_t length)
{
	struct change *change = pending->context;
	unsigned exchanged = change->flags & RENAME_EXCHANGE;
	struct hp_object *moved = NULL;
	struct hp_name *from, *to;

	if (reply->error)
		return;
	from = hp_name_by_path(engine, change->path);
	to = hp_name_by_path(engine, change->path2);
	if (from && to && from->object && from->object == to->object) {
		/* two names of one file: rename(2) does nothing */
	} else if (from && to && from->object && hp_rename_here(engine, from, to, exchanged)) {
		moved = exchanged ? NULL : to->object;
	} else {
		if (from)
			hp_forget_name(engine, from);
		if (to)
			hp_forget_name(engine, to);
	}
	apply_parents(engine, body, length, moved);
}

void hp_apply_made(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply, const uint8_t *body,
		   size_t length)
{
	struct change *change = pending->context;
	struct hp_name *name;

	hp_apply_entries(engine, pending, reply, body, length);
	if (reply->error)
		return;
	name = hp_name_by_path(engine, change->path);
	change->object = name ? name->object : NULL;
	if (pending->op == HPW_MKDIR && change->object && change->object->kind == HP_DIR) {
		change->object->listed = true; /* new, so empty */
		hp_mirror_permit(engine, change->object);
		hp_mirror_publish(engine, change->object);
	}
}

/* A nameless file got a name: its inode moves there. */
void hp_apply_named(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply, const uint8_t *body,
		    size_t length)
{
	struct change *change = pending->context;
	struct hp_object *object = change->object;
	struct hp_name *name = reply->error ? NULL : hp_name_by_path(engine, change->path);
	int directory = name ? hp_mirror_dirfd(engine, name->parent) : -1;
	char private[64];

	if (directory < 0)
		return;
	snprintf(private, sizeof private, HP_NAMELESS_DIR "/%llu", (unsigned long long)object->nameless);
	if (name->object || hp_mirror_name(engine, engine->root_fd, private + 1, directory, name->text))
		return;
	name->unknown = false;
	object->nameless = 0;
	object->orphan = false;
	hp_tree_bind(name, object);
	apply_parents(engine, body, length, object);
}
