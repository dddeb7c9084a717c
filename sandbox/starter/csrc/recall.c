/* Memory of former runs (memory.c): what the same program asked home for then is asked for all at once. Small
 * files' content (pack.c) is used again if home still shows the same attributes.
 *
 * The job starts as soon as its program is there. What it looks for and is not known yet may be on its way: it
 * waits for that instead of asking again, and changes nothing before all has come, so that no answer of before
 * is taken for one of after. What comes is applied like any answer: a wrong or old memory costs bytes and
 * nothing else.
 */
#define _GNU_SOURCE
#include "internal.h"

#define LIST_BUDGET (2u << 20) /* of content, for one directory */
#define LIST_CONTENT (4u << 10) /* of one file in it: the connection is new and slow */
#define MOST_CONTENT (64u << 20)

struct line {
	char kind;
	const char *path;
	size_t length;
};

struct question {
	struct hp_pending pending;
	struct question *next;
	char path[];
};

struct hp_recall {
	hp_engine *engine;
	char *text;
	uint8_t *packed;
	size_t packed_length;
	struct hp_pack *pack;
	struct line *lines, *directories;
	size_t count, listed;
	const struct hp_object *last; /* that came with a digest, before */
	struct question *programs, *all; /* asked; the newest first */
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
	struct question *question = pending->context;
	struct hp_where where;

	/* the RESOLVE of this directory went before: it is known, or not there */
	if (hp_resolve_known(engine, question->path, &where) && where.object->kind == HP_DIR && !where.object->local)
		hp_apply_listing(engine, where.object, reply, body, length);
}

static void ask_again(hp_engine *engine, struct question **all, uint16_t op, uint16_t flags, const struct line *line)
{
	struct question *question = calloc(1, sizeof *question + line->length + 1);

	memcpy(question->path, line->path, line->length);
	question->pending.apply = op == HPW_LIST   ? apply_recalled_list :
				  op == HPW_BUNDLE ? hp_apply_bundle :
						     hp_apply_entries;
	question->pending.context = question;
	question->next = *all;
	*all = question;
	hp_wire_send(engine, HP_LANE_WAIT, &question->pending,
		     &(struct hp_request){ .head = { .op = op,
						     .flags = flags,
						     .length = op == HPW_LIST ? LIST_CONTENT : HP_INLINE_LIMIT,
						     .mode = LIST_BUDGET,
						     .len1 = (uint32_t)line->length },
					   .string1 = line->path });
}

/* Newest first: the first wait is nearly always the only one. */
static void wait_for_all(hp_engine *engine, struct question **all)
{
	struct question *next;

	for (; *all; *all = next) {
		next = (*all)->next;
		hp_wire_wait(engine, &(*all)->pending);
		free(*all);
	}
}

/* A name whose directory has been listed: taken up without a question, its
 * content from the pack. */
static void take_up(hp_engine *engine, struct question **all, const struct line *line, const struct hp_pack *pack)
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

static void ask_all(hp_engine *engine, struct hp_recall *recall)
{
	const struct line *lines = recall->lines, *directories = recall->directories;
	size_t count = recall->count, listed = recall->listed;

	for (size_t i = 0; i < count && !engine->failed; i++) /* first: they are answered first */
		if (lines[i].kind == 'B')
			ask_again(engine, &recall->programs, HPW_BUNDLE, 0, &lines[i]);
		else if (lines[i].kind == 'N') /* the job begins in one */
			ask_again(engine, &recall->programs, HPW_RESOLVE, 0, &lines[i]);
	for (size_t i = 0; i < listed && !engine->failed; i++) { /* shorter first: what a path goes through is known */
		if (!is_below_one(&directories[i], directories, listed))
			ask_again(engine, &recall->all, HPW_RESOLVE, 0, &directories[i]);
		ask_again(engine, &recall->all, HPW_LIST, directories[i].kind == 'D' ? HPW_CONTENT : 0,
			  &directories[i]);
	}
	for (size_t i = 0; i < count && !engine->failed; i++)
		if (!strchr("BLDN", lines[i].kind) && !is_below_one(&lines[i], directories, listed))
			/* without a pack the content will be asked for anyway: in the same breath, then */
			ask_again(engine, &recall->all, HPW_RESOLVE,
				  lines[i].kind == 'C' && !recall->packed_length ? HPW_CONTENT : 0, &lines[i]);
}

static void take_all_up(hp_engine *engine, struct hp_recall *recall)
{
	wait_for_all(engine, &recall->programs);
	hp_bundle_fetch(engine, recall->last);
	pthread_cond_broadcast(&engine->changed);
	wait_for_all(engine, &recall->all);
	for (size_t i = 0; i < recall->count && !engine->failed; i++) {
		const struct line *line = &recall->lines[i];

		if (line->kind == 'R' || line->kind == 'C')
			take_up(engine, &recall->all, line, recall->pack);
		else if (line->kind == 'N')
			ask_names(engine, line);
		else if (line->kind == 'S')
			ask_statistics(engine, line);
	}
	wait_for_all(engine, &recall->all);
}

/* It holds objects in hand while it waits, as a worker does. */
static void *run(void *argument)
{
	struct hp_recall *recall = argument;
	hp_engine *engine = recall->engine;

	pthread_mutex_lock(&engine->lock);
	hp_serve_begin(engine);
	take_all_up(engine, recall);
	engine->memory.is_recalling = false;
	pthread_cond_broadcast(&engine->changed);
	hp_serve_end(engine);
	pthread_mutex_unlock(&engine->lock);
	free(recall->directories);
	free(recall->lines);
	hp_pack_free(recall->pack);
	free(recall->packed);
	free(recall->text);
	free(recall);
	return NULL;
}

/* Returns when all has been asked for; hp_engine_await_recalled() when it has come, or the link is gone. */
void hp_engine_recall(hp_engine *engine, const char *text, size_t length, const uint8_t *packed, size_t packed_length)
{
	struct hp_recall *recall = calloc(1, sizeof *recall);

	recall->engine = engine;
	recall->text = malloc(length + 1);
	memcpy(recall->text, text, length);
	recall->packed = malloc(packed_length + 1);
	if (packed_length)
		memcpy(recall->packed, packed, packed_length);
	recall->packed_length = packed_length;
	recall->pack = hp_pack_read(recall->packed, packed_length);
	recall->lines = parse(recall->text, length, &recall->count);
	recall->directories = directories_of(recall->lines, recall->count, &recall->listed);
	pthread_mutex_lock(&engine->lock);
	recall->last = engine->with_digest;
	ask_all(engine, recall);
	engine->memory.is_recalling = true;
	engine->memory.recaller_runs = pthread_create(&engine->memory.recaller, NULL, run, recall) == 0;
	pthread_mutex_unlock(&engine->lock);
	if (!engine->memory.recaller_runs)
		run(recall);
}

void hp_engine_await_recalled(hp_engine *engine)
{
	if (engine->memory.recaller_runs)
		pthread_join(engine->memory.recaller, NULL);
	engine->memory.recaller_runs = false;
}

bool hp_await_recall(hp_engine *engine)
{
	uint64_t before_ns;

	if (!engine->memory.is_recalling || engine->failed)
		return false;
	before_ns = hp_now_ns();
	pthread_cond_wait(&engine->changed, &engine->lock);
	hp_waited_more(engine, before_ns);
	return true;
}
