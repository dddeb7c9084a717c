/* Reads the spec: NUL-terminated strings, key and value in turn.
 *
 * Owns: its syntax. The bytes come from the starter, which is trusted; they
 * are checked all the same, so that a mistake is a sentence and not a crash.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool read_number(const char **text, uint64_t *value)
{
	char *end;
	errno = 0;
	*value = strtoull(*text, &end, 10);
	if (end == *text || errno || **text == '-')
		return false;
	*text = *end == ' ' ? end + 1 : end;
	return true;
}

static bool read_bound(const char **text, rlim_t *value)
{
	static const char unlimited[] = "unlimited";
	if (strncmp(*text, unlimited, sizeof unlimited - 1))
		return read_number(text, value);
	*value = RLIM_INFINITY;
	*text += sizeof unlimited - 1;
	if (**text == ' ')
		++*text;
	return true;
}

static bool read_limit(struct hp_spec *spec, const char *text)
{
	struct hp_limit *limit = &spec->limits[spec->limit_count];
	uint64_t resource;
	if (spec->limit_count == RLIM_NLIMITS || !read_number(&text, &resource) || resource >= RLIM_NLIMITS)
		return false;
	limit->resource = (int)resource;
	spec->limit_count++;
	return read_bound(&text, &limit->value.rlim_cur) && read_bound(&text, &limit->value.rlim_max) && !*text;
}

static bool read_tty(struct hp_spec *spec, const char *text)
{
	uint64_t rows, columns;
	if (!read_number(&text, &rows) || !read_number(&text, &columns) || *text)
		return false;
	spec->tty = true;
	spec->rows = (unsigned short)rows;
	spec->columns = (unsigned short)columns;
	return rows <= UINT16_MAX && columns <= UINT16_MAX;
}

/* Two descriptors that the keeper was started with. */
static bool read_restore(struct hp_spec *spec, const char *text)
{
	uint64_t meta, pages;
	if (!read_number(&text, &meta) || !read_number(&text, &pages) || *text || meta < 3 || pages < 3)
		return false;
	spec->restore[0] = (int)meta;
	spec->restore[1] = (int)pages;
	return !fcntl(spec->restore[0], F_SETFD, FD_CLOEXEC) && !fcntl(spec->restore[1], F_SETFD, FD_CLOEXEC);
}

static bool read_faults(struct hp_spec *spec, const char *text)
{
	uint64_t device;
	if (!read_number(&text, &device) || !read_number(&text, &spec->lazy_bytes) || *text || device < 3)
		return false;
	spec->faults = (int)device;
	return !fcntl(spec->faults, F_SETFD, FD_CLOEXEC);
}

static bool read_umask(struct hp_spec *spec, const char *text)
{
	char *end;
	spec->umask = (int)strtoul(text, &end, 8);
	return *text && !*end && spec->umask >= 0 && spec->umask <= 0777;
}

/* SIGSYS is the shim's. */
static bool read_signal(uint64_t *set, const char *text)
{
	uint64_t number;
	if (!read_number(&text, &number) || *text || number < 1 || number > 64)
		return false;
	*set |= number == SIGSYS ? 0 : 1ull << (number - 1);
	return true;
}

static bool read_front(struct hp_spec *spec, const char *text)
{
	static const char *const names[] = {
		[HP_FRONT_AUTO] = "auto",
		[HP_FRONT_SHIM] = "shim",
		[HP_FRONT_TRACE] = "trace",
	};
	for (unsigned n = 0; n < sizeof names / sizeof *names; n++)
		if (!strcmp(text, names[n])) {
			spec->front = n;
			return true;
		}
	return false;
}

static bool read_closed(struct hp_spec *spec, const char *text)
{
	uint64_t fd;
	if (!read_number(&text, &fd) || *text || fd > 2)
		return false;
	spec->closed |= 1u << fd;
	return true;
}

/* Keys with one string; the repeated ones are counted and stored by the caller. */
static bool read_single(struct hp_spec *spec, const char *key, char *value)
{
	const char *text = value;
	if (!strcmp(key, "exe"))
		spec->exe = value;
	else if (!strcmp(key, "cwd"))
		spec->cwd = value;
	else if (!strcmp(key, "hostname"))
		spec->hostname = value;
	else if (!strcmp(key, "umask"))
		return read_umask(spec, value);
	else if (!strcmp(key, "ignore"))
		return read_signal(&spec->ignored, value);
	else if (!strcmp(key, "block"))
		return read_signal(&spec->blocked, value);
	else if (!strcmp(key, "rlimit"))
		return read_limit(spec, value);
	else if (!strcmp(key, "tty"))
		return read_tty(spec, value);
	else if (!strcmp(key, "closed"))
		return read_closed(spec, value);
	else if (!strcmp(key, "session"))
		return spec->own_session = !strcmp(value, "own"), spec->own_session;
	else if (!strcmp(key, "network"))
		return spec->network_host = !strcmp(value, "host"), spec->network_host || !strcmp(value, "none");
	else if (!strcmp(key, "intercept"))
		return read_front(spec, value);
	else if (!strcmp(key, "dispatch"))
		return spec->without_dispatch = !strcmp(value, "none"), spec->without_dispatch;
	else if (!strcmp(key, "cpu_level"))
		return read_number(&text, &spec->cpu_level) && !*text && spec->cpu_level <= 4;
	else if (!strcmp(key, "restore"))
		return read_restore(spec, value);
	else if (!strcmp(key, "faults"))
		return read_faults(spec, value);
	else if (!strcmp(key, "memory_bytes"))
		return read_number(&text, &spec->memory_bytes) && !*text;
	else if (!strcmp(key, "max_processes"))
		return read_number(&text, &spec->max_processes) && !*text;
	else
		return false;
	return true;
}

/* See front/info.c. */
static char *info_word(const struct hp_spec *spec)
{
	static const char *const marks[] = {
		[HP_FRONT_AUTO] = ",a",
		[HP_FRONT_SHIM] = "",
		[HP_FRONT_TRACE] = ",T",
	};
	char *word, level[8] = "";
	if (spec->cpu_level)
		snprintf(level, sizeof level, ",l%d", (int)spec->cpu_level);
	int length = asprintf(&word, "hpool%s%s%s:%s", marks[spec->front], spec->without_dispatch ? ",d" : "", level,
			      spec->exe);
	return length < 0 ? NULL : word;
}

int hp_spec_read(struct hp_spec *spec, int fd)
{
	struct stat file;
	if (fstat(fd, &file))
		return -errno;
	*spec = (struct hp_spec){ .umask = -1, .restore = { -1, -1 }, .faults = -1 };
	size_t size = (size_t)file.st_size;
	char *text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return size ? -errno : -EBADMSG;
	if (text[size - 1] != '\0')
		return -EBADMSG;
	size_t strings = 0;
	for (const char *at = text; at < text + size; at += strlen(at) + 1)
		strings++;
	/* Room for every value in each list, INFO and the ends: simple, and small. */
	char **lists = calloc(3 * (strings / 2 + 2), sizeof *lists);
	if (lists == NULL)
		return -ENOMEM;
	spec->argv = lists;
	spec->envp = spec->argv + strings / 2 + 2;
	spec->islands = spec->envp + strings / 2 + 2;
	size_t args = 1, envs = 0, islands = 0;
	if (strings % 2)
		return -EBADMSG;
	for (char *key = text; key < text + size;) {
		char *value = key + strlen(key) + 1;
		if (!strcmp(key, "arg"))
			spec->argv[args++] = value;
		else if (!strcmp(key, "env"))
			spec->envp[envs++] = value;
		else if (!strcmp(key, "island"))
			spec->islands[islands++] = value;
		else if (!read_single(spec, key, value))
			return -EBADMSG;
		key = value + strlen(value) + 1;
	}
	if (spec->exe == NULL || spec->cwd == NULL || spec->exe[0] != '/' || spec->cwd[0] != '/')
		return -EBADMSG;
	spec->argv[0] = info_word(spec);
	return spec->argv[0] ? 0 : -ENOMEM;
}
