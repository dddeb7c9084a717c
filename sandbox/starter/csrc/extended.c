/* Extended attributes. Most files have none, and programs that go through a
 * directory (ls -l, cp -p, shutil.copy2) ask each file for them. So the files
 * beside one that was asked for are asked for with it, and that a file has none is
 * remembered until home has news of it. Values are home's each time. They also give each copy the
 * access list of its original (cp -p, sed -i, gnulib's qset_acl): mostly one that says what a mode says.
 */
#define _GNU_SOURCE
#include "internal.h"

#define AHEAD_FIRST 16u
#define AHEAD_GROWTH 4u
#define AHEAD_MOST 1024u /* AHEAD_FIRST, three times grown */
#define LOOKED_AT (4 * AHEAD_MOST) /* names, to find so many that are not known */
#define ROOM 64u /* for an answer that nobody has asked for yet */

/* The first stands for the names of all. */
static const char *const common[] = { "",
				      "security.selinux",
				      "system.posix_acl_access",
				      "system.posix_acl_default",
				      "security.capability",
				      "security.ima",
				      "security.SMACK64" };

#define COMMON (sizeof common / sizeof *common)

/* COMMON: another one. */
static unsigned which_of(const struct hp_slot *slot)
{
	const char *name = (const char *)slot->data + slot->len1;

	if (slot->op == HP_REQ_LISTXATTR)
		return 0;
	for (unsigned i = 1; slot->op == HP_REQ_GETXATTR && i < COMMON; i++)
		if (slot->len2 == strlen(common[i]) && memcmp(name, common[i], slot->len2) == 0)
			return i;
	return COMMON;
}

static bool is_known(const struct hp_object *object, unsigned which)
{
	const struct hp_extended *extended = &object->extended;

	return (extended->none | extended->refused) >> which & 1 && extended->ctime_s == object->attr.ctime_s &&
	       extended->ctime_ns == object->attr.ctime_ns;
}

static void learn(struct hp_object *object, unsigned which, int error, size_t length)
{
	struct hp_extended *extended = &object->extended;

	if (extended->ctime_s != object->attr.ctime_s || extended->ctime_ns != object->attr.ctime_ns) {
		extended->none = extended->refused = 0;
		extended->ctime_s = object->attr.ctime_s;
		extended->ctime_ns = object->attr.ctime_ns;
	}
	if (error == EOPNOTSUPP)
		extended->refused |= (uint8_t)(1u << which);
	else if (which ? error == ENODATA : !error && !length)
		extended->none |= (uint8_t)(1u << which);
}

struct beside {
	unsigned which;
	uint64_t inode;
	char path[];
};

static void apply_beside(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	struct beside *beside = pending->context;
	struct hp_name *name = hp_name_by_path(engine, beside->path);

	(void)body;
	(void)length;
	if (name && name->object && name->object->attr.ino == beside->inode)
		learn(name->object, beside->which, reply->error, reply->count);
	free(beside);
}

static void ask_beside(hp_engine *engine, const struct hp_object *object, unsigned which)
{
	struct hp_pending *pending = calloc(1, sizeof *pending);
	char *path = hp_object_path(object);
	size_t length = path ? strlen(path) : 0;
	struct beside *beside = calloc(1, sizeof *beside + length + 1);

	*beside = (struct beside){ .which = which, .inode = object->attr.ino };
	memcpy(beside->path, path ? path : "", length);
	*pending = (struct hp_pending){ .apply = apply_beside, .context = beside, .detached = true };
	hp_wire_send(engine, HP_LANE_WAIT, pending,
		     &(struct hp_request){ .head = { .op = which ? HPW_GETXATTR : HPW_LISTXATTR,
						     .flags = HPW_NOFOLLOW | HPW_EXPECT,
						     .offset = object->attr.ino,
						     .length = ROOM,
						     .len1 = (uint32_t)length,
						     .len2 = (uint32_t)strlen(common[which]) },
					   .string1 = beside->path,
					   .string2 = common[which] });
	free(path);
	if (pending->done) { /* the link is gone */
		free(beside);
		free(pending);
	}
}

static unsigned ask_in_line(hp_engine *engine, const struct hp_object *object, unsigned which, unsigned left, bool back)
{
	const struct hp_name *name = object->name;

	for (unsigned looked = 0; name && left && looked < LOOKED_AT; looked++) {
		const struct hp_object *other = name->object;

		if (other && other != object && other->name == name && other->kind == object->kind && other->attr.ino &&
		    other->attr.access & 4 && !is_known(other, which)) {
			ask_beside(engine, other, which);
			left--;
		}
		name = back ? name->previous_in_parent : name->next_in_parent;
	}
	return left;
}

/* From the second file of a directory on. They go before its own question, so they have been answered when
 * it goes on. The job may read the directory forwards or backwards. */
static void ask_around(hp_engine *engine, const struct hp_object *object, unsigned which)
{
	struct hp_object *parent = object->name ? object->name->parent : NULL;
	unsigned ahead = parent ? parent->extended.ahead : 0;

	if (!parent || parent->local || !(parent->attr.access & 4))
		return;
	if (ahead > 1)
		ask_in_line(engine, object, which, ask_in_line(engine, object, which, ahead, false), true);
	if (ahead < 2)
		parent->extended.ahead = ahead ? AHEAD_FIRST : 1;
	else if (ahead < AHEAD_MOST)
		parent->extended.ahead = (uint16_t)(ahead * AHEAD_GROWTH);
}

/* A file that the job writes to is asked each time: its ctime is not home's. */
bool hp_extended_known(hp_engine *engine, const struct hp_object *object, const struct hp_slot *slot, int64_t *answer)
{
	unsigned which = which_of(slot);

	if (which == COMMON || object->handle_writable)
		return false;
	if (!is_known(object, which)) {
		ask_around(engine, object, which);
		return false;
	}
	*answer = object->extended.refused >> which & 1 ? -EOPNOTSUPP : which ? -ENODATA : 0;
	return true;
}

/* posix_acl_xattr_header and entries (linux/posix_acl_xattr.h), little endian, as all of x86-64. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, permissions;
		uint32_t id;
	} entries[3];
};

/* Three entries: owner, group, others; acl(5) calls it minimal. */
static bool is_minimal(const struct hp_slot *slot, uint32_t *mode)
{
	static const char name[] = "system.posix_acl_access";
	static const uint16_t tags[] = { 0x01, 0x04, 0x20 };
	const uint8_t *text = slot->data + slot->len1;
	struct acl acl;

	if (slot->len2 != sizeof name + sizeof acl || memcmp(text, name, sizeof name) != 0)
		return false;
	memcpy(&acl, text + sizeof name, sizeof acl);
	*mode = 0;
	for (unsigned i = 0; i < 3; i++) {
		if (acl.entries[i].tag != tags[i] || acl.entries[i].permissions & ~7u)
			return false;
		*mode = *mode << 3 | acl.entries[i].permissions;
	}
	return acl.version == 2;
}

/* That home's file system has no such lists is forgiven: the mode says the same. */
bool hp_extended_behind(hp_engine *engine, struct hp_object *object, const struct hp_slot *slot)
{
	struct hpw_attr attr = { 0 };

	if (slot->op != HP_REQ_SETXATTR || slot->arg[1] || !is_minimal(slot, &attr.mode) ||
	    !hp_set_behind(engine, object, HPW_SET_MODE, &attr))
		return false;
	hp_ordered_send(engine, &(struct hp_change){ .object = object, .verb = "changing", .forgives = EOPNOTSUPP },
			&(struct hp_request){ .head = { .op = HPW_SETXATTR, .len2 = slot->len2 },
					      .string2 = slot->data + slot->len1 });
	return true;
}

void hp_extended_heard(struct hp_object *object, const struct hp_slot *slot, int error, size_t length)
{
	unsigned which = which_of(slot);

	if (which < COMMON)
		learn(object, which, error, length);
	else if (slot->op == HP_REQ_SETXATTR || slot->op == HP_REQ_REMOVEXATTR)
		hp_extended_forget(object);
}

void hp_extended_forget(struct hp_object *object)
{
	object->extended.none = object->extended.refused = 0;
}
