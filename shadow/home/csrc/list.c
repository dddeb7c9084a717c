/* LIST: a directory with the attributes of every name; it may pause between two replies. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define DIRENTS_ROOM 32768

struct dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};

static int hold_path(struct hp_list *list, struct hp_text path)
{
	size_t room = path.length + 1 + HP_NAME_MAX + 1;

	if (list->path_room < room) {
		char *bytes = realloc(list->path, room);

		if (bytes == NULL)
			return ENOMEM;
		list->path = bytes;
		list->path_room = room;
	}
	if (list->dirents == NULL)
		list->dirents = malloc(DIRENTS_ROOM);
	if (list->dirents == NULL)
		return ENOMEM;
	memcpy(list->path, path.bytes, path.length);
	list->path[path.length] = '/';
	list->path_len = path.length;
	return 0;
}

static void emit_self(hp_lane *lane)
{
	struct hp_list *list = &lane->list;
	struct hpw_attr attr;

	if (hp_attr_read(lane->home, list->fd, "", &attr) != 0)
		return;
	hp_watch_add(lane->home, list->fd, (struct hp_text){ list->path, list->path_len }, &attr);
	hp_attr_limit(lane->home, list->fd, "", list->share, &attr);
	hp_entry(lane, HPW_E_SELF, (struct hp_text){ list->path, list->path_len }, hp_no_text(), &attr);
}

void hp_list_start(hp_lane *lane, const struct hpw_request *request, struct hp_found *found)
{
	struct hp_list *list = &lane->list;
	int error = 0;

	hp_reply_open(lane, request, HPW_LIST);
	if (!S_ISDIR(found->attr.mode))
		error = ENOTDIR;
	if (error == 0)
		error = hp_may_read(lane, found->fd, found->path, found->share);
	if (error == 0)
		error = hold_path(list, found->path);
	if (error == 0) {
		list->fd = hp_reopen(lane->home, found->fd, O_RDONLY | O_DIRECTORY);
		error = list->fd < 0 ? -list->fd : 0;
	}
	if (error != 0) {
		list->fd = -1;
		hp_reply_close(lane, error, 0);
		return;
	}
	list->request = *request;
	list->share = found->share;
	list->has_rules = hp_policy_has_below(&lane->home->policy, found->path.bytes, found->path.length);
	list->read_only = found->share != HP_SHARE_RW || !hp_user_may(list->fd, "", W_OK);
	list->limit = request->flags & HPW_CONTENT ? request->length : SIZE_MAX;
	list->budget = request->mode;
	list->used = list->at = 0;
	emit_self(lane);
}

/* Search permission lacks: the name and its type are all that can be known. */
static void emit_unseen(hp_lane *lane, const struct dirent64 *name, struct hp_text text)
{
	const struct hpw_attr attr = { .ino = name->d_ino, .mode = (uint32_t)name->d_type << 12 };

	hp_entry(lane, 0, text, hp_no_text(), &attr);
}

static uint32_t share_of(hp_lane *lane, struct hp_text name, const struct hpw_attr *attr)
{
	struct hp_list *list = &lane->list;
	const struct hp_policy *policy = &lane->home->policy;
	size_t length = list->path_len + 1 + name.length;
	uint32_t share = list->share;

	if (list->has_rules) {
		memcpy(list->path + list->path_len + 1, name.bytes, name.length);
		share = hp_policy_child(policy, share, list->path, length);
	}
	if (hp_policy_is_secret(policy, attr->dev, attr->ino) &&
	    !(list->has_rules && hp_policy_is_rule(policy, list->path, length)))
		return HP_SHARE_HIDE;
	return share;
}

static void emit_name(hp_lane *lane, const struct dirent64 *dirent)
{
	struct hp_list *list = &lane->list;
	struct hp_walk *walk = &lane->walk; /* its link buffer is free to use */
	const struct hp_text name = { dirent->d_name, strlen(dirent->d_name) };
	struct hpw_attr attr;
	uint32_t share;
	int error = hp_attr_read(lane->home, list->fd, dirent->d_name, &attr);

	if (error == EACCES)
		emit_unseen(lane, dirent, name);
	if (error != 0)
		return; /* it is gone already */
	share = share_of(lane, name, &attr);
	if (share == HP_SHARE_RW && !list->read_only)
		; /* asking the kernel once, for the directory, has to do */
	else if (share == HP_SHARE_HIDE)
		attr.access = 0;
	else if (share == HP_SHARE_RO || !hp_user_may(list->fd, dirent->d_name, W_OK))
		attr.access &= ~(uint32_t)W_OK;
	if (share != HP_SHARE_RW || !(attr.access & W_OK) ||
	    hp_home_device(lane->home, list->fd, dirent->d_name, attr.dev) != HP_DEVICE_SURE)
		attr.sure = 0;
	if (S_ISLNK(attr.mode)) {
		if (hp_read_link(list->fd, dirent->d_name, &walk->link, &walk->link_room, &walk->link_len) == 0)
			hp_entry(lane, 0, name, (struct hp_text){ walk->link, walk->link_len }, &attr);
		return;
	}
	hp_walk_emit_content(lane, 0, name, list->fd, dirent->d_name, share, &attr, list->limit, &list->budget);
}

static void finish(hp_lane *lane, int error)
{
	struct hp_reply *reply = &lane->reply;
	struct hp_list *list = &lane->list;

	if (error == 0 && reply->last_entry == 0)
		emit_self(lane); /* the last names vanished while it paused */
	if (error == 0 && reply->last_entry != 0 && !reply->failed)
		((struct hpw_entry *)(reply->bytes + reply->last_entry))->flags |= HPW_E_COMPLETE;
	hp_reply_close(lane, error, 0);
	close(list->fd);
	list->fd = -1;
}

bool hp_list_step(hp_lane *lane)
{
	struct hp_list *list = &lane->list;

	if (lane->reply.used == 0) /* going on after a pause */
		hp_reply_open(lane, &list->request, HPW_LIST);
	for (;;) {
		const struct dirent64 *dirent;

		if (list->at >= list->used) {
			list->used = syscall(SYS_getdents64, list->fd, list->dirents, DIRENTS_ROOM);
			list->at = 0;
			if (list->used <= 0) {
				finish(lane, list->used < 0 ? errno : 0);
				return true;
			}
		}
		if (lane->reply.used >= HP_PIECE_MAX && lane->reply.count != 0) {
			hp_reply_close(lane, 0, HPW_MORE);
			return false;
		}
		dirent = (const struct dirent64 *)(list->dirents + list->at);
		list->at += dirent->d_reclen;
		if (!hp_is_dots(dirent->d_name))
			emit_name(lane, dirent);
		if (lane->reply.failed) {
			finish(lane, ENOMEM);
			return true;
		}
	}
}

void hp_op_list(hp_lane *lane, const struct hp_call *call)
{
	struct hp_found found;
	int error = hp_walk(lane, call->first, HP_WALK_NOFOLLOW | HP_WALK_HANDLE, &found);

	if (error != 0)
		hp_reply_error(lane, call->head, error);
	else
		hp_list_start(lane, call->head, &found);
	hp_found_release(&found);
}
