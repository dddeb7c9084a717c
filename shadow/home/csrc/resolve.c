/* RESOLVE and STATFS; the content of small files, sent along with their entry. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

_Static_assert(sizeof(struct statfs) == 120, "the kernel's x86-64 shape");

/* By name, but only what it then proves to be: the inode that policy has seen, still a
 * regular file. O_NONBLOCK, should it have become a FIFO a moment ago. */
static int open_same(int dir_fd, const char *name, const struct hpw_attr *seen, hp_home *home, struct hpw_attr *now)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NOATIME | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	int fd = hp_leases_any(home) ? hp_lease_again(home, seen->dev, seen->ino, O_RDONLY) : -1;

	if (fd < 0)
		fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	if (fd < 0 && errno == EPERM) {
		how.flags &= ~(uint64_t)O_NOATIME; /* somebody else's */
		fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	}
	if (fd < 0)
		return -1;
	if (hp_attr_read(home, fd, "", now) == 0 && S_ISREG(now->mode) && now->ino == seen->ino &&
	    now->dev == seen->dev)
		return fd;
	close(fd);
	return -1;
}

/* `size` bytes and then the end, or nothing: a file that grows is asked for by blocks. */
static bool read_whole(struct hp_reply *reply, int fd, size_t size)
{
	size_t got = 0;

	while (got <= size) {
		ssize_t part = pread(fd, reply->bytes + reply->used + got, size + 1 - got, (off_t)got);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return false;
		if (part == 0)
			break;
		got += (size_t)part;
	}
	return got == size;
}

void hp_walk_emit_content(hp_lane *lane, uint32_t flags, struct hp_text path, int dir_fd, const char *name,
			  uint32_t share, struct hpw_attr *attr, size_t limit, size_t *budget)
{
	struct hp_reply *reply = &lane->reply;
	struct hpw_attr now;
	uint32_t access = attr->access;
	struct hpw_entry *entry;
	int fd;

	if (limit == SIZE_MAX || share == HP_SHARE_HIDE || !S_ISREG(attr->mode) || !(access & R_OK) ||
	    attr->size > limit || attr->size > HP_INLINE_MAX || (budget != NULL && attr->size > *budget)) {
		hp_entry(lane, flags, path, hp_no_text(), attr);
		return;
	}
	fd = open_same(dir_fd, name, attr, lane->home, &now);
	if (fd < 0 || now.size != attr->size) {
		if (fd >= 0)
			close(fd);
		hp_entry(lane, flags, path, hp_no_text(), attr);
		return;
	}
	/* Attributes from before the content: were it written meanwhile, ctime tells. */
	now.access = access;
	now.sure &= attr->sure; /* policy's word on both is in what was there before */
	*attr = now;
	hp_entry_begin(lane, flags, path, hp_no_text(), attr, attr->size + 1);
	if (!reply->failed && read_whole(reply, fd, attr->size)) {
		entry = (struct hpw_entry *)(reply->bytes + reply->last_entry);
		entry->flags |= HPW_E_CONTENT;
		entry->content_len = (uint32_t)attr->size;
		reply->used += attr->size;
		if (budget != NULL)
			*budget -= attr->size;
	}
	hp_entry_end(lane);
	close(fd);
}

void hp_op_resolve(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	unsigned flags = HP_WALK_EMIT;
	struct hp_found found;
	bool list;
	int error;

	if (head->flags & HPW_NOFOLLOW)
		flags |= HP_WALK_NOFOLLOW;
	if (head->flags & HPW_LISTING)
		flags |= HP_WALK_HANDLE;
	lane->inline_limit = head->flags & HPW_CONTENT ? head->length : SIZE_MAX;
	hp_reply_open(lane, head, HPW_RESOLVE);
	error = hp_walk(lane, call->first, flags, &found);
	lane->inline_limit = SIZE_MAX;
	list = error == 0 && (head->flags & HPW_LISTING) && S_ISDIR(found.attr.mode);
	hp_reply_close(lane, error, list ? HPW_MORE : 0);
	if (list)
		hp_list_start(lane, head, &found);
	hp_found_release(&found);
}

void hp_op_statfs(hp_lane *lane, const struct hp_call *call)
{
	struct hp_found found;
	uint8_t *data = hp_reply_data(lane, sizeof(struct statfs));
	struct statfs fs;
	int error = hp_walk(lane, call->first, HP_WALK_HANDLE, &found);

	if (error == 0)
		error = hp_may_read(lane, found.fd, found.path, found.share);
	if (error == 0 && fstatfs(found.fd, &fs) != 0)
		error = errno;
	hp_found_release(&found);
	if (data == NULL)
		return;
	if (error == 0)
		memcpy(data, &fs, sizeof(fs));
	hp_reply_data_end(lane, call->head, error, error == 0 ? sizeof(fs) : 0);
}
