/* Directories that a walker will want next: asked for before he comes.
 *
 * Who lists a directory below one that he has listed (find, grep -r, tar, a
 * build system) goes on to its neighbours. So their listings are asked for too,
 * twice as many with each that he uses, and those of what is below them when
 * they have come. Who reads the small files of two such directories gets those
 * along with the listings. What came ahead is in the tree, not yet in the
 * mirror: that way the engine hears when it is used.
 *
 * Everything goes over the lane of what the job waits for, because answers of
 * two lanes overtake each other; so what is on its way stays bounded.
 */
#define _GNU_SOURCE
#include "internal.h"

#define WIDTH_FIRST 16u
#define WIDTH_MOST 512u
#define WIDTH_DEEP 16u   /* from here on also what lies below */
#define WIDTH_CONTENT 24u  /* most, if content comes along */
#define CONTENT_BUDGET (1u << 20) /* for one directory */
#define CONTENT_AFTER 2u  /* directories whose small files were read */
#define LARGEST (1u << 20)  /* as home counts a directory's own bytes: some 20,000 names */
#define MOST_LOOKED_AT 2048u
#define LEVELS 4

static bool has_room(const struct hp_walker *walker)
{
	return walker->content ? walker->contents < WIDTH_CONTENT : walker->ahead < walker->width;
}

static void look_below(hp_engine *engine, struct hp_object *directory);

/* What nobody asked for by name; true once all of it has come. */
static bool take_listing(hp_engine *engine, struct hp_object *directory, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	engine->unasked = true;
	hp_apply_listing(engine, directory, reply, body, length);
	engine->unasked = false;
	if (reply->flags & HPW_MORE)
		return false;
	directory->filling = false;
	return true;
}

static void apply_ahead(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			const uint8_t *body, size_t length)
{
	struct hp_object *directory = pending->context;

	if (take_listing(engine, directory, reply, body, length) && directory->known)
		look_below(engine, directory);
}

/* Bytes that travel about as long as an answer takes, twice over. */
uint32_t hp_worth_a_trip(const hp_engine *engine)
{
	uint64_t bytes = hp_bytes_in(engine, engine->trip_ns * 2);

	return bytes < HP_LITTLE_BUDGET ? HP_LITTLE_BUDGET : bytes > CONTENT_BUDGET ? CONTENT_BUDGET : (uint32_t)bytes;
}

/* A single directory in a small one is mostly what it is about. */
static void ask_lonely(hp_engine *engine, struct hp_object *directory)
{
	struct hp_name *only = NULL;

	for (struct hp_name *name = directory->children; name; name = name->next_in_parent) {
		const struct hpw_attr *attr = name->offer  ? &name->offer->attr :
					      name->object ? &name->object->attr :
							     NULL;

		if (!attr || hp_kind_of(attr->mode) != HP_DIR)
			continue;
		if (only)
			return;
		only = name;
	}
	if (only && !(only->offer && hp_tree_accept(engine, only)))
		hp_ahead_small(engine, only->object, hp_worth_a_trip(engine));
}

static void apply_beside_name(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			      const uint8_t *body, size_t length)
{
	struct hp_object *directory = pending->context;

	if (take_listing(engine, directory, reply, body, length))
		ask_lonely(engine, directory);
}

/* Nobody waits. `budget`: bytes of small files' content that may come along. */
static void send_list(hp_engine *engine, struct hp_object *directory, hp_apply apply, uint32_t budget)
{
	struct hp_pending *pending = calloc(1, sizeof *pending);
	char *path = hp_object_path(directory);

	*pending = (struct hp_pending){ .apply = apply, .context = directory, .detached = true };
	directory->filling = true;
	hp_wire_send(engine, HP_LANE_WAIT, pending,
		     &(struct hp_request){ .head = { .op = HPW_LIST,
						     .flags = budget ? HPW_CONTENT : 0,
						     .length = hp_beside_limit(engine),
						     .mode = budget,
						     .len1 = (uint32_t)strlen(path) },
					   .string1 = path });
	free(path);
	if (pending->done) { /* the link is gone */
		directory->filling = false;
		free(pending);
	}
}

/* A name in a small directory is asked for: the others with it, and so what is
 * not there. Programs look for more than one. `budget`: bytes of their content. */
void hp_ahead_small(hp_engine *engine, struct hp_object *directory, uint32_t budget)
{
	const struct hpw_attr *attr = &directory->attr;
	char *path;

	if (directory->small_asked || directory->known || directory->filling || directory->local || !attr->ino ||
	    attr->size > HP_SMALL_DIRECTORY || !(attr->access & 4) || !directory->name || directory->unsure)
		return;
	directory->small_asked = true;
	directory->with_content = budget > 0;
	path = hp_object_path(directory);
	hp_remember(engine, 'L', path, strlen(path));
	free(path);
	send_list(engine, directory, apply_beside_name, budget);
}

static bool wanted(const struct hp_walker *walker, const struct hp_name *name)
{
	const struct hp_object *object = name->object;
	const struct hpw_attr *attr = name->offer ? &name->offer->attr : object ? &object->attr : NULL;

	if (name->unknown || !attr || !attr->ino || hp_kind_of(attr->mode) != HP_DIR || !(attr->access & 4) ||
	    attr->size > LARGEST)
		return false;
	if (!object)
		return true;
	if (object->local || object->filling || object->unsure)
		return false;
	return !object->known || (walker->content && object->ahead && !object->with_content);
}

static void ask(hp_engine *engine, struct hp_name *name)
{
	struct hp_walker *walker = &engine->walker;
	struct hp_object *directory;

	if (engine->failed || !wanted(walker, name) || (name->offer && hp_tree_accept(engine, name)))
		return;
	directory = name->object;
	walker->ahead += !directory->ahead;
	walker->contents += walker->content;
	directory->ahead = true;
	directory->with_content = walker->content;
	send_list(engine, directory, apply_ahead, walker->content ? CONTENT_BUDGET : 0);
}

static void look_below(hp_engine *engine, struct hp_object *directory)
{
	unsigned looked = 0;

	if (engine->walker.width < WIDTH_DEEP)
		return;

	for (struct hp_name *name = directory->children; name && has_room(&engine->walker) && looked++ < MOST_LOOKED_AT;
	     name = name->next_in_parent)
		ask(engine, name);
}

/* One beside him, and what is known to lie below it. */
static void look_at(hp_engine *engine, struct hp_name *name)
{
	if (!name)
		return;
	ask(engine, name);
	if (name->object && name->object->ahead && name->object->known)
		look_below(engine, name->object);
}

/* Below where he is, then beside, then beside what is above: the order in which he goes on. */
static void look_around(hp_engine *engine, struct hp_object *directory)
{
	unsigned looked = 0;

	look_below(engine, directory);
	for (int level = 0; level < LEVELS && directory->name; level++, directory = directory->name->parent) {
		struct hp_name *next = directory->name->next_in_parent;
		struct hp_name *previous = directory->name->previous_in_parent;

		if (!directory->name->parent->known)
			return;
		while ((next || previous) && has_room(&engine->walker) && looked++ < MOST_LOOKED_AT) {
			look_at(engine, next);
			look_at(engine, previous);
			next = next ? next->next_in_parent : NULL;
			previous = previous ? previous->previous_in_parent : NULL;
		}
	}
}

/* The job reads this directory; if its names are not known they have been asked for. */
void hp_ahead_of(hp_engine *engine, struct hp_object *directory)
{
	struct hp_walker *walker = &engine->walker;
	char *path;

	directory->walked = true;
	if (directory->ahead) {
		directory->ahead = false;
		walker->ahead -= walker->ahead > 0;
		walker->contents -= directory->with_content && walker->contents > 0;
		walker->width = walker->width * 2 < WIDTH_MOST ? walker->width * 2 : WIDTH_MOST;
		path = hp_object_path(directory);
		if (path)
			hp_remember(engine, 'L', path, strlen(path));
		free(path);
	} else {
		if (directory->known || !directory->name || !directory->name->parent->walked)
			return;
		walker->width = walker->width / 2 > WIDTH_FIRST ? walker->width / 2 : WIDTH_FIRST;
		if (walker->ahead > walker->width / 2) /* he is somewhere else: what was asked there is lost */
			walker->ahead = walker->width / 2;
		walker->contents /= 2;
	}
	look_around(engine, directory);
}

/* He reads small files of this directory. True: as he did in others. */
bool hp_ahead_reads(hp_engine *engine, struct hp_object *directory)
{
	struct hp_walker *walker = &engine->walker;

	if (!directory->walked || walker->content)
		return walker->content && directory->walked;
	if (++walker->directories_read < CONTENT_AFTER)
		return false;
	walker->content = true;
	look_around(engine, directory);
	return true;
}
