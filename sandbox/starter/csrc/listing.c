/* All names of a directory. The mirror gets few at once; of many only those
 * that are used, until the job reads the directory, or looks for so many names
 * that are not there that answering without the engine pays.
 */
#define _GNU_SOURCE
#include "internal.h"

#define AT_ONCE 256
#define MOST_TRIES 64

static int show_names(hp_engine *engine, struct hp_object *directory)
{
	for (struct hp_name *name = directory->children; name; name = name->next_in_parent)
		if (name->offer) {
			int error = hp_tree_accept(engine, name);

			if (error)
				return error;
		}
	directory->listed = true;
	hp_mirror_permit(engine, directory);
	hp_mirror_publish(engine, directory);
	return 0;
}

void hp_apply_listing(hp_engine *engine, struct hp_object *directory, const struct hpw_reply *reply,
		      const uint8_t *body, size_t length)
{
	const uint8_t *end = body + length;
	const struct hpw_entry *entry;
	bool complete = false;

	(void)reply;
	while (body && (entry = hp_wire_entry(&body, end))) {
		if (entry->flags & HPW_E_COMPLETE)
			complete = true;
		if (entry->flags & HPW_E_SELF) { /* first of all; another directory may have taken the path meanwhile */
			directory->misled = entry->attr.ino != directory->attr.ino && directory->attr.ino;
			hp_apply_entry(engine, entry);
		} else if (entry->path_len && !directory->misled) {
			hp_apply_child(engine, directory, entry);
		}
	}
	if (!complete || directory->misled || (!directory->name && !directory->is_root))
		return;
	directory->known = true;
	if (directory->offers <= AT_ONCE && !directory->unsure && !directory->ahead)
		show_names(engine, directory);
}

static void apply_listing(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			  const uint8_t *body, size_t length)
{
	hp_apply_listing(engine, pending->context, reply, body, length);
}

/* Of many names that the job did not read the next run need not have all: those it looked for are
 * remembered one by one (resolve.c). */
static void remember_listing(hp_engine *engine, const struct hp_object *directory)
{
	char *path = directory->listed ? hp_object_path(directory) : NULL;

	if (path)
		hp_remember(engine, 'L', path, strlen(path));
	free(path);
}

static void apply_behind(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	struct hp_object *directory = pending->context;

	hp_apply_listing(engine, directory, reply, body, length);
	if (reply->flags & HPW_MORE)
		return;
	directory->filling = false;
	remember_listing(engine, directory);
}

void hp_list_behind(hp_engine *engine, struct hp_object *directory)
{
	char *path = directory->filling || directory->listed || directory->known ? NULL : hp_object_path(directory);
	struct hp_pending *pending;

	if (!path || !(directory->attr.access & 4)) {
		free(path);
		return;
	}
	pending = calloc(1, sizeof *pending);
	*pending = (struct hp_pending){ .apply = apply_behind, .context = directory, .detached = true };
	directory->filling = true;
	hp_wire_send(
		engine, HP_LANE_WAIT, pending,
		&(struct hp_request){ .head = { .op = HPW_LIST, .len1 = (uint32_t)strlen(path) }, .string1 = path });
	free(path);
	if (pending->done) {
		directory->filling = false;
		free(pending);
	}
}

/* One question; -EAGAIN: the directory moved on the way there. */
static int ask_for_names(hp_engine *engine, struct hp_object *directory, bool show)
{
	struct hp_pending pending = { .apply = apply_listing, .context = directory };
	char *path = hp_object_path(directory), *now;
	bool moved;
	int error;

	if (!path)
		return -ENOENT;
	directory->filling = true;
	hp_wire_send(
		engine, HP_LANE_WAIT, &pending,
		&(struct hp_request){ .head = { .op = HPW_LIST, .len1 = (uint32_t)strlen(path) }, .string1 = path });
	if (show)
		hp_ahead_of(engine, directory);
	error = hp_wire_wait(engine, &pending);
	directory->filling = false;
	pthread_cond_broadcast(&engine->changed);
	now = hp_object_path(directory);
	moved = now && strcmp(now, path) != 0;
	free(now);
	free(path);
	if (moved && (error == ENOENT || error == ENOTDIR))
		return -EAGAIN;
	if (error)
		return -error;
	if (!directory->known)
		return directory->misled ? -EAGAIN : -EIO;
	if (show && !directory->unsure)
		error = show_names(engine, directory);
	remember_listing(engine, directory);
	return error;
}

int hp_list(hp_engine *engine, struct hp_object *directory, bool show)
{
	int error, tries = 0;

	if (show && !directory->local)
		hp_statistics_ahead(engine, directory);
	if (show && directory->ahead) {
		hp_ahead_of(engine, directory);
		hp_wire_await_filled(engine, directory);
	}
	hp_wire_await_filled(engine, directory);
	while (!directory->listed && !directory->known && !directory->local && hp_await_recall(engine))
		;
	if (show)
		directory->walked = true;
	do {
		if (directory->listed || directory->local)
			return 0;
		if (directory->known && !show)
			return 0;
		if (directory->known && !directory->unsure) { /* else names changed, and the answers are on their way */
			error = show_names(engine, directory);
			remember_listing(engine, directory);
			return error;
		}
		error = ask_for_names(engine, directory, show);
	} while (error == -EAGAIN && ++tries < MOST_TRIES);
	return error;
}
