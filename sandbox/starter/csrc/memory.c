/* Memory for later runs: what this job asks home for, as text. Small files' content is kept too (pack.c).
 *
 * A line a question: R, a name; C, a name and its small content; N, a name, and
 * if it is a small directory then its names and a little content, which nobody waits for; L, a
 * directory's names; D, also their very small content; S, what statfs says of where that is; B, a program, a library
 * or another file that is kept by digest, with what it needs; then a space and
 * the path. Paths with a newline are not remembered.
 */
#define _GNU_SOURCE
#include "internal.h"

#define MOST_BYTES (1u << 20) /* of remembered text */

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
