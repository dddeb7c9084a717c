/* Changes of names, and policy's say on changes. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

static bool has_default_acl(int directory)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", directory);
	return getxattr(path, "system.posix_acl_default", NULL, 0) > 0;
}

/* What a mode in a request becomes. A program the job writes must not run with root's rights: where
 * home is root's, set-uid and set-gid bits of files are left out. (Other users can only give away
 * their own rights, as they can at home.) `directory`: where it is made, for the umask. */
uint32_t hp_safe_mode(const hp_home *home, int directory, uint32_t mode)
{
	uint32_t taken = mode >> HPW_UMASK_SHIFT & 0777;

	mode &= S_IFMT | 07777;
	if (taken != 0 && !has_default_acl(directory))
		mode &= ~taken;
	if (home->user.is_root && !S_ISDIR(mode))
		mode &= ~(uint32_t)(S_ISUID | S_ISGID);
	return mode;
}

struct hp_text hp_directory_of(struct hp_text path)
{
	while (path.length > 0 && path.bytes[path.length - 1] != '/')
		path.length--;
	if (path.length > 0)
		path.length--;
	return path;
}

static bool is_proc(struct hp_text path)
{
	return path.length >= 5 && memcmp(path.bytes, "/proc", 5) == 0 && (path.length == 5 || path.bytes[5] == '/');
}

int hp_may_read(hp_lane *lane, int fd, struct hp_text path, uint32_t share)
{
	if (share != HP_SHARE_HIDE)
		return 0;
	/* The job has a /proc of its own; no flag would give it home's. */
	if (!is_proc(path) && (fd < 0 || hp_user_may(fd, "", R_OK)))
		hp_refusal_note(lane->home, "read", path.bytes, path.length);
	return EACCES;
}

/* Names what the flag has to name: the rule's own path, or the directory. */
void hp_refuse_write(hp_lane *lane, struct hp_text path)
{
	if (!hp_policy_is_rule(&lane->home->policy, path.bytes, path.length))
		path = hp_directory_of(path);
	hp_refusal_note(lane->home, "write", path.bytes, path.length);
}

int hp_may_write(hp_lane *lane, int fd, struct hp_text path, uint32_t share)
{
	if (share == HP_SHARE_RW)
		return 0;
	if (share == HP_SHARE_HIDE)
		return hp_may_read(lane, fd, path, share);
	if (hp_user_may(fd, "", W_OK))
		hp_refuse_write(lane, path);
	return EACCES;
}

static bool is_changeable(hp_lane *lane, const struct hp_found *found, bool plain_directory)
{
	return found->parent_share == HP_SHARE_RW && found->share == HP_SHARE_RW &&
	       (plain_directory || !hp_policy_guards_below(&lane->home->policy, found->path.bytes, found->path.length));
}

int hp_may_change(hp_lane *lane, const struct hp_found *found, bool plain_directory)
{
	struct hp_text path = found->path;

	if (is_changeable(lane, found, plain_directory))
		return 0;
	if (hp_user_may(found->parent_fd, "", W_OK | X_OK)) {
		if (found->parent_share != HP_SHARE_RW)
			path = hp_directory_of(path);
		hp_refusal_note(lane->home, "write", path.bytes, path.length);
	}
	return EACCES;
}

void hp_entry_of(hp_lane *lane, int fd, const char *name, struct hp_text path, uint32_t share)
{
	struct hp_walk *walk = &lane->walk;
	struct hp_text target = hp_no_text();
	struct hpw_attr attr;

	if (hp_attr_read(lane->home, fd, name, &attr) != 0)
		return; /* gone again already: the reply is still true */
	hp_attr_limit(lane->home, fd, name, share, &attr);
	if (S_ISLNK(attr.mode)) {
		if (hp_read_link(fd, name, &walk->link, &walk->link_room, &walk->link_len) != 0)
			return;
		target = (struct hp_text){ walk->link, walk->link_len };
	}
	hp_entry(lane, 0, path, target, &attr);
}

void hp_entry_of_handle(hp_lane *lane, struct hp_handle *handle)
{
	struct hpw_attr attr;

	if (hp_attr_read(lane->home, handle->fd, "", &attr) != 0)
		return;
	hp_attr_limit(lane->home, handle->fd, "", handle->share, &attr);
	pthread_mutex_lock(&lane->home->lock); /* a rename may change the path */
	hp_entry(lane, 0, (struct hp_text){ handle->path, handle->path_len }, hp_no_text(), &attr);
	pthread_mutex_unlock(&lane->home->lock);
}

void hp_entry_parent(hp_lane *lane, const struct hp_found *found)
{
	struct hp_walk *walk = &lane->walk;
	struct hpw_attr attr;

	if (hp_attr_read(lane->home, found->parent_fd, "", &attr) != 0)
		return;
	hp_attr_limit(lane->home, found->parent_fd, "", found->parent_share, &attr);
	if (walk->depth > 0 && walk->frames[walk->depth - 1].fd == found->parent_fd)
		walk->frames[walk->depth - 1].attr = attr;
	hp_entry(lane, HPW_E_PARENT, hp_directory_of(found->path), hp_no_text(), &attr);
}

void hp_changed(hp_lane *lane, bool names_move)
{
	uint64_t before = atomic_fetch_add(&lane->home->generation, 1);

	if (!names_move && lane->walk.generation == before)
		lane->walk.generation = before + 1;
}

bool hp_name_exists(const struct hp_found *found)
{
	struct stat st;

	return fstatat(found->parent_fd, found->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool hp_may_name(const struct hp_found *found)
{
	return faccessat(found->parent_fd, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

static int make(hp_lane *lane, const struct hp_call *call, const struct hp_found *found)
{
	const struct hpw_request *head = call->head;
	uint32_t type = head->mode & S_IFMT;
	char *text;
	int error;

	switch (head->op) {
	case HPW_MKDIR:
		return mkdirat(found->parent_fd, found->name,
			       hp_safe_mode(lane->home, found->parent_fd, head->mode | S_IFDIR) & 07777) == 0 ?
			       0 :
			       errno;
	case HPW_MKNOD:
		if (type != 0 && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK)
			return hp_may_name(found) ? EPERM : EACCES;
		return mknodat(found->parent_fd, found->name, hp_safe_mode(lane->home, found->parent_fd, head->mode),
			       0) == 0 ?
			       0 :
			       errno;
	default:
		text = strndup(call->second.bytes, call->second.length);
		if (text == NULL)
			return ENOMEM;
		error = symlinkat(text, found->parent_fd, found->name) == 0 ? 0 : errno;
		free(text);
		return error;
	}
}

static uint32_t type_made(const struct hpw_request *head)
{
	if (head->op == HPW_MKDIR)
		return S_IFDIR;
	if (head->op == HPW_SYMLINK)
		return S_IFLNK;
	return head->mode & S_IFMT ? head->mode & S_IFMT : S_IFREG;
}

/* The starter knows that it is empty, and is to hear when it no longer is. */
static void watch_made(hp_lane *lane, const struct hp_found *found)
{
	int fd = openat(found->parent_fd, found->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct hpw_attr attr;

	if (fd < 0)
		return;
	if (hp_attr_read(lane->home, fd, "", &attr) == 0)
		hp_watch_new(lane->home, fd, found->path, &attr);
	close(fd);
}

void hp_op_make(hp_lane *lane, const struct hp_call *call)
{
	bool is_mkdir = call->head->op == HPW_MKDIR;
	struct hp_found found;
	int error = hp_walk(lane, call->first, HP_WALK_PARENT, &found);

	if (error == 0 && found.slash && !is_mkdir)
		error = hp_name_exists(&found) ? EEXIST : ENOENT;
	if (error == 0 && hp_is_dots(found.name))
		error = EEXIST;
	if (error == 0 && !is_changeable(lane, &found, is_mkdir) && hp_name_exists(&found))
		error = EEXIST; /* mkdir -p counts on it */
	if (error == 0)
		error = hp_may_change(lane, &found, is_mkdir);
	if (error == 0) {
		uint64_t record = hp_undo_make(lane->home, &found, -1, type_made(call->head));

		error = make(lane, call, &found);
		hp_undo_made(lane->home, &found, record, error == 0);
	}
	if (error == 0)
		hp_tell_changes_first(lane, &found.path, NULL);
	hp_reply_open(lane, call->head, call->head->op);
	if (error == 0) {
		hp_changed(lane, false);
		if (is_mkdir)
			watch_made(lane, &found);
		hp_entry_of(lane, found.parent_fd, found.name, found.path, found.share);
		hp_entry_parent(lane, &found);
	}
	hp_reply_close(lane, error, 0);
}

void hp_op_remove(hp_lane *lane, const struct hp_call *call)
{
	bool directory = call->head->op == HPW_RMDIR;
	struct hp_found found;
	struct hpw_attr attr;
	int error = hp_walk(lane, call->first, HP_WALK_PARENT, &found);

	if (error == EEXIST) /* the root */
		error = directory ? EBUSY : EISDIR;
	if (error == 0 && hp_is_dots(found.name))
		error = !directory ? EISDIR : found.name[1] == 0 ? EINVAL : ENOTEMPTY;
	if (error == 0)
		error = hp_walk_look(lane, &found);
	if (error == 0 && found.slash && !S_ISDIR(found.attr.mode))
		error = ENOTDIR;
	if (error == 0 && hp_may_change(lane, &found, false) != 0)
		error = EACCES;
	if (error == 0) {
		uint64_t record = hp_undo_remove(lane->home, &found);

		if (unlinkat(found.parent_fd, found.name, directory ? AT_REMOVEDIR : 0) != 0)
			error = errno;
		hp_undo_removed(lane->home, &found, record, error == 0);
	}
	hp_reply_open(lane, call->head, call->head->op);
	if (error == 0) {
		hp_changed(lane, false);
		if (!directory && hp_attr_read(lane->home, found.fd, "", &attr) == 0 && attr.nlink != 0)
			hp_entry_of(lane, found.fd, "", found.path, found.share);
		hp_watch_told(lane->home, found.path, hp_no_text(), NULL);
		hp_entry_parent(lane, &found);
	}
	hp_reply_close(lane, error, 0);
	hp_found_release(&found);
}
