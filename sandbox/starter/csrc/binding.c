/* Unix sockets with a name among home's: made at home, native here. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "internal.h"

/* The job bound a socket in /tmp: it becomes the inode behind home's new name. */
int64_t hp_do_bind(hp_engine *engine, struct hp_slot *slot)
{
	static const char prefix[] = "/tmp/.socket";
	const char *text = (const char *)slot->data + slot->len1;
	char temporary[64];
	struct hp_where where;
	struct stat status;
	int64_t result;
	int directory;

	if (slot->len2 >= sizeof temporary || slot->len2 < sizeof prefix || memcmp(text, prefix, sizeof prefix - 1) ||
	    memchr(text + 5, '/', slot->len2 - 5))
		return -EINVAL;
	memcpy(temporary, text + 1, slot->len2 - 1);
	temporary[slot->len2 - 1] = 0;
	result = hp_make_one(engine, slot, HPW_MKNOD);
	if (result)
		return result == -EEXIST ? -EADDRINUSE : result;
	result = hp_resolve(engine, slot->base, (const char *)slot->data, slot->len1, HP_NO_FOLLOW | HP_PARENT_ONLY,
			    &where);
	if (result || !where.object || !where.parent)
		return -EIO;
	directory = hp_mirror_dirfd(engine, where.parent);
	if (directory < 0 || fstatat(engine->root_fd, temporary, &status, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISSOCK(status.st_mode) || renameat(engine->root_fd, temporary, directory, where.last))
		return -EIO;
	hp_object_move_inode(engine, where.object, status.st_ino);
	hp_mirror_publish(engine, where.object);
	return 0;
}
