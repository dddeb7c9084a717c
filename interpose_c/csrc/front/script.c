/* The "#!" line, cut up exactly as Linux does it (fs/binfmt_script.c). */
#include "front.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *next_non_blank(char *first, const char *last)
{
	for (; first <= last; first++)
		if (!is_blank(*first))
			return first;
	return NULL;
}

static char *next_end(char *first, const char *last)
{
	for (; first <= last; first++)
		if (is_blank(*first) || !*first)
			return first;
	return NULL;
}

static char *line_end(char *line)
{
	for (unsigned i = 0; i < HP_SCRIPT_LINE && line[i]; i++)
		if (line[i] == '\n')
			return line + i;
	return NULL;
}

long hp_script_parse(char line[HP_SCRIPT_LINE], struct hp_script *script)
{
	char *end = line_end(line), *last = line + HP_SCRIPT_LINE - 1, *name, *separator, *argument = NULL;

	if (!end) {
		end = next_non_blank(line + 2, last);
		/* all blank, or an interpreter's path that may have been cut */
		if (!end || !next_end(end, last))
			return -ENOEXEC;
		end = last;
	}
	while (is_blank(end[-1]))
		end--;
	name = next_non_blank(line + 2, end);
	if (!name || name == end)
		return -ENOEXEC;
	separator = next_end(name, end);
	if (separator && *separator)
		argument = next_non_blank(separator, end);
	*end = 0;
	if (argument)
		*separator = 0;
	script->interpreter = name;
	script->argument = argument;
	return 0;
}
