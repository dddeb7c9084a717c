/* The walk: from a path to an object, one component at a time, from held handles.
 *
 * The directories on the way stay open and with their attributes until the batch
 * ends or a name changes, so that requests for neighbours begin where the last
 * one stopped. Nothing outlives a batch.
 */
#define _GNU_SOURCE
#include "walk.h"

struct way { /* where a walk is */
	const char *rest;   /* from this component on */
	const char *behind; /* the next one */
	size_t length;
	unsigned flags, links;
	bool last, slash; /* of this component: nothing behind it; slashes behind it */
	bool stop;   /* found is complete */
};

static int begin(hp_lane *lane)
{
	struct hp_walk *walk = &lane->walk;
	hp_home *home = lane->home;
	uint64_t generation = home->generation;
	struct hpw_attr attr;
	uint32_t share;
	int error;

	if (walk->generation != generation)
		hp_walk_forget(walk);
	walk->generation = generation;
	walk->emitted = 0;
	if (walk->depth > 0)
		return 0;
	error = hp_attr_read(home, home->root_fd, "", &attr);
	if (error != 0)
		return error;
	share = hp_policy_child(&home->policy, home->policy.fallback, "", 0);
	hp_attr_limit(home, home->root_fd, "", share, &attr);
	return hp_walk_push(walk, home->root_fd, 0, share, &attr);
}

static void emit_frames(hp_lane *lane, unsigned flags)
{
	struct hp_walk *walk = &lane->walk;

	if (!(flags & HP_WALK_EMIT))
		return;
	for (; walk->emitted < walk->depth; walk->emitted++) {
		struct hp_frame *frame = &walk->frames[walk->emitted];

		hp_watch_add(lane->home, frame->fd, hp_walk_path(walk, frame->path_len), &frame->attr);
		hp_entry(lane, 0, hp_walk_path(walk, frame->path_len), hp_no_text(), &frame->attr);
	}
}

static void found_top(struct hp_walk *walk, struct hp_found *found)
{
	struct hp_frame *top = hp_walk_top(walk);

	*found = (struct hp_found){
		.fd = top->fd,
		.parent_fd = walk->depth > 1 ? walk->frames[walk->depth - 2].fd : top->fd,
		.name = "",
		.path = hp_walk_path(walk, top->path_len),
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

static int walk_dots(hp_lane *lane, struct way *way)
{
	struct hp_walk *walk = &lane->walk;
	int error = hp_walk_may_search(hp_walk_top(walk));

	if (error != 0)
		return error;
	if (way->length == 2 && walk->depth > 1)
		hp_walk_pop(walk);
	way->rest = way->behind;
	if (hp_walk_top(walk)->fd >= 0)
		return 0;
	if (++way->links > HP_LINKS_MAX)
		return ELOOP;
	return hp_walk_return(walk, way->behind, &way->rest);
}

/* Writes the component behind the canonical path so far. */
static int name_component(hp_lane *lane, const struct way *way, struct hp_found *found)
{
	struct hp_walk *walk = &lane->walk;
	const struct hp_frame *top = hp_walk_top(walk);
	size_t path_len = top->path_len + 1 + way->length;
	char *name;

	if (way->length > HP_NAME_MAX || path_len > HPW_MAX_PATH)
		return ENAMETOOLONG;
	if (!hp_walk_grow(&walk->path, &walk->path_room, path_len + 1))
		return ENOMEM;
	name = walk->path + top->path_len + 1;
	name[-1] = '/';
	memcpy(name, way->rest, way->length);
	name[way->length] = 0;
	*found = (struct hp_found){
		.fd = -1,
		.parent_fd = top->fd,
		.name = name,
		.name_len = way->length,
		.path = hp_walk_path(walk, path_len),
		.parent_share = top->share,
		.slash = way->slash,
	};
	return 0;
}

/* `way->stop`: it is the object itself. Otherwise its text is walked next. */
static int walk_symlink(hp_lane *lane, struct way *way, struct hp_found *found, struct hp_step *step)
{
	struct hp_walk *walk = &lane->walk;
	bool held = step->fd >= 0;
	int error;

	way->stop = way->last && !way->slash && (way->flags & HP_WALK_NOFOLLOW);
	if (way->stop && !(way->flags & HP_WALK_EMIT))
		return 0; /* nobody wants the text, and reading it would show in its atime */
	way->stop = false;
	error = hp_read_link(held ? step->fd : found->parent_fd, held ? "" : found->name, &walk->link, &walk->link_room,
			     &walk->link_len);
	if (error == EINVAL)
		return 0; /* it became something else meanwhile: look again */
	if (error != 0)
		return error;
	if (way->flags & HP_WALK_EMIT)
		hp_entry(lane, 0, found->path, (struct hp_text){ walk->link, walk->link_len }, &step->attr);
	way->stop = way->last && !way->slash && (way->flags & HP_WALK_NOFOLLOW);
	if (way->stop)
		return 0;
	error = hp_walk_may_pass(lane, step, found->path.length);
	if (error == 0 && ++way->links > HP_LINKS_MAX)
		error = ELOOP;
	return error != 0 ? error : hp_walk_expand(walk, way->behind, way->slash, &way->rest);
}

/* A directory that was opened: the walk goes on from it. Takes the handle over, unless it fails. */
static int walk_directory(hp_lane *lane, struct way *way, const struct hp_found *found, struct hp_step *step)
{
	int error = way->last ? 0 : hp_walk_may_pass(lane, step, found->path.length);

	if (error != 0) {
		if (way->flags & HP_WALK_EMIT)
			hp_entry(lane, 0, found->path, hp_no_text(), &step->attr);
		return error;
	}
	error = hp_walk_push(&lane->walk, step->fd, (uint32_t)found->path.length, step->share, &step->attr);
	step->fd = -1;
	way->rest = way->behind;
	return error;
}

static int walk_other(hp_lane *lane, struct way *way, struct hp_found *found, struct hp_step *step)
{
	bool is_object = way->last && !way->slash;

	if (way->flags & HP_WALK_EMIT)
		hp_walk_emit_content(lane, 0, found->path, found->parent_fd, found->name, step->share, &step->attr,
				     is_object ? lane->inline_limit : SIZE_MAX, NULL);
	way->stop = is_object;
	return is_object ? 0 : ENOTDIR;
}

/* One component; found is complete when way->stop is set. */
static int walk_component(hp_lane *lane, struct way *way, struct hp_found *found)
{
	struct hp_step step;
	int error = name_component(lane, way, found);

	if (error != 0)
		return error;
	if (way->last && (way->flags & HP_WALK_PARENT)) {
		way->stop = true;
		found->share = hp_policy_child(&lane->home->policy, found->parent_share, found->path.bytes,
					       found->path.length);
		return hp_walk_check_veil(lane, found->path.length);
	}
	error = hp_walk_step(lane, found->name, found->path.length,
			     !way->last || way->slash || (way->flags & HP_WALK_HANDLE), &step);
	if (error == ENOENT && (way->flags & HP_WALK_EMIT))
		hp_entry(lane, HPW_E_ABSENT, found->path, hp_no_text(), NULL);
	if (error != 0)
		return error;
	if (S_ISLNK(step.attr.mode))
		error = walk_symlink(lane, way, found, &step);
	else if (S_ISDIR(step.attr.mode) && step.fd >= 0)
		error = walk_directory(lane, way, found, &step);
	else
		error = walk_other(lane, way, found, &step);
	if (error != 0 || !way->stop) {
		if (step.fd >= 0)
			close(step.fd);
		return error;
	}
	found->fd = step.fd;
	found->share = step.share;
	found->attr = step.attr;
	return 0;
}

static int walk_on(hp_lane *lane, struct way *way, struct hp_found *found)
{
	size_t began = lane->reply.used;

	while (!way->stop) {
		bool is_dots;
		int error;

		emit_frames(lane, way->flags);
		if (lane->reply.failed)
			return ENOMEM;
		if (lane->reply.used - began > HP_RESOLVE_MAX)
			return ENAMETOOLONG;
		way->rest += strspn(way->rest, "/");
		if (*way->rest == 0) {
			if (way->flags & HP_WALK_PARENT)
				return EEXIST;
			found_top(&lane->walk, found);
			if (way->flags & HP_WALK_EMIT)
				emit_last(lane, found);
			return 0;
		}
		way->length = strcspn(way->rest, "/");
		way->behind = way->rest + way->length + strspn(way->rest + way->length, "/");
		way->slash = way->behind != way->rest + way->length;
		way->last = *way->behind == 0;
		is_dots = way->rest[0] == '.' && (way->length == 1 || (way->length == 2 && way->rest[1] == '.'));
		if (is_dots && !(way->last && (way->flags & HP_WALK_PARENT)))
			error = walk_dots(lane, way);
		else
			error = walk_component(lane, way, found);
		if (error != 0)
			return error;
	}
	return 0;
}

int hp_walk(hp_lane *lane, struct hp_text path, unsigned flags, struct hp_found *found)
{
	struct hp_walk *walk = &lane->walk;
	struct way way = { .flags = flags };
	int error;

	*found = (struct hp_found){ .fd = -1, .parent_fd = -1 };
	if (path.length == 0)
		return ENOENT;
	if (path.length > HPW_MAX_PATH)
		return ENAMETOOLONG;
	error = begin(lane);
	if (error != 0)
		return error;
	if (!hp_walk_grow(&walk->rest, &walk->rest_room, path.length + 1))
		return ENOMEM;
	memcpy(walk->rest, path.bytes, path.length);
	walk->rest[path.length] = 0;
	way.rest = hp_walk_skip_held(walk, walk->rest);
	return walk_on(lane, &way, found);
}

void hp_found_release(struct hp_found *found)
{
	if (found->fd >= 0 && !found->directory)
		close(found->fd);
	found->fd = -1;
}
