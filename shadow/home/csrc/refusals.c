/* What policy refused, told once for each kind and directory. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

#define REFUSALS_MAX 1024u /* a job cannot fill memory with names */

static char *line_of(const char *kind, const char *path, size_t length)
{
	char *line = malloc(strlen(kind) + 4 * length + 4), *at;

	if (line == NULL)
		return NULL;
	at = line + sprintf(line, "%s\t", kind);
	if (length == 0)
		*at++ = '/';
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)path[i];

		if (byte == '\\' || byte == '\t' || byte == '\n')
			at += sprintf(at, "\\%03o", byte);
		else
			*at++ = (char)byte;
	}
	*at++ = '\n';
	*at = 0;
	return line;
}

static bool known(const struct hp_refusals *refusals, const char *line)
{
	for (unsigned i = 0; i < refusals->count; i++)
		if (strcmp(refusals->lines[i], line) == 0)
			return true;
	return false;
}

void hp_refusal_note(hp_home *home, const char *kind, const char *path, size_t length)
{
	struct hp_refusals *refusals = &home->refusals;
	char *line = line_of(kind, path, length);

	home->refused++;
	if (line == NULL)
		return;
	pthread_mutex_lock(&home->lock);
	if (refusals->lines == NULL)
		refusals->lines = calloc(REFUSALS_MAX, sizeof(*refusals->lines));
	if (refusals->lines != NULL && refusals->count < REFUSALS_MAX && !known(refusals, line)) {
		refusals->lines[refusals->count++] = line;
		line = NULL;
	}
	pthread_mutex_unlock(&home->lock);
	free(line);
}

long hp_home_refusals(hp_home *home, char *buffer, size_t room)
{
	struct hp_refusals *refusals = &home->refusals;
	size_t used = 0;

	pthread_mutex_lock(&home->lock);
	while (refusals->told < refusals->count) {
		const char *line = refusals->lines[refusals->told];
		size_t length = strlen(line);

		if (used + length > room)
			break;
		memcpy(buffer + used, line, length);
		used += length;
		refusals->told++;
	}
	pthread_mutex_unlock(&home->lock);
	return (long)used;
}

void hp_refusals_free(struct hp_refusals *refusals)
{
	for (unsigned i = 0; i < refusals->count; i++)
		free(refusals->lines[i]);
	free(refusals->lines);
}
