/* Freshness: somebody else changed names at home. What is known of them is
 * asked for again; until the answer is here the job sees what was. */
#define _GNU_SOURCE
#include "internal.h"

static void ask_again(hp_engine *engine, const struct hpw_entry *entry)
{
	const char *path = (const char *)(entry + 1);
	size_t length = entry->path_len, cut = length;
	struct hp_object *parent = engine->root;
	struct hp_pending *pending;
	struct hp_name *name;
	struct hp_where where;
	char *directory;

	while (cut > 0 && path[cut - 1] != '/')
		cut--;
	if (length == 0 || path[0] != '/' || cut == length || memchr(path, 0, length))
		return;
	if (cut > 1) {
		directory = strndup(path, cut - 1);
		parent = hp_resolve_known(engine, directory, &where) ? where.object : NULL;
		free(directory);
	}
	if (!parent || parent->kind != HP_DIR || parent->local)
		return;
	name = hp_tree_find(engine, parent, path + cut, length - cut);
	if (!name && !parent->listed)
		return;
	if (name && name->object &&
	    (name->object->local || (name->object->file && hp_file_has_dirty(engine, name->object))))
		return;
	pending = calloc(1, sizeof *pending);
	*pending = (struct hp_pending){ .apply = hp_apply_entries, .detached = true };
	hp_wire_send(
		engine, HP_LANE_WAIT, pending,
		&(struct hp_request){ .head = { .op = HPW_RESOLVE, .flags = HPW_NOFOLLOW, .len1 = (uint32_t)length },
				      .string1 = path });
	if (pending->done)
		free(pending);
}

void hp_apply_changes(hp_engine *engine, const uint8_t *body, size_t length)
{
	const uint8_t *end = body + length;
	const struct hpw_entry *entry;

	while ((entry = hp_wire_entry(&body, end)))
		ask_again(engine, entry);
}
