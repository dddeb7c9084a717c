/* /proc of the job's PID namespace, read. */
#include "checkpoint.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

int hp_proc = -1;

/* Never attached: the job's own may be covered, and hides processes. */
int hp_proc_mount_own(void)
{
	int context = fsopen("proc", FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	int failed = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -errno : 0;
	hp_proc = failed ? -1 : fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (!failed && hp_proc < 0)
		failed = -errno;
	close(context);
	return failed;
}

char *hp_proc_text(pid_t pid, const char *name, size_t *length)
{
	char path[96];
	size_t room = 1 << 14, used = 0;
	char *text = malloc(room);
	snprintf(path, sizeof path, "%d/%s", (int)pid, name);
	int fd = openat(hp_proc, path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && text != NULL) {
		ssize_t part = read(fd, text + used, room - used - 1);
		if (part <= 0) {
			if (part < 0 && errno == EINTR)
				continue;
			break;
		}
		used += (size_t)part;
		if (room - used < 4096) {
			char *larger = realloc(text, room *= 2);
			if (larger == NULL)
				free(text);
			text = larger;
		}
	}
	if (fd < 0 || text == NULL) {
		int failed = fd < 0 ? errno : ENOMEM;
		free(text);
		if (fd >= 0)
			close(fd);
		errno = failed;
		return NULL;
	}
	close(fd);
	text[used] = '\0';
	if (length)
		*length = used;
	return text;
}

bool hp_proc_number(const char *text, const char *name, int base, uint64_t *value)
{
	size_t length = strlen(name);
	for (const char *line = text; line != NULL && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, name, length) || line[length] != ':')
			continue;
		*value = strtoull(line + length + 1, NULL, base);
		return true;
	}
	return false;
}

static int by_number(const void *a, const void *b)
{
	const pid_t *first = a, *second = b;
	return (*first > *second) - (*first < *second);
}

int hp_proc_list(const char *path, pid_t **numbers)
{
	int fd = openat(hp_proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	size_t room = 64;
	int count = 0;
	if (directory == NULL) {
		int failed = -errno;
		if (fd >= 0)
			close(fd);
		return failed;
	}
	*numbers = malloc(room * sizeof **numbers);
	for (struct dirent *entry = readdir(directory); *numbers && entry; entry = readdir(directory)) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if ((size_t)count == room) {
			pid_t *larger = realloc(*numbers, (room *= 2) * sizeof **numbers);
			if (larger == NULL)
				free(*numbers);
			*numbers = larger;
			if (larger == NULL)
				break;
		}
		(*numbers)[count++] = (pid_t)atoi(entry->d_name);
	}
	closedir(directory);
	if (*numbers == NULL)
		return -ENOMEM;
	qsort(*numbers, (size_t)count, sizeof **numbers, by_number);
	return count;
}

int hp_proc_stat(pid_t pid, pid_t tid, struct hp_stat *stat)
{
	char name[32];
	snprintf(name, sizeof name, tid ? "task/%d/stat" : "stat", (int)tid);
	char *text = hp_proc_text(pid, name, NULL);
	char *at = text ? strrchr(text, ')') : NULL; /* the name before may hold anything */
	memset(stat, 0, sizeof *stat);
	if (at == NULL || at[1] != ' ') {
		free(text);
		return -ESRCH;
	}
	at += 2;
	stat->state = *at;
	at = strchr(at, ' ');
	for (unsigned field = 4; at != NULL && field < 53; field++) {
		stat->field[field] = at[1] == '-' ? (uint64_t)strtoll(at, NULL, 10) : strtoull(at, NULL, 10);
		at = strchr(at + 1, ' ');
	}
	free(text);
	stat->ppid = (int32_t)stat->field[4];
	stat->pgid = (int32_t)stat->field[5];
	stat->sid = (int32_t)stat->field[6];
	stat->tty_nr = (int32_t)stat->field[7];
	stat->tty_foreground = (int32_t)stat->field[8];
	stat->exit_signal = (int32_t)stat->field[38];
	stat->nice = (int64_t)stat->field[19];
	return 0;
}
