/* The word by which the execve handler tells the next loader what to run. */
#include "front.h"

bool hp_dispatch = true;

static unsigned number(const char **text)
{
	unsigned value = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++)
		value = value * 10 + (unsigned)(**text - '0');
	return value;
}

static char *put_option(char *to, char what, unsigned value)
{
	*to++ = ',';
	*to++ = what;
	return hp_put_number(to, value);
}

static char *put_mark(char *to, char mark)
{
	*to++ = ',';
	*to++ = mark;
	return to;
}

bool hp_info_parse(char *text, struct hp_info *info)
{
	static const char word[] = "hpool";
	static char path[HP_PATH_MAX];
	const char *at = text + sizeof word - 1;
	unsigned length = 0;

	info->fd = -1;
	info->tries = 0;
	info->randomized = false;
	info->sigsys_blocked = false;
	for (unsigned i = 0; i < sizeof word - 1; i++)
		if (text[i] != word[i])
			return false;
	while (*at == ',') {
		char what = at[1];

		at += 2;
		if (what == 'n')
			length = number(&at);
		else if (what == 'f')
			info->fd = (int)number(&at);
		else if (what == 't')
			info->tries = number(&at);
		else if (what == 'r')
			info->randomized = number(&at);
		else if (what == 'a')
			hp_front_mode = HP_MODE_AUTO;
		else if (what == 'd')
			hp_dispatch = false;
		else if (what == 'T')
			hp_front_mode = HP_MODE_TRACE;
		else if (what == 'x')
			hp_traced = true;
		else if (what == 'l')
			hp_cpu_level = number(&at) % 5;
		else if (what == 's')
			info->sigsys_blocked = number(&at);
		else
			return false;
	}
	if (*at++ != ':' || !*at)
		return false;
	info->first = length == 0;
	if (length == 0) {
		info->name = at;
		length = hp_text_length(at);
	} else {
		if (length > hp_text_length(at))
			return false;
		info->name = at + length;
	}
	if (length >= sizeof path)
		return false;
	memcpy(path, at, length);
	path[length] = 0;
	info->path = path;
	return true;
}

unsigned hp_info_write(char *room, unsigned size, const struct hp_info *info)
{
	unsigned path = hp_text_length(info->path), name = hp_text_length(info->name);
	char *at = room;

	if (path + name + 64 > size)
		return 0;
	memcpy(at, "hpool", 5);
	at += 5;
	if (hp_front_mode == HP_MODE_AUTO)
		at = put_mark(at, 'a');
	if (!hp_dispatch)
		at = put_mark(at, 'd');
	if (hp_traced)
		at = put_mark(at, 'x');
	if (hp_cpu_level)
		at = put_option(at, 'l', hp_cpu_level);
	if (info->fd >= 0)
		at = put_option(at, 'f', (unsigned)info->fd);
	if (info->tries)
		at = put_option(at, 't', info->tries);
	if (info->randomized)
		at = put_option(at, 'r', 1);
	if (info->sigsys_blocked)
		at = put_option(at, 's', 1);
	at = put_option(at, 'n', path);
	*at++ = ':';
	memcpy(at, info->path, path);
	memcpy(at + path, info->name, name + 1);
	return (unsigned)(at - room) + path + name;
}
