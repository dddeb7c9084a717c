/* Which blocks of a file are present, and where the shim finds that.
 *
 * The engine's own bitmap is the truth; the one in shared memory is what the
 * shim looks at before it reads natively. A block is offered there only after
 * its bytes lie in the mirror, and taken back before they are dropped.
 */
#include "internal.h"

static uint64_t count_missing(const struct hp_object *object)
{
	uint64_t missing = 0;

	for (uint64_t block = 0; block < object->blocks; block++)
		missing += !hp_bit(object->present, block);
	return missing;
}

bool hp_file_has_map(const hp_engine *engine, const struct hp_object *object)
{
	return engine->maps[object->file].bytes * 8 > object->blocks;
}

/* A file's number keeps its place among the maps. One that grows gets twice as much, so that what a file
 * leaves behind is less than what it has; without room there is no map, and every reader asks. */
static void give_place(hp_engine *engine, struct hp_object *object)
{
	struct hp_map_place *place = &engine->maps[object->file];
	uint64_t needed = object->blocks / 64 * 8 + 16, bytes = 2 * place->bytes > needed ? 2 * place->bytes : needed;

	if (hp_file_has_map(engine, object))
		return;
	if (engine->map_used + 64 + bytes > HP_MAP_BYTES)
		bytes = needed;
	if (engine->map_used + 64 + bytes > HP_MAP_BYTES)
		return;
	*place = (struct hp_map_place){ .offset = engine->map_used + 64, .bytes = bytes };
	engine->map_used += 64 + bytes;
}

void hp_file_publish_map(hp_engine *engine, struct hp_object *object)
{
	struct hp_file *file = &engine->channel->files[object->file];
	const struct hp_map_place *place = &engine->maps[object->file];
	bool mapped;

	give_place(engine, object);
	mapped = hp_file_has_map(engine, object);
	__atomic_add_fetch(&file->sequence, 1, __ATOMIC_SEQ_CST);
	if (mapped)
		memcpy(engine->channel->maps + place->offset, object->present, (object->blocks + 7) / 8);
	file->map_offset = mapped ? place->offset : 0;
	file->map_blocks = object->blocks;
	file->missing = count_missing(object);
	__atomic_add_fetch(&file->sequence, 1, __ATOMIC_SEQ_CST);
	__atomic_or_fetch(&file->flags, HP_FILE_BLOCKS, __ATOMIC_SEQ_CST);
}

void hp_set_present(hp_engine *engine, struct hp_object *object, uint64_t block, bool present)
{
	struct hp_file *file = &engine->channel->files[object->file];
	uint8_t mask = (uint8_t)(1u << (block % 8)), *shared;
	bool was = hp_bit(object->present, block);

	if (present)
		object->present[block / 8] |= mask;
	else
		object->present[block / 8] &= (uint8_t)~mask;
	if (!hp_file_has_map(engine, object))
		return;
	shared = &engine->channel->maps[engine->maps[object->file].offset + block / 8];
	/* `missing` is never less than what the bits say */
	if (present) {
		__atomic_or_fetch(shared, mask, __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&file->missing, !was, __ATOMIC_SEQ_CST);
	} else {
		__atomic_add_fetch(&file->missing, was, __ATOMIC_SEQ_CST);
		__atomic_and_fetch(shared, (uint8_t)~mask, __ATOMIC_SEQ_CST);
	}
}
