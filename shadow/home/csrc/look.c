/* One component looked at: what it is, what policy says of it. */
#define _GNU_SOURCE
#include "walk.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

/* `.` and `..` need search permission, as any name does. */
int hp_walk_may_search(const struct hp_frame *frame)
{
	struct stat st;

	return fstatat(frame->fd, ".", &st, 0) == 0 ? 0 : errno;
}

int hp_read_link(int fd, const char *name, char **bytes, size_t *room, size_t *length)
{
	for (;;) {
		ssize_t got;

		if (!hp_walk_grow(bytes, room, 256))
			return ENOMEM;
		got = readlinkat(fd, name, *bytes, *room - 1);
		if (got < 0)
			return errno;
		if ((size_t)got < *room - 1) {
			(*bytes)[got] = 0;
			*length = (size_t)got;
			return 0;
		}
		if (!hp_walk_grow(bytes, room, *room * 2))
			return ENOMEM;
	}
}

static int open_path(hp_lane *lane, int dir_fd, const char *name, int flags)
{
	const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC | (unsigned)flags,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};

	for (;;) {
		long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno == EAGAIN || errno == EINTR)
			continue;
		if ((errno == EMFILE || errno == ENFILE) && hp_handles_relieve(lane->home))
			continue;
		return -errno;
	}
}

/* Policy's word on a component whose canonical path is the walk's first `length` bytes. */
static uint32_t share_of(hp_lane *lane, uint32_t inherited, size_t length, int fd, const char *name,
			 const struct hpw_attr *attr)
{
	hp_home *home = lane->home;

	if (hp_home_device(home, fd, name, attr->dev) == HP_DEVICE_PROC)
		return HP_SHARE_HIDE;
	if (hp_policy_is_secret(&home->policy, attr->dev, attr->ino) &&
	    !hp_policy_is_rule(&home->policy, lane->walk.path, length))
		return HP_SHARE_HIDE;
	return hp_policy_child(&home->policy, inherited, lane->walk.path, length);
}

/* Below a hidden directory nothing exists but what leads to something shared. */
static bool is_veiled(hp_lane *lane, const struct hp_frame *dir, size_t length)
{
	const struct hp_policy *policy = &lane->home->policy;

	if (dir->share != HP_SHARE_HIDE)
		return false;
	return hp_policy_child(policy, HP_SHARE_HIDE, lane->walk.path, length) == HP_SHARE_HIDE &&
	       !hp_policy_shares_below(policy, lane->walk.path, length);
}

static int refuse_top(hp_lane *lane)
{
	const struct hp_frame *dir = hp_walk_top(&lane->walk);

	return hp_may_read(lane, dir->fd, hp_walk_path(&lane->walk, dir->path_len), HP_SHARE_HIDE);
}

int hp_walk_check_veil(hp_lane *lane, size_t length)
{
	return is_veiled(lane, hp_walk_top(&lane->walk), length) ? refuse_top(lane) : 0;
}

/* An O_PATH handle and its attributes. A directory that autofs keeps free for a mount
 * is mounted on when it is opened as a directory. */
static int open_step(hp_lane *lane, int dir_fd, const char *name, struct hp_step *step)
{
	for (int flags = 0;; flags = O_DIRECTORY) {
		int error;

		step->fd = open_path(lane, dir_fd, name, flags);
		if (step->fd < 0)
			return -step->fd;
		error = hp_attr_read(lane->home, step->fd, "", &step->attr);
		if (error == 0 && (flags != 0 || !S_ISDIR(step->attr.mode) ||
				   hp_home_device(lane->home, step->fd, "", step->attr.dev) != HP_DEVICE_AUTOFS))
			return 0;
		close(step->fd);
		step->fd = -1;
		if (error != 0)
			return error;
	}
}

int hp_walk_step(hp_lane *lane, const char *name, size_t length, bool want_handle, struct hp_step *step)
{
	struct hp_frame *dir = hp_walk_top(&lane->walk);
	int fd = dir->fd, error;

	step->fd = -1;
	if (is_veiled(lane, dir, length))
		return refuse_top(lane);
	if (want_handle) {
		error = open_step(lane, dir->fd, name, step);
		fd = step->fd;
		name = "";
	} else {
		error = hp_attr_read(lane->home, fd, name, &step->attr);
	}
	if (error != 0)
		return error;
	step->share = share_of(lane, dir->share, length, fd, name, &step->attr);
	hp_attr_limit(lane->home, fd, name, step->share, &step->attr);
	return 0;
}

/* What has to be hidden is not walked through, unless something shared lies below. */
int hp_walk_may_pass(hp_lane *lane, const struct hp_step *step, size_t length)
{
	const struct hp_walk *walk = &lane->walk;

	if (step->share != HP_SHARE_HIDE)
		return 0;
	if (S_ISDIR(step->attr.mode) && hp_policy_shares_below(&lane->home->policy, walk->path, length))
		return 0;
	return hp_may_read(lane, step->fd, hp_walk_path(walk, length), HP_SHARE_HIDE);
}

int hp_walk_look(hp_lane *lane, struct hp_found *found)
{
	struct hp_step step;
	int error = hp_walk_step(lane, found->name, found->path.length, true, &step);

	if (error != 0)
		return error;
	found->fd = step.fd;
	found->share = step.share;
	found->attr = step.attr;
	return 0;
}
