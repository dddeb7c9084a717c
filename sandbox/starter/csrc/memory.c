/* Memory of former runs: what this job asked home for, as text, and asking for
 * all of it at once the next time the same program starts.
 *
 * A line a question: R, a name; C, a name and its small content; L, a
 * directory's names; B, a program or library with what it needs; then a space and the path. What the replay brings is
 * applied like any answer, so a wrong or old memory costs bytes and nothing
 * else. Paths with a newline are not remembered.
 */
#define _GNU_SOURCE
#include "internal.h"

#define MOST_BYTES (1u << 20) /* of remembered text */
#define MOST_CONTENT (64u << 20)

void hp_remember(hp_engine *engine, char kind, const char *path, size_t length)
{
	struct hp_memory *memory = &engine->memory;

	if (memory->length + length + 3 > MOST_BYTES || memchr(path, '\n', length))
		return;
	if (memory->length + length + 3 > memory->room) {
		memory->room = memory->room * 2 + length + 4096;
		memory->text = realloc(memory->text, memory->room);
	}
	memory->text[memory->length++] = kind;
	memory->text[memory->length++] = ' ';
	memcpy(memory->text + memory->length, path, length);
	memory->length += length;
	memory->text[memory->length++] = '\n';
}

long hp_engine_remembered(hp_engine *engine, char *buffer, size_t room)
{
	long length;

	pthread_mutex_lock(&engine->lock);
	length = (long)engine->memory.length;
	if ((size_t)length <= room && length)
		memcpy(buffer, engine->memory.text, (size_t)length);
	pthread_mutex_unlock(&engine->lock);
	return length;
}

/* A directory to be listed must be in the tree when its names come. */
struct recall {
	struct hp_pending pending;
	struct recall *next;
	char path[];
};

static void apply_recalled_list(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
				const uint8_t *body, size_t length)
{
	struct recall *recall = pending->context;
	struct hp_where where;

	/* the RESOLVE of this directory went before: it is known, or not there */
	if (hp_resolve_known(engine, recall->path, &where) && where.object->kind == HP_DIR && !where.object->local)
		hp_apply_listing(engine, where.object, reply, body, length);
}

static struct recall *ask_again(hp_engine *engine, uint16_t op, uint16_t flags, const char *path, size_t length)
{
	struct recall *recall = calloc(1, sizeof *recall + length + 1);

	memcpy(recall->path, path, length);
	recall->pending.apply = op == HPW_LIST   ? apply_recalled_list :
				op == HPW_BUNDLE ? hp_apply_bundle :
						   hp_apply_entries;
	recall->pending.context = recall;
	hp_wire_send(engine, HP_LANE_WAIT, &recall->pending,
		     &(struct hp_request){
			     .head = { .op = op, .flags = flags, .length = HP_INLINE_LIMIT, .len1 = (uint32_t)length },
			     .string1 = path });
	return recall;
}

/* Returns when everything has come, or the link is gone. Untrusted text: a line
 * that is none is passed over. */
void hp_engine_recall(hp_engine *engine, const char *text, size_t length)
{
	const char *end = text + length;
	struct recall *all = NULL, *next;

	pthread_mutex_lock(&engine->lock);
	while (text < end && !engine->failed) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t size = (size_t)((newline ? newline : end) - text);
		const char *path = text + 2;

		if (size > 3 && size < 4096 && text[1] == ' ' && path[0] == '/' && !memchr(text, 0, size) &&
		    engine->stats.bytes_in < MOST_CONTENT) {
			uint16_t flags = text[0] == 'C' ? HPW_CONTENT : 0;

			next = ask_again(engine, text[0] == 'B' ? HPW_BUNDLE : HPW_RESOLVE, flags, path, size - 2);
			next->next = all;
			all = next;
			if (text[0] == 'L') {
				next = ask_again(engine, HPW_LIST, 0, path, size - 2);
				next->next = all;
				all = next;
			}
		}
		text += size + 1;
	}
	for (; all; all = next) {
		next = all->next;
		while (!all->pending.done)
			pthread_cond_wait(&engine->changed, &engine->lock);
		free(all);
	}
	pthread_mutex_unlock(&engine->lock);
}
