/* Name changes: what is asked of home. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "changes.h"

/* Meanwhile nothing is sent by name, and no name is made, behind the job's back. */
static int change_name(hp_engine *engine, struct hp_pending *pending, const struct hp_request *request)
{
	int error;

	engine->moving++;
	error = hp_wire_call(engine, HP_LANE_WAIT, pending, request);
	engine->moving--;
	return error;
}

static int where_to(hp_engine *engine, uint64_t base, const char *path, size_t length, int how, struct hp_where *where)
{
	int error = hp_resolve(engine, base, path, length, how, where);

	if (error == 0 && !where->parent && where->object && where->object->is_root)
		return -EBUSY;
	return error;
}

int64_t hp_make_one(hp_engine *engine, struct hp_slot *slot, uint16_t op)
{
	const char *text = (const char *)slot->data + slot->len1;
	struct hp_where where;
	struct change change = { 0 };
	struct hp_pending pending = { .apply = hp_apply_made, .context = &change };
	int error = where_to(engine, slot->base, (const char *)slot->data, slot->len1, HP_NO_FOLLOW | HP_PARENT_ONLY,
			     &where);
	char *path;

	if (error)
		return error == HP_IS_LOCAL ? HP_LOCAL : error == -EBUSY ? -EEXIST : error;
	if (!where.parent)
		return -EEXIST;
	if (where.must_be_directory && op != HPW_MKDIR)
		return where.object ? -EEXIST : -ENOENT;
	path = hp_name_path(where.parent, where.last, where.last_length);
	change.path = path;
	error = change_name(engine, &pending,
			    &(struct hp_request){ .head = { .op = op,
							    .mode = (uint32_t)slot->arg[0],
							    .arg = (uint32_t)slot->arg[1],
							    .len1 = (uint32_t)strlen(path),
							    .len2 = op == HPW_SYMLINK ? slot->len2 : 0 },
						  .string1 = path,
						  .string2 = text });
	free(path);
	return -error;
}

static int64_t remove_one(hp_engine *engine, struct hp_slot *slot, uint16_t op)
{
	struct hp_where where;
	struct change change = { 0 };
	struct hp_pending pending = { .apply = hp_apply_removed, .context = &change };
	int error = where_to(engine, slot->base, (const char *)slot->data, slot->len1, HP_NO_FOLLOW | HP_PARENT_ONLY,
			     &where);
	const char *end = (const char *)slot->data + slot->len1;
	int dots;
	char *path;

	if (error)
		return error == HP_IS_LOCAL ? HP_LOCAL : error;
	while (end > (const char *)slot->data && end[-1] == '/')
		end--;
	dots = 0;
	while (end - dots > (const char *)slot->data && end[-1 - dots] == '.')
		dots++;
	if (op == HPW_RMDIR && (dots == 1 || dots == 2) &&
	    (end - dots == (const char *)slot->data || end[-1 - dots] == '/'))
		return dots == 1 ? -EINVAL : -ENOTEMPTY;
	if (!where.parent)
		return op == HPW_RMDIR ? -EBUSY : -EISDIR;
	if (op == HPW_UNLINK && where.must_be_directory)
		return where.object && where.object->kind != HP_DIR ? -ENOTDIR : where.object ? -EISDIR : -ENOENT;
	if (op == HPW_UNLINK && hp_unlink_behind(engine, &where))
		return 0;
	if (where.object && where.object->file && where.object->attr.nlink > 1)
		hp_flush_object(engine, where.object);
	path = hp_name_path(where.parent, where.last, where.last_length);
	change.path = path;
	error = change_name(
		engine, &pending,
		&(struct hp_request){ .head = { .op = op, .len1 = (uint32_t)strlen(path) }, .string1 = path });
	free(path);
	return -error;
}

static uint64_t device_of(const struct hp_where *where)
{
	return where->parent ? where->parent->attr.dev : where->object ? where->object->attr.dev : 0;
}

static int64_t rename_one(hp_engine *engine, struct hp_slot *slot)
{
	const char *path1 = (const char *)slot->data, *path2 = path1 + slot->len1;
	struct hp_where from, to;
	struct change change = { .flags = (unsigned)slot->arg[0] };
	struct hp_pending pending = { .apply = hp_apply_renamed, .context = &change };
	int error = where_to(engine, slot->base, path1, slot->len1, HP_NO_FOLLOW, &from);
	/* of a file with several names the target may be another one: then nothing happens */
	bool alone = error || !from.object || from.object->kind == HP_DIR || from.object->attr.nlink < 2;
	int error2 = error == 0 || error == -EBUSY || error == HP_IS_LOCAL ?
			     where_to(engine, slot->base2, path2, slot->len2,
				      HP_NO_FOLLOW | (alone ? HP_PARENT_ONLY : 0), &to) :
			     0;
	char *name1, *name2;

	if (error == HP_IS_LOCAL && error2 == HP_IS_LOCAL)
		return HP_LOCAL;
	if (error == HP_IS_LOCAL || error2 == HP_IS_LOCAL)
		return -EXDEV;
	if (error2 == -ENOENT && to.parent)
		error2 = 0;
	if ((error && error != -EBUSY) || (error2 && error2 != -EBUSY))
		return error && error != -EBUSY ? error : error2;
	if (!from.parent || !to.parent) /* the root, "." or "..": busy, unless it is on another file system */
		return device_of(&from) == device_of(&to) ? -EBUSY : -EXDEV;
	if (to.must_be_directory && from.object && from.object->kind != HP_DIR && !(slot->arg[0] & RENAME_EXCHANGE))
		return -ENOTDIR;
	if (from.object && from.object->file) /* who finds the new name finds its content */
		hp_ordered_first(engine, from.object);
	if (!change.flags && hp_rename_behind(engine, &from, &to))
		return 0;
	name1 = hp_name_path(from.parent, from.last, from.last_length);
	name2 = hp_name_path(to.parent, to.last, to.last_length);
	change.path = name1;
	change.path2 = name2;
	error = change_name(engine, &pending,
			    &(struct hp_request){ .head = { .op = HPW_RENAME,
							    .arg = change.flags,
							    .len1 = (uint32_t)strlen(name1),
							    .len2 = (uint32_t)strlen(name2) },
						  .string1 = name1,
						  .string2 = name2 });
	free(name1);
	free(name2);
	return -error;
}

static int64_t link_one(hp_engine *engine, struct hp_slot *slot)
{
	const char *path1 = (const char *)slot->data, *path2 = path1 + slot->len1;
	struct hp_where from, to;
	struct change change = { 0 };
	struct hp_pending pending = { .apply = hp_apply_made, .context = &change };
	int error = hp_resolve(engine, slot->base, path1, slot->len1,
			       slot->arg[0] & AT_SYMLINK_FOLLOW ? 0 : HP_NO_FOLLOW, &from);
	int error2 = error == 0 || error == HP_IS_LOCAL ?
			     where_to(engine, slot->base2, path2, slot->len2, HP_NO_FOLLOW | HP_PARENT_ONLY, &to) :
			     0;
	char *name1, *name2;

	if (error == HP_IS_LOCAL && error2 == HP_IS_LOCAL)
		return HP_LOCAL;
	if (error == HP_IS_LOCAL || error2 == HP_IS_LOCAL)
		return -EXDEV;
	if (error || error2)
		return error ? error : error2 == -EBUSY ? -EEXIST : error2;
	if (from.object && from.object->unlinkable)
		return -ENOENT;
	if (!from.object)
		return -ENOENT;
	if (!to.parent)
		return -EEXIST;
	if (to.must_be_directory)
		return to.object ? -EEXIST : -ENOENT;
	name1 = hp_object_path(from.object);
	name2 = hp_name_path(to.parent, to.last, to.last_length);
	change.path = name2;
	if (!name1 && from.object->nameless) {
		pending.apply = hp_apply_named;
		change.object = from.object;
		error = change_name(engine, &pending,
				    &(struct hp_request){ .head = { .op = HPW_LINKFILE,
								    .handle = from.object->handle,
								    .len1 = (uint32_t)strlen(name2) },
							  .string1 = name2 });
		if (!error)
			hp_flush_all_of(engine, from.object);
	} else if (!name1)
		error = ENOENT;
	else
		error = change_name(engine, &pending,
				    &(struct hp_request){ .head = { .op = HPW_LINK,
								    .len1 = (uint32_t)strlen(name1),
								    .len2 = (uint32_t)strlen(name2) },
							  .string1 = name1,
							  .string2 = name2 });
	free(name1);
	free(name2);
	return -error;
}

static int64_t change_one(hp_engine *engine, struct hp_slot *slot)
{
	static const uint16_t MAKES[] = { [HP_REQ_MKDIR] = HPW_MKDIR,
					  [HP_REQ_SYMLINK] = HPW_SYMLINK,
					  [HP_REQ_MKNOD] = HPW_MKNOD };

	switch (slot->op) {
	case HP_REQ_BIND:
		return hp_do_bind(engine, slot);
	case HP_REQ_RMDIR:
		return remove_one(engine, slot, HPW_RMDIR);
	case HP_REQ_UNLINK:
		return remove_one(engine, slot, HPW_UNLINK);
	case HP_REQ_RENAME:
		return rename_one(engine, slot);
	case HP_REQ_LINK:
		return link_one(engine, slot);
	default:
		return hp_make_one(engine, slot, MAKES[slot->op]);
	}
}

/* Any of them may be how people lock and unlock, or say that something is done. */
int64_t hp_do_change(hp_engine *engine, struct hp_slot *slot)
{
	int64_t result;

	hp_written_first(engine, slot->op != HP_REQ_MKDIR);
	result = change_one(engine, slot);
	if (result == 0)
		hp_changes_await(engine);
	return result;
}
