/* The walk: from a path to an object, one component at a time, from held handles.
 *
 * The directories on the way stay open and with their attributes until the batch
 * ends or a name changes, so that requests for neighbours begin where the last
 * one stopped. Nothing outlives a batch.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define FRAMES_HELD 256u /* descriptors of one walk: deeper paths close those in the middle */

struct step { /* one component, looked at */
	int fd; /* O_PATH or -1 */
	uint32_t share;
	struct hpw_attr attr;
};

static bool grow(char **bytes, size_t *room, size_t want)
{
	size_t larger = *room ? *room : 1024;
	char *moved;

	if (want <= *room)
		return true;
	while (larger < want)
		larger *= 2;
	moved = realloc(*bytes, larger);
	if (moved == NULL)
		return false;
	*bytes = moved;
	*room = larger;
	return true;
}

static struct hp_frame *top_of(struct hp_walk *walk)
{
	return &walk->frames[walk->depth - 1];
}

static void pop(struct hp_walk *walk)
{
	struct hp_frame *top = top_of(walk);

	if (top->fd >= 0 && walk->depth > 1)
		close(top->fd);
	walk->depth--;
	if (walk->emitted > walk->depth)
		walk->emitted = walk->depth;
}

static void forget(struct hp_walk *walk)
{
	while (walk->depth > 0)
		pop(walk);
}

int hp_walk_init(struct hp_walk *walk)
{
	walk->room = 32;
	walk->frames = calloc(walk->room, sizeof(*walk->frames));
	if (walk->frames == NULL || !grow(&walk->path, &walk->path_room, 1024))
		return -ENOMEM;
	return 0;
}

void hp_walk_free(struct hp_walk *walk)
{
	forget(walk);
	free(walk->frames);
	free(walk->path);
	free(walk->rest);
	free(walk->spare);
	free(walk->link);
}

void hp_walk_reset(hp_lane *lane)
{
	forget(&lane->walk);
	forget(&lane->other);
}

void hp_walk_swap(hp_lane *lane)
{
	struct hp_walk walk = lane->walk;

	lane->walk = lane->other;
	lane->other = walk;
}

static int push(struct hp_walk *walk, int fd, uint32_t path_len, uint32_t share, const struct hpw_attr *attr)
{
	if (walk->depth == walk->room) {
		struct hp_frame *more = realloc(walk->frames, 2 * (size_t)walk->room * sizeof(*more));

		if (more == NULL) {
			close(fd);
			return ENOMEM;
		}
		walk->frames = more;
		walk->room *= 2;
	}
	walk->frames[walk->depth++] =
		(struct hp_frame){ .fd = fd, .path_len = path_len, .share = share, .attr = *attr };
	if (walk->depth > FRAMES_HELD) {
		struct hp_frame *old = &walk->frames[walk->depth - FRAMES_HELD + 31];

		if (old->fd >= 0) {
			close(old->fd);
			old->fd = -1;
		}
	}
	return 0;
}

static struct hp_text path_at(const struct hp_walk *walk, size_t length)
{
	return (struct hp_text){ walk->path, length };
}

static int begin(hp_lane *lane)
{
	struct hp_walk *walk = &lane->walk;
	hp_home *home = lane->home;
	uint64_t generation = home->generation;
	struct hpw_attr attr;
	uint32_t share;
	int error;

	if (walk->generation != generation)
		forget(walk);
	walk->generation = generation;
	walk->emitted = 0;
	if (walk->depth > 0)
		return 0;
	error = hp_attr_read(home, home->root_fd, "", &attr);
	if (error != 0)
		return error;
	share = hp_policy_child(&home->policy, home->policy.fallback, "", 0);
	hp_attr_limit(home, home->root_fd, "", share, &attr);
	return push(walk, home->root_fd, 0, share, &attr);
}

static void emit_frames(hp_lane *lane, unsigned flags)
{
	struct hp_walk *walk = &lane->walk;

	if (!(flags & HP_WALK_EMIT))
		return;
	for (; walk->emitted < walk->depth; walk->emitted++) {
		struct hp_frame *frame = &walk->frames[walk->emitted];

		hp_entry(lane, 0, path_at(walk, frame->path_len), hp_no_text(), &frame->attr);
	}
}

static size_t name_length(const char *at)
{
	return strcspn(at, "/");
}

/* Goes to the deepest directory held that lies on the absolute path `rest`. Only a
 * component with another behind it: the last one is always looked at anew. */
static const char *skip_held(struct hp_walk *walk, const char *rest)
{
	unsigned depth = 1;

	for (;;) {
		size_t start, length;
		const char *behind;

		rest += strspn(rest, "/");
		length = name_length(rest);
		behind = rest + length + strspn(rest + length, "/");
		if (depth >= walk->depth || walk->frames[depth].fd < 0 || *behind == 0)
			break;
		start = walk->frames[depth - 1].path_len + 1;
		if (walk->frames[depth].path_len - start != length || memcmp(walk->path + start, rest, length) != 0)
			break;
		rest = behind;
		depth++;
	}
	while (walk->depth > depth)
		pop(walk);
	return rest;
}

/* `.` and `..` need search permission, as any name does. */
static int may_search(const struct hp_frame *frame)
{
	struct stat st;

	return fstatat(frame->fd, ".", &st, 0) == 0 ? 0 : errno;
}

int hp_read_link(int fd, const char *name, char **bytes, size_t *room, size_t *length)
{
	for (;;) {
		ssize_t got;

		if (!grow(bytes, room, 256))
			return ENOMEM;
		got = readlinkat(fd, name, *bytes, *room - 1);
		if (got < 0)
			return errno;
		if ((size_t)got < *room - 1) {
			(*bytes)[got] = 0;
			*length = (size_t)got;
			return 0;
		}
		if (!grow(bytes, room, *room * 2))
			return ENOMEM;
	}
}

static int open_path(hp_lane *lane, int dir_fd, const char *name)
{
	const struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };

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

	if (hp_home_is_proc(home, fd, name, attr->dev))
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
	const struct hp_frame *dir = top_of(&lane->walk);

	return hp_may_read(lane, dir->fd, path_at(&lane->walk, dir->path_len), HP_SHARE_HIDE);
}

static int look(hp_lane *lane, const char *name, size_t length, bool want_handle, struct step *step)
{
	struct hp_frame *dir = top_of(&lane->walk);
	int fd = dir->fd, error;

	step->fd = -1;
	if (is_veiled(lane, dir, length))
		return refuse_top(lane);
	if (want_handle) {
		fd = open_path(lane, dir->fd, name);
		if (fd < 0)
			return -fd;
		step->fd = fd;
		name = "";
	}
	error = hp_attr_read(lane->home, fd, name, &step->attr);
	if (error != 0) {
		if (step->fd >= 0)
			close(step->fd);
		step->fd = -1;
		return error;
	}
	step->share = share_of(lane, dir->share, length, fd, name, &step->attr);
	hp_attr_limit(lane->home, fd, name, step->share, &step->attr);
	return 0;
}

/* What has to be hidden is not walked through, unless something shared lies below. */
static int may_pass(hp_lane *lane, const struct step *step, size_t length)
{
	const struct hp_walk *walk = &lane->walk;

	if (step->share != HP_SHARE_HIDE)
		return 0;
	if (S_ISDIR(step->attr.mode) && hp_policy_shares_below(&lane->home->policy, walk->path, length))
		return 0;
	return hp_may_read(lane, step->fd, path_at(walk, length), HP_SHARE_HIDE);
}

/* rest = link text, then `behind`. */
static int expand(struct hp_walk *walk, const char *behind, bool slash, const char **rest)
{
	size_t behind_len = strlen(behind), at = walk->link_len;
	char *bytes;
	size_t room;

	if (walk->link_len == 0)
		return ENOENT;
	if (walk->link_len + behind_len > HPW_MAX_PATH)
		return ENAMETOOLONG;
	if (!grow(&walk->spare, &walk->spare_room, walk->link_len + behind_len + 2))
		return ENOMEM;
	memcpy(walk->spare, walk->link, walk->link_len);
	if (slash)
		walk->spare[at++] = '/';
	memcpy(walk->spare + at, behind, behind_len + 1);
	bytes = walk->spare;
	room = walk->spare_room;
	walk->spare = walk->rest;
	walk->spare_room = walk->rest_room;
	walk->rest = bytes;
	walk->rest_room = room;
	*rest = walk->link[0] == '/' ? skip_held(walk, bytes) : bytes;
	return 0;
}

/* The handle of this directory was closed because the path is so deep: start again. */
static int return_to_parked(struct hp_walk *walk, const char *behind, const char **rest)
{
	size_t length = top_of(walk)->path_len;

	if (!grow(&walk->link, &walk->link_room, length + 1))
		return ENOMEM;
	memcpy(walk->link, walk->path, length);
	walk->link_len = length;
	while (walk->depth > 1)
		pop(walk);
	return expand(walk, behind, true, rest);
}

static void found_top(struct hp_walk *walk, struct hp_found *found)
{
	struct hp_frame *top = top_of(walk);

	*found = (struct hp_found){
		.fd = top->fd,
		.parent_fd = walk->depth > 1 ? walk->frames[walk->depth - 2].fd : top->fd,
		.name = "",
		.path = path_at(walk, top->path_len),
		.share = top->share,
		.parent_share = walk->depth > 1 ? walk->frames[walk->depth - 2].share : top->share,
		.directory = true,
		.attr = top->attr,
	};
}

/* Whatever the way was (`..`, a symlink to the root), the last entry is the object. */
static void emit_last(hp_lane *lane, const struct hp_found *found)
{
	const struct hp_reply *reply = &lane->reply;
	const struct hpw_entry *entry = (const struct hpw_entry *)(reply->bytes + reply->last_entry);
	struct hp_text path = found->path.length != 0 ? found->path : (struct hp_text){ "/", 1 };

	if (reply->failed || (reply->last_entry != 0 && entry->path_len == path.length &&
			      memcmp(entry + 1, path.bytes, path.length) == 0))
		return;
	hp_entry(lane, 0, found->path, hp_no_text(), &found->attr);
}

static int walk_on(hp_lane *lane, const char *rest, unsigned flags, struct hp_found *found)
{
	struct hp_walk *walk = &lane->walk;
	unsigned links = 0;

	for (;;) {
		struct hp_frame *top = top_of(walk);
		size_t length, path_len;
		const char *behind;
		char *name;
		bool slash, last;
		struct step step;
		int error;

		emit_frames(lane, flags);
		if (lane->reply.failed)
			return ENOMEM;
		rest += strspn(rest, "/");
		if (*rest == 0) {
			if (flags & HP_WALK_PARENT)
				return EEXIST;
			found_top(walk, found);
			if (flags & HP_WALK_EMIT)
				emit_last(lane, found);
			return 0;
		}
		length = name_length(rest);
		behind = rest + length + strspn(rest + length, "/");
		slash = behind != rest + length;
		last = *behind == 0;

		if (rest[0] == '.' && (length == 1 || (length == 2 && rest[1] == '.')) &&
		    !(last && (flags & HP_WALK_PARENT))) {
			error = may_search(top);
			if (error != 0)
				return error;
			if (length == 2 && walk->depth > 1)
				pop(walk);
			rest = behind;
			if (top_of(walk)->fd < 0) {
				if (++links > HP_LINKS_MAX)
					return ELOOP;
				error = return_to_parked(walk, behind, &rest);
				if (error != 0)
					return error;
			}
			continue;
		}
		if (length > HP_NAME_MAX)
			return ENAMETOOLONG;
		path_len = top->path_len + 1 + length;
		if (path_len > HPW_MAX_PATH)
			return ENAMETOOLONG;
		if (!grow(&walk->path, &walk->path_room, path_len + 1))
			return ENOMEM;
		name = walk->path + top->path_len + 1;
		name[-1] = '/';
		memcpy(name, rest, length);
		name[length] = 0;
		*found = (struct hp_found){
			.fd = -1,
			.parent_fd = top->fd,
			.name = name,
			.name_len = length,
			.path = path_at(walk, path_len),
			.parent_share = top->share,
			.slash = slash,
		};
		if (last && (flags & HP_WALK_PARENT)) {
			found->share = hp_policy_child(&lane->home->policy, top->share, walk->path, path_len);
			return is_veiled(lane, top, path_len) ? refuse_top(lane) : 0;
		}

		error = look(lane, name, path_len, !last || slash || (flags & HP_WALK_HANDLE), &step);
		if (error != 0) {
			if (error == ENOENT && (flags & HP_WALK_EMIT))
				hp_entry(lane, HPW_E_ABSENT, found->path, hp_no_text(), NULL);
			return error;
		}
		if (S_ISLNK(step.attr.mode)) {
			bool stop = last && !slash && (flags & HP_WALK_NOFOLLOW);

			error = hp_read_link(step.fd >= 0 ? step.fd : top->fd, step.fd >= 0 ? "" : name, &walk->link,
					     &walk->link_room, &walk->link_len);
			if (error == EINVAL) { /* it became something else meanwhile */
				if (step.fd >= 0)
					close(step.fd);
				continue;
			}
			if (error == 0 && (flags & HP_WALK_EMIT))
				hp_entry(lane, 0, found->path, (struct hp_text){ walk->link, walk->link_len },
					 &step.attr);
			if (error == 0 && !stop)
				error = may_pass(lane, &step, path_len);
			if (error == 0 && !stop && ++links > HP_LINKS_MAX)
				error = ELOOP;
			if (error != 0 || !stop) {
				if (step.fd >= 0)
					close(step.fd);
				if (error == 0)
					error = expand(walk, behind, slash, &rest);
				if (error != 0)
					return error;
				continue;
			}
		} else if (S_ISDIR(step.attr.mode) && step.fd >= 0) {
			error = last ? 0 : may_pass(lane, &step, path_len);
			if (error == 0) {
				error = push(walk, step.fd, (uint32_t)path_len, step.share, &step.attr);
				if (error != 0)
					return error;
				rest = behind;
				continue;
			}
			if (flags & HP_WALK_EMIT)
				hp_entry(lane, 0, found->path, hp_no_text(), &step.attr);
			close(step.fd);
			return error;
		} else if (flags & HP_WALK_EMIT) {
			hp_walk_emit_content(lane, 0, found->path, top->fd, name, step.share, &step.attr,
					     last && !slash ? lane->inline_limit : SIZE_MAX, NULL);
		}
		if ((!last || slash) && !S_ISLNK(step.attr.mode)) {
			if (step.fd >= 0)
				close(step.fd);
			return ENOTDIR;
		}
		found->fd = step.fd;
		found->share = step.share;
		found->attr = step.attr;
		return 0;
	}
}

int hp_walk(hp_lane *lane, struct hp_text path, unsigned flags, struct hp_found *found)
{
	struct hp_walk *walk = &lane->walk;
	int error;

	*found = (struct hp_found){ .fd = -1, .parent_fd = -1 };
	if (path.length == 0)
		return ENOENT;
	if (path.length > HPW_MAX_PATH)
		return ENAMETOOLONG;
	error = begin(lane);
	if (error != 0)
		return error;
	if (!grow(&walk->rest, &walk->rest_room, path.length + 1))
		return ENOMEM;
	memcpy(walk->rest, path.bytes, path.length);
	walk->rest[path.length] = 0;
	return walk_on(lane, skip_held(walk, walk->rest), flags, found);
}

int hp_walk_look(hp_lane *lane, struct hp_found *found)
{
	struct step step;
	int error = look(lane, found->name, found->path.length, true, &step);

	if (error != 0)
		return error;
	found->fd = step.fd;
	found->share = step.share;
	found->attr = step.attr;
	return 0;
}

void hp_found_release(struct hp_found *found)
{
	if (found->fd >= 0 && !found->directory)
		close(found->fd);
	found->fd = -1;
}
