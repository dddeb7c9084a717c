/* Unix sockets with a name among home's: made at home, native here. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "internal.h"

#define BOUND_MAX 100000u

struct hp_bound {
	struct hp_bound *next;
	uint32_t named, given;
	char names[]; /* the kernel's, NUL, the program's */
};

/* For the job's life: a socket may still be open when its name is gone. */
static void remember(hp_engine *engine, const char *names, size_t named, size_t length)
{
	struct hp_bound *bound;

	if (length < named + 2 || engine->bound_count >= BOUND_MAX || !(bound = malloc(sizeof *bound + length)))
		return;
	bound->named = (uint32_t)named;
	bound->given = (uint32_t)(length - named - 1);
	memcpy(bound->names, names, length);
	bound->next = engine->bound;
	engine->bound = bound;
	engine->bound_count++;
}

/* The job bound a socket in /tmp: it becomes the inode behind home's new name. */
int64_t hp_do_bind(hp_engine *engine, struct hp_slot *slot)
{
	static const char prefix[] = "/tmp/.socket";
	const char *text = (const char *)slot->data + slot->len1;
	size_t named = strnlen(text, slot->len2);
	char temporary[64];
	struct hp_where where;
	struct stat status;
	int64_t result;
	int directory;

	if (named >= sizeof temporary || named < sizeof prefix || memcmp(text, prefix, sizeof prefix - 1) ||
	    memchr(text + 5, '/', named - 5))
		return -EINVAL;
	memcpy(temporary, text + 1, named - 1);
	temporary[named - 1] = 0;
	result = hp_make_one(engine, slot, HPW_MKNOD);
	if (result)
		return result == -EEXIST ? -EADDRINUSE : result;
	result = hp_resolve(engine, slot->base, (const char *)slot->data, slot->len1, HP_NO_FOLLOW | HP_PARENT_ONLY,
			    &where);
	if (result || !where.object || !where.parent)
		return -EIO;
	directory = hp_mirror_dirfd(engine, where.parent);
	if (directory < 0 || fstatat(engine->root_fd, temporary, &status, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISSOCK(status.st_mode) || hp_mirror_name(engine, engine->root_fd, temporary, directory, where.last))
		return -EIO;
	hp_object_move_inode(engine, where.object, status.st_ino);
	hp_mirror_publish(engine, where.object);
	remember(engine, text, named, slot->len2);
	return 0;
}

int64_t hp_do_address(hp_engine *engine, struct hp_slot *slot)
{
	for (const struct hp_bound *bound = engine->bound; bound; bound = bound->next)
		if (bound->named == slot->len1 && !memcmp(bound->names, slot->data, slot->len1)) {
			slot->reply_len = bound->given;
			memcpy(slot->data, bound->names + bound->named + 1, bound->given);
			return 0;
		}
	return -ENOENT;
}

void hp_bound_free(hp_engine *engine)
{
	while (engine->bound) {
		struct hp_bound *next = engine->bound->next;

		free(engine->bound);
		engine->bound = next;
	}
}
