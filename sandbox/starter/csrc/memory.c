/* Memory of former runs: what this job asked home for, as text, and asking for
 * all of it at once the next time the same program starts. Small files' content
 * is kept too (pack.c) and used again if home still shows the same attributes.
 *
 * A line a question: R, a name; C, a name and its small content; N, a name, and
 * if it is a small directory then its names and a little content, which nobody waits for; L, a
 * directory's names; D, also their very small content; S, what statfs says of where that is; B, a program, a library
 * or another file that is kept by digest, with what it needs; then a space and
 * the path. What the replay brings is applied like any answer, so a wrong or
 * old memory costs bytes and nothing else. Paths with a newline are not
 * remembered.
 */
#define _GNU_SOURCE
#include "internal.h"

#define MOST_BYTES (1u << 20) /* of remembered text */
#define LIST_BUDGET (2u << 20) /* of content, for one directory */
#define LIST_CONTENT (4u << 10) /* of one file in it: the connection is new and slow */
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

struct line {
	char kind;
	const char *path;
	size_t length;
};

struct recall {
	struct hp_pending pending;
	struct recall *next;
	char path[];
};

/* Lines of untrusted text; one that is none is passed over. */
static struct line *parse(const char *text, size_t length, size_t *count)
{
	const char *end = text + length;
	size_t room = 0;
	struct line *lines;

	for (size_t i = 0; i < length; i++)
		room += text[i] == '\n';
	lines = calloc(room + 1, sizeof *lines);
	*count = 0;
	for (size_t i = 0; i < room; i++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t size = (size_t)(newline - text);

		if (size > 3 && size < 4096 && text[1] == ' ' && text[2] == '/' && !memchr(text, 0, size))
			lines[(*count)++] = (struct line){ text[0], text + 2, size - 2 };
		text = newline + 1;
	}
	return lines;
}

static int by_path(const void *a, const void *b)
{
	const struct line *one = a, *other = b;

	return hp_order(one->path, one->length, other->path, other->length);
}

/* The directories among them, sorted. */
static struct line *directories_of(const struct line *lines, size_t count, size_t *found)
{
	struct line *directories = calloc(count + 1, sizeof *directories);

	*found = 0;
	for (size_t i = 0; i < count; i++)
		if (lines[i].kind == 'L' || lines[i].kind == 'D')
			directories[(*found)++] = lines[i];
	qsort(directories, *found, sizeof *directories, by_path);
	return directories;
}

static bool is_below_one(const struct line *line, const struct line *directories, size_t count)
{
	const char *slash = memrchr(line->path, '/', line->length);
	struct line parent = { 0, line->path, slash == line->path ? 1 : (size_t)(slash - line->path) };

	return bsearch(&parent, directories, count, sizeof parent, by_path) != NULL;
}

static void apply_recalled_list(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
				const uint8_t *body, size_t length)
{
	struct recall *recall = pending->context;
	struct hp_where where;

	/* the RESOLVE of this directory went before: it is known, or not there */
	if (hp_resolve_known(engine, recall->path, &where) && where.object->kind == HP_DIR && !where.object->local)
		hp_apply_listing(engine, where.object, reply, body, length);
}

static void ask_again(hp_engine *engine, struct recall **all, uint16_t op, uint16_t flags, const struct line *line)
{
	struct recall *recall = calloc(1, sizeof *recall + line->length + 1);

	memcpy(recall->path, line->path, line->length);
	recall->pending.apply = op == HPW_LIST   ? apply_recalled_list :
				op == HPW_BUNDLE ? hp_apply_bundle :
						   hp_apply_entries;
	recall->pending.context = recall;
	recall->next = *all;
	*all = recall;
	hp_wire_send(engine, HP_LANE_WAIT, &recall->pending,
		     &(struct hp_request){ .head = { .op = op,
						     .flags = flags,
						     .length = op == HPW_LIST ? LIST_CONTENT : HP_INLINE_LIMIT,
						     .mode = LIST_BUDGET,
						     .len1 = (uint32_t)line->length },
					   .string1 = line->path });
}

/* Newest first: the first wait is nearly always the only one. */
static void wait_for_all(hp_engine *engine, struct recall **all)
{
	struct recall *next;

	for (; *all; *all = next) {
		next = (*all)->next;
		hp_wire_wait(engine, &(*all)->pending);
		free(*all);
	}
}

/* A name whose directory has been listed: taken up without a question, its
 * content from the pack. */
static void take_up(hp_engine *engine, struct recall **all, const struct line *line, const struct hp_pack *pack)
{
	char *path = strndup(line->path, line->length);
	struct hp_where where;
	struct hp_object *object = hp_resolve_known(engine, path, &where) ? where.object : NULL;

	free(path);
	if (line->kind != 'C' || !object || object->kind != HP_FILE_KIND || object->content != HP_CONTENT_NONE ||
	    object->filling || object->file || !(object->attr.access & 4) || object->attr.size > HP_INLINE_LIMIT)
		return;
	if (!hp_pack_fill(engine, pack, object) && engine->stats.bytes_in < MOST_CONTENT)
		ask_again(engine, all, HPW_RESOLVE, HPW_CONTENT, line);
}

/* It is on its way while the program is started. */
static void ask_names(hp_engine *engine, const struct line *line)
{
	char *path = strndup(line->path, line->length);
	struct hp_where where;

	if (hp_resolve_known(engine, path, &where) && where.object->kind == HP_DIR)
		hp_ahead_small(engine, where.object, HP_LITTLE_BUDGET);
	free(path);
}

static void ask_statistics(hp_engine *engine, const struct line *line)
{
	char *path = strndup(line->path, line->length);
	struct hp_where where;

	if (hp_resolve_known(engine, path, &where))
		hp_statistics_ahead(engine, where.object);
	free(path);
}

/* Returns when everything has come, or the link is gone. */
void hp_engine_recall(hp_engine *engine, const char *text, size_t length, const uint8_t *packed, size_t packed_length)
{
	struct hp_pack *pack = hp_pack_read(packed, packed_length);
	size_t count, listed;
	struct line *lines = parse(text, length, &count);
	struct line *directories = directories_of(lines, count, &listed);
	const struct hp_object *last = engine->with_digest;
	struct recall *all = NULL;

	pthread_mutex_lock(&engine->lock);
	hp_costs_stage(HP_COST_START);
	for (size_t i = 0; i < count && !engine->failed; i++) /* first: home looks for libraries while it lists */
		if (lines[i].kind == 'B')
			ask_again(engine, &all, HPW_BUNDLE, 0, &lines[i]);
	for (size_t i = 0; i < listed && !engine->failed; i++) { /* shorter first: what a path goes through is known */
		if (!is_below_one(&directories[i], directories, listed))
			ask_again(engine, &all, HPW_RESOLVE, 0, &directories[i]);
		ask_again(engine, &all, HPW_LIST, directories[i].kind == 'D' ? HPW_CONTENT : 0, &directories[i]);
	}
	for (size_t i = 0; i < count && !engine->failed; i++)
		if (!strchr("BLD", lines[i].kind) && !is_below_one(&lines[i], directories, listed))
			/* without a pack the content will be asked for anyway: in the same breath, then */
			ask_again(engine, &all, HPW_RESOLVE, lines[i].kind == 'C' && !packed_length ? HPW_CONTENT : 0,
				  &lines[i]);
	wait_for_all(engine, &all);
	for (size_t i = 0; i < count && !engine->failed; i++)
		if (lines[i].kind == 'R' || lines[i].kind == 'C')
			take_up(engine, &all, &lines[i], pack);
		else if (lines[i].kind == 'N')
			ask_names(engine, &lines[i]);
		else if (lines[i].kind == 'S')
			ask_statistics(engine, &lines[i]);
	hp_bundle_fetch(engine, last);
	wait_for_all(engine, &all);
	hp_costs_stage(0);
	pthread_mutex_unlock(&engine->lock);
	free(directories);
	free(lines);
	hp_pack_free(pack);
}
