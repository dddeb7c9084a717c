/* Memory of all the job's processes together, where no cgroup bounds it.
 *
 * RLIMIT_AS breaks the JVM and Go, RLIMIT_DATA sanitizers and many threads, and
 * neither adds up over processes. So PID 1 looks: anonymous memory of every
 * process, plus the job's SysV segments. It samples, and can be overrun for
 * a moment; the job's oom_score_adj makes it the kernel's first choice then.
 */
#include "keeper.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#define CALM_MS 250
#define CLOSE_MS 30

void hp_watch_open(struct hp_watch *watch, uint64_t limit_bytes)
{
	*watch = (struct hp_watch){-1, limit_bytes};
	if (limit_bytes == 0)
		return;
	/* Not the job's /proc: there, a process that made itself non-dumpable is
	 * invisible to us too. This one is never attached. */
	HP_AUTO_CLOSE int context = fsopen("proc", FSOPEN_CLOEXEC);
	if (context >= 0 && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		watch->proc = fsmount(context, FSMOUNT_CLOEXEC, 0);
}

static bool read_text(int directory, const char *path, char *text, size_t room)
{
	HP_AUTO_CLOSE int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, room - 1);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static uint64_t anonymous_bytes(int proc, const char *process)
{
	char path[32], text[128];
	unsigned long resident, shared;
	snprintf(path, sizeof path, "%.16s/statm", process);
	if (!read_text(proc, path, text, sizeof text) || sscanf(text, "%*u %lu %lu", &resident, &shared) != 2)
		return 0; /* ended meanwhile */
	return resident > shared ? (resident - shared) * 4096ull : 0;
}

static uint64_t segment_bytes(int proc)
{
	char text[65536];
	uint64_t bytes = 0;
	if (!read_text(proc, "sysvipc/shm", text, sizeof text))
		return 0;
	for (char *line = strchr(text, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
		unsigned long long resident;
		if (sscanf(line, "%*d %*d %*o %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", &resident) == 1)
			bytes += resident;
	}
	return bytes;
}

int hp_watch_look(const struct hp_watch *watch, bool *exceeded)
{
	*exceeded = false;
	if (watch->proc < 0)
		return -1;
	uint64_t bytes = segment_bytes(watch->proc);
	int listed = openat(watch->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *processes = listed < 0 ? NULL : fdopendir(listed);
	if (processes == NULL)
		return CALM_MS;
	for (struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes))
		if (isdigit((unsigned char)entry->d_name[0]))
			bytes += anonymous_bytes(watch->proc, entry->d_name);
	closedir(processes);
	*exceeded = bytes > watch->limit_bytes;
	return bytes > watch->limit_bytes / 2 ? CLOSE_MS : CALM_MS;
}
