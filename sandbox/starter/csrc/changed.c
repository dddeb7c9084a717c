/* Freshness: somebody else changed names at home. What the mirror has of them
 * goes at once, so that the job's next use faults; and home is asked again, so
 * that mostly the answer is there before the job is.
 */
#define _GNU_SOURCE
#include "internal.h"

struct question {
	struct hp_object *parent;
	size_t length;
	char text[];
};

/* The answer for one name of a directory: when it was the last one on its way, the
 * directory's names are all known again; unless it has moved meanwhile, and the answer
 * was about another place. */
static void apply_again(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			const uint8_t *body, size_t length)
{
	struct question *question = pending->context;
	struct hp_object *parent = question->parent;
	struct hp_name *name;

	hp_apply_entries(engine, pending, reply, body, length);
	if (reply->flags & HPW_MORE)
		return;
	engine->answered++;
	name = hp_tree_peek(engine, parent, question->text, question->length);
	if ((name && name->unknown) || (reply->error && reply->error != ENOENT))
		parent->was_listed = parent->known = false;
	free(question);
	if (--parent->unsure > 0 || !parent->was_listed)
		return;
	parent->was_listed = false;
	parent->listed = true;
	hp_mirror_permit(engine, parent);
	hp_mirror_publish(engine, parent);
}

static struct hp_object *known_directory(hp_engine *engine, const char *path, size_t length)
{
	char *text = strndup(path, length);
	struct hp_where where;
	bool known = length == 0 || hp_resolve_known(engine, text, &where);
	struct hp_object *directory = length == 0 ? engine->root : known ? where.object : NULL;

	free(text);
	return directory && directory->kind == HP_DIR && !directory->local ? directory : NULL;
}

/* Until the answer has come nothing is known of the name. False: leave it be. */
static bool make_unknown(hp_engine *engine, struct hp_object *parent, const char *text, size_t length)
{
	struct hp_name *name = hp_tree_peek(engine, parent, text, length);
	struct hp_object *object = name ? name->object : NULL;

	if (!name && !parent->known && !parent->listed && !parent->was_listed)
		return false;
	if ((name && name->behind) || (object && !object->local && hp_file_has_dirty(engine, object))) {
		name->doubtful = true;
		return false;
	}
	if (object && object->local)
		return false;
	if (object && object->kind == HP_DIR)
		return true; /* what is below stays; its attributes come */
	if (parent->listed) {
		parent->listed = false;
		parent->was_listed = true;
		hp_mirror_permit(engine, parent);
		hp_mirror_publish(engine, parent); /* first: a name that is missing in a listed directory is final */
	}
	if (object && !hp_renewable(object) && !object->written) /* else it may be news of the job's own writing */
		hp_mirror_drop(engine, name);
	name = hp_tree_put(engine, parent, text, length);
	hp_tree_withdraw(name);
	name->unknown = true;
	return true;
}

static void ask(hp_engine *engine, struct hp_object *parent, const char *path, size_t length)
{
	struct hp_pending *pending = calloc(1, sizeof *pending);
	const char *text = (const char *)memrchr(path, '/', length) + 1;
	struct question *question = malloc(sizeof *question + length);

	question->parent = parent;
	question->length = length - (size_t)(text - path);
	memcpy(question->text, text, question->length);
	parent->unsure++;
	engine->asked++;
	*pending = (struct hp_pending){ .apply = apply_again, .context = question, .detached = true };
	hp_wire_send(
		engine, HP_LANE_WAIT, pending,
		&(struct hp_request){ .head = { .op = HPW_RESOLVE, .flags = HPW_NOFOLLOW, .len1 = (uint32_t)length },
				      .string1 = path });
	if (pending->done) { /* the link is gone */
		free(question);
		free(pending);
	}
}

/* News came while the job was changing it; now nothing of that is on its way. */
void hp_ask_doubtful(hp_engine *engine, struct hp_name *name)
{
	char *path = hp_name_path(name->parent, name->text, name->length);

	name->doubtful = false;
	ask(engine, name->parent, path, strlen(path));
	free(path);
}

static void ask_again(hp_engine *engine, const struct hpw_entry *entry)
{
	const char *path = (const char *)(entry + 1);
	size_t length = entry->path_len, cut = length;
	struct hp_object *parent;

	while (cut > 0 && path[cut - 1] != '/')
		cut--;
	if (length == 0 || path[0] != '/' || cut == length || length - cut > 255 || memchr(path, 0, length))
		return;
	parent = known_directory(engine, path, cut - 1);
	if (!parent || !make_unknown(engine, parent, path + cut, length - cut))
		return;
	ask(engine, parent, path, length);
}

void hp_apply_changes(hp_engine *engine, const uint8_t *body, size_t length)
{
	const uint8_t *end = body + length;
	const struct hpw_entry *entry;

	engine->names_altered++;
	while ((entry = hp_wire_entry(&body, end)))
		ask_again(engine, entry);
}

/* Who has just got what people use as a lock sees what was changed under it: home told of
 * that first, and it is asked for again. Questions are answered in order, so counting is enough. */
void hp_changes_await(hp_engine *engine)
{
	hp_wait_count(engine, &engine->answered, engine->asked, HP_WAIT_NEWS);
}
