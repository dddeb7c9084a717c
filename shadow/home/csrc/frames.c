/* The walk's memory: directories held on the way, the canonical path, what is still to be walked. */
#define _GNU_SOURCE
#include "walk.h"

#include <stdlib.h>

#define FRAMES_HELD 256u /* descriptors of one walk: deeper paths close those in the middle */

bool hp_walk_grow(char **bytes, size_t *room, size_t want)
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

void hp_walk_pop(struct hp_walk *walk)
{
	struct hp_frame *top = hp_walk_top(walk);

	if (top->fd >= 0 && walk->depth > 1)
		close(top->fd);
	walk->depth--;
	if (walk->emitted > walk->depth)
		walk->emitted = walk->depth;
}

void hp_walk_forget(struct hp_walk *walk)
{
	while (walk->depth > 0)
		hp_walk_pop(walk);
}

int hp_walk_init(struct hp_walk *walk)
{
	walk->room = 32;
	walk->frames = calloc(walk->room, sizeof(*walk->frames));
	if (walk->frames == NULL || !hp_walk_grow(&walk->path, &walk->path_room, 1024))
		return -ENOMEM;
	return 0;
}

void hp_walk_free(struct hp_walk *walk)
{
	hp_walk_forget(walk);
	free(walk->frames);
	free(walk->path);
	free(walk->rest);
	free(walk->spare);
	free(walk->link);
}

void hp_walk_reset(hp_lane *lane)
{
	hp_walk_forget(&lane->walk);
	hp_walk_forget(&lane->other);
}

void hp_walk_swap(hp_lane *lane)
{
	struct hp_walk walk = lane->walk;

	lane->walk = lane->other;
	lane->other = walk;
}

int hp_walk_push(struct hp_walk *walk, int fd, uint32_t path_len, uint32_t share, const struct hpw_attr *attr)
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

/* Goes to the deepest directory held that lies on the absolute path `rest`. Only a
 * component with another behind it: the last one is always looked at anew. */
const char *hp_walk_skip_held(struct hp_walk *walk, const char *rest)
{
	unsigned depth = 1;

	for (;;) {
		size_t start, length;
		const char *behind;

		rest += strspn(rest, "/");
		length = strcspn(rest, "/");
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
		hp_walk_pop(walk);
	return rest;
}

/* rest = link text, then `behind`. */
int hp_walk_expand(struct hp_walk *walk, const char *behind, bool slash, const char **rest)
{
	size_t behind_len = strlen(behind), at = walk->link_len;
	char *bytes;
	size_t room;

	if (walk->link_len == 0)
		return ENOENT;
	if (walk->link_len + behind_len > HPW_MAX_PATH)
		return ENAMETOOLONG;
	if (!hp_walk_grow(&walk->spare, &walk->spare_room, walk->link_len + behind_len + 2))
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
	*rest = walk->link[0] == '/' ? hp_walk_skip_held(walk, bytes) : bytes;
	return 0;
}

/* The handle of this directory was closed because the path is so deep: start again. */
int hp_walk_return(struct hp_walk *walk, const char *behind, const char **rest)
{
	size_t length = hp_walk_top(walk)->path_len;

	if (!hp_walk_grow(&walk->link, &walk->link_room, length + 1))
		return ENOMEM;
	memcpy(walk->link, walk->path, length);
	walk->link_len = length;
	while (walk->depth > 1)
		hp_walk_pop(walk);
	return hp_walk_expand(walk, behind, true, rest);
}
