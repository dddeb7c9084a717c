/* Memory of all the job's processes together, where no cgroup bounds it.
 *
 * RLIMIT_AS breaks the JVM and Go, RLIMIT_DATA sanitizers and many threads, and
 * neither adds up over processes. So PID 1 looks. Two looks: resident pages
 * are cheap to read and count shared ones too often, so only when they exceed the
 * bound is the exact share of each process asked for.
 *
 * It samples, and can be overrun for a moment; files in memory that nobody maps
 * (memfd) escape it. Both end at the kernel's OOM killer, whose first choice
 * the job is.
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
#define CLOSE_MS 50
#define PAGE 4096ull

void hp_watch_open(struct hp_watch *watch, uint64_t limit_bytes, uint64_t mirror_bytes)
{
	*watch = (struct hp_watch){ -1, limit_bytes, mirror_bytes };
	if (limit_bytes == 0)
		return;
	/* Not the job's /proc: there, a process that made itself non-dumpable is
	 * invisible to us too. This one is never attached. */
	HP_AUTO_CLOSE int context = fsopen("proc", FSOPEN_CLOEXEC);
	if (context >= 0 && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		watch->proc = fsmount(context, FSMOUNT_CLOEXEC, 0);
}

static bool read_text(int directory, const char *process, const char *name, char *text, size_t room)
{
	char path[64];
	snprintf(path, sizeof path, "%.16s/%s", process, name);
	HP_AUTO_CLOSE int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, room - 1);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static uint64_t resident_bytes(int proc, const char *process)
{
	char text[128];
	unsigned long pages;
	if (!read_text(proc, process, "statm", text, sizeof text) || sscanf(text, "%*u %lu", &pages) != 1)
		return 0; /* ended meanwhile */
	return pages * PAGE;
}

static uint64_t kilobytes_of(const char *text, const char *name)
{
	const char *line = strstr(text, name);
	return line ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

struct usage {
	uint64_t resident, anonymous, shared; /* bytes; the last two are shares, exact */
};

static void add_resident(struct usage *to, int proc, const char *process)
{
	to->resident += resident_bytes(proc, process);
}

static void add_shares(struct usage *to, int proc, const char *process)
{
	char text[2048];
	/* Non-dumpable: its shares are not ours to see, and it pays for all it maps. */
	if (!read_text(proc, process, "smaps_rollup", text, sizeof text)) {
		to->anonymous += resident_bytes(proc, process);
		return;
	}
	to->anonymous += kilobytes_of(text, "\nPss_Anon:") + kilobytes_of(text, "\nSwapPss:");
	to->shared += kilobytes_of(text, "\nPss_Shmem:");
}

static struct usage look(int proc, void (*add)(struct usage *, int, const char *))
{
	struct usage sum = { 0, 0, 0 };
	int listed = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *processes = listed < 0 ? NULL : fdopendir(listed);
	if (processes == NULL)
		return sum;
	for (struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes))
		if (isdigit((unsigned char)entry->d_name[0]))
			add(&sum, proc, entry->d_name);
	closedir(processes);
	return sum;
}

int hp_watch_look(const struct hp_watch *watch, bool *exceeded)
{
	*exceeded = false;
	if (watch->proc < 0)
		return -1;
	struct usage usage = look(watch->proc, add_resident);
	if (usage.resident <= watch->limit_bytes)
		return usage.resident > watch->limit_bytes / 2 ? CLOSE_MS : CALM_MS;
	/* Mapped files of the mirror are shared memory to the kernel, and bounded already. */
	usage = look(watch->proc, add_shares);
	*exceeded = usage.anonymous > watch->limit_bytes ||
		    usage.anonymous + usage.shared > watch->limit_bytes + watch->mirror_bytes;
	return CALM_MS;
}
