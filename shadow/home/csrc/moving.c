/* Changes of two names: rename and link. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

static int look_at(hp_lane *lane, struct hp_found *from)
{
	int error = hp_is_dots(from->name) ? EBUSY : hp_walk_look(lane, from);

	return error == 0 && from->slash && !S_ISDIR(from->attr.mode) ? ENOTDIR : error;
}

/* Parents of two names that are walked one after the other stay held: the first in
 * lane->other, the second in lane->walk. The kernel looks at the first name before it
 * walks to the second for link, after that for rename. */
static int walk_two(hp_lane *lane, const struct hp_call *call, struct hp_found *from, struct hp_found *to)
{
	bool early = call->head->op == HPW_LINK;
	int error = hp_walk(lane, call->first, HP_WALK_PARENT, from), second;

	*to = (struct hp_found){ .fd = -1 };
	if (error == 0 && early)
		error = look_at(lane, from);
	if (error != 0)
		return error != EEXIST ? error : early ? EPERM : EBUSY;
	hp_walk_swap(lane);
	second = hp_walk(lane, call->second, HP_WALK_PARENT, to);
	if (second == 0 && !early) {
		hp_walk_swap(lane);
		error = look_at(lane, from);
		hp_walk_swap(lane);
	}
	return second != 0 ? second : error;
}

static void two_parents(hp_lane *lane, const struct hp_found *from, const struct hp_found *to)
{
	struct hp_text a = hp_directory_of(from->path), b = hp_directory_of(to->path);

	hp_entry_parent(lane, to);
	if (a.length != b.length || memcmp(a.bytes, b.bytes, a.length) != 0)
		hp_entry_parent(lane, from);
}

static bool another_mount(const struct hp_found *from, const struct hp_found *to)
{
	struct stat one, two;

	return fstat(from->parent_fd, &one) == 0 && fstat(to->parent_fd, &two) == 0 && one.st_dev != two.st_dev;
}

static int rename_it(const struct hp_found *from, const struct hp_found *to, uint32_t flags)
{
	return syscall(SYS_renameat2, from->parent_fd, from->name, to->parent_fd, to->name, flags) == 0 ? 0 : errno;
}

/* So that it can be undone: what stands in the way goes into the journal first. */
static int rename_kept(hp_lane *lane, const struct hp_found *from, const struct hp_found *to, uint32_t flags)
{
	struct hp_found old = *to;
	uint64_t record, removal = 0;
	bool replaces;
	int error;

	if (lane->home->journal == NULL)
		return rename_it(from, to, flags);
	old.fd = -1;
	replaces = hp_walk_look(lane, &old) == 0;
	if (replaces && old.attr.ino == from->attr.ino && old.attr.dev == from->attr.dev) {
		hp_found_release(&old);
		return rename_it(from, to, flags); /* two names of one file: nothing happens */
	}
	if (replaces && !(flags & RENAME_EXCHANGE))
		removal = hp_undo_remove(lane->home, &old);
	record = hp_undo_rename(lane->home, from, &old, flags & RENAME_EXCHANGE);
	error = rename_it(from, to, flags);
	if (error != 0)
		hp_undo_not(lane->home, record);
	hp_undo_changed(lane->home, from->fd);
	hp_undo_changed(lane->home, from->parent_fd);
	hp_undo_changed(lane->home, to->parent_fd);
	if (replaces && !(flags & RENAME_EXCHANGE))
		hp_undo_removed(lane->home, &old, removal, error == 0);
	else if (replaces)
		hp_undo_changed(lane->home, old.fd);
	hp_found_release(&old);
	return error;
}

void hp_op_rename(hp_lane *lane, const struct hp_call *call)
{
	uint32_t flags = call->head->arg;
	struct hp_found from, to;
	int error = walk_two(lane, call, &from, &to);

	if (error == 0 && hp_is_dots(to.name))
		error = EBUSY;
	if (error == EEXIST)
		error = EBUSY;
	if (error == 0 && (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)))
		error = flags & ~7u ? EINVAL : EPERM; /* a white-out is a device */
	if (error == 0 && to.slash && !S_ISDIR(from.attr.mode))
		error = ENOTDIR;
	if (error == 0 && (flags & RENAME_NOREPLACE) && hp_name_exists(&to))
		error = EEXIST;
	if (error == 0 && (flags & RENAME_EXCHANGE)) {
		error = hp_walk_look(lane, &to);
	}
	if (error == 0 && another_mount(&from, &to))
		error = EXDEV; /* said before rights are looked at */
	if (error == 0 && (hp_may_change(lane, &from, false) != 0 || hp_may_change(lane, &to, false) != 0))
		error = EACCES;
	if (error == 0)
		error = rename_kept(lane, &from, &to, flags);
	if (error == 0)
		hp_tell_changes_first(lane, &from.path, &to.path);
	hp_reply_open(lane, call->head, HPW_RENAME);
	if (error == 0) {
		hp_changed(lane, true);
		hp_handles_renamed(lane->home, from.path, to.path, flags & RENAME_EXCHANGE);
		if (flags & RENAME_EXCHANGE) {
			hp_entry_of(lane, from.parent_fd, from.name, from.path, from.share);
		} else {
			hp_watch_told(lane->home, from.path, hp_no_text(), NULL);
			if (S_ISDIR(from.attr.mode))
				hp_watch_renamed(lane->home, from.path, to.path);
		}
		hp_entry_of(lane, to.parent_fd, to.name, to.path, to.share);
		two_parents(lane, &from, &to);
	}
	hp_reply_close(lane, error, 0);
	hp_found_release(&from);
	hp_found_release(&to);
}

/* The very inode that was checked gets the name. Both names must be writable by
 * policy: a link in a writable place would else make a read-only file writable. */
int hp_link_handle(const hp_home *home, int fd, const struct hp_found *to)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	return linkat(home->proc_fd, number, to->parent_fd, to->name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

void hp_op_link(hp_lane *lane, const struct hp_call *call)
{
	struct hp_found from, to;
	int error = walk_two(lane, call, &from, &to);

	if (error == 0 && hp_is_dots(to.name))
		error = EEXIST;
	if (error == 0 && hp_name_exists(&to))
		error = EEXIST;
	if (error == 0 && to.slash)
		error = ENOENT;
	if (error == 0 && another_mount(&from, &to))
		error = EXDEV;
	if (error == 0 && S_ISDIR(from.attr.mode))
		error = hp_may_change(lane, &to, false) == 0 && hp_may_name(&to) ? EPERM : EACCES;
	if (error == 0 && (hp_may_change(lane, &from, false) != 0 || hp_may_change(lane, &to, false) != 0))
		error = EACCES;
	if (error == 0) {
		uint64_t record = hp_undo_make(lane->home, &to, from.fd, 0);

		error = hp_link_handle(lane->home, from.fd, &to);
		hp_undo_made(lane->home, &to, record, error == 0);
		hp_undo_changed(lane->home, from.fd);
	}
	if (error == 0)
		hp_tell_changes_first(lane, &from.path, &to.path);
	hp_reply_open(lane, call->head, HPW_LINK);
	if (error == 0) {
		hp_changed(lane, false);
		hp_entry_of(lane, to.parent_fd, to.name, to.path, to.share);
		hp_entry_parent(lane, &to);
	}
	hp_reply_close(lane, error, 0);
	hp_found_release(&from);
	hp_found_release(&to);
}
