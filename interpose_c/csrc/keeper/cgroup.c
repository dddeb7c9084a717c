/* Control groups, where somebody handed some over to this user.
 *
 * The starter is an ordinary user by now: a group of the job's own can only be
 * made below one that belongs to it (`doctor` says how). Version 1 has a
 * hierarchy for memory and one for processes; version 2 has one for both.
 * Leaves to others: what happens where there are none (watch.c, RLIMIT_NPROC).
 */
#include "keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PREFIX "hpool-job-"
#define MADE sizeof((struct hp_cgroup *)NULL)->made[0]

/* Finds where this process is in the hierarchy of `controller` ("" is version 2),
 * as an absolute path of the machine. */
static bool own_group(const char *controller, char *path, size_t room)
{
	char line[4096], where[2048] = "", at[2048] = "", root[2048];
	FILE *groups = fopen("/proc/self/cgroup", "re");
	while (groups != NULL && fgets(line, sizeof line, groups)) {
		char *names = strchr(line, ':');
		char *place = names ? strchr(names + 1, ':') : NULL;
		if (place == NULL)
			continue;
		*place++ = '\0';
		place[strcspn(place, "\n")] = '\0';
		if (!strcmp(names + 1, controller))
			snprintf(where, sizeof where, "%.2000s", place);
	}
	if (groups != NULL)
		fclose(groups);
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	while (mounts != NULL && where[0] && fgets(line, sizeof line, mounts)) {
		char *type = strstr(line, " - ");
		if (type == NULL || sscanf(line, "%*d %*d %*s %2047s %2047s", root, at) != 2)
			continue;
		bool fits = controller[0] ? !strncmp(type, " - cgroup ", 10) : !strncmp(type, " - cgroup2 ", 11);
		if (controller[0] && fits) {
			char *options = strrchr(line, ' ') + 1;
			char *named = strstr(options, controller);
			fits = named && (named == options || named[-1] == ',') &&
			       strchr(",\n", named[strlen(controller)]);
		}
		if (fits && !strncmp(where, root, strlen(root))) {
			size_t shared = strcmp(root, "/") ? strlen(root) : 0;
			snprintf(path, room, "%.2000s%.2000s", at, where + shared);
			fclose(mounts);
			return true;
		}
	}
	if (mounts != NULL)
		fclose(mounts);
	return false;
}

/* Whether the process that a group is named after lives (it may be another
 * user's: then it answers EPERM). */
static bool alive(const char *pid)
{
	return kill((pid_t)atoi(pid), 0) == 0 || errno == EPERM;
}

static bool write_number(const char *group, const char *file, uint64_t value)
{
	char path[4200], text[24];
	snprintf(path, sizeof path, "%s/%s", group, file);
	HP_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	int length = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return fd >= 0 && write(fd, text, (size_t)length) == length;
}

/* A keeper that was killed leaves its empty group. One in use cannot be removed. */
static void remove_leftovers(const char *parent)
{
	DIR *groups = opendir(parent);
	if (groups == NULL)
		return;
	for (struct dirent *entry = readdir(groups); entry != NULL; entry = readdir(groups))
		if (!strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) && !alive(entry->d_name + sizeof PREFIX - 1))
			unlinkat(dirfd(groups), entry->d_name, AT_REMOVEDIR);
	closedir(groups);
}

/* Makes a group below `parent`; true if it is there and its procs file opens. */
static bool make_group(const char *parent, char *made, int *join)
{
	char path[4200];
	remove_leftovers(parent);
	snprintf(made, MADE, "%s/" PREFIX "%d", parent, (int)getpid());
	if (mkdir(made, 0755) && errno != EEXIST) {
		made[0] = '\0';
		return false;
	}
	snprintf(path, sizeof path, "%s/cgroup.procs", made);
	*join = open(path, O_WRONLY | O_CLOEXEC);
	return *join >= 0;
}

static void drop_group(struct hp_cgroup *cgroup, unsigned which)
{
	if (cgroup->join[which] >= 0)
		close(cgroup->join[which]);
	cgroup->join[which] = -1;
	if (cgroup->made[which][0])
		rmdir(cgroup->made[which]);
	cgroup->made[which][0] = '\0';
}

static void create_v1(struct hp_cgroup *cgroup, uint64_t memory_bytes, uint64_t max_processes)
{
	char own[4096];
	if (memory_bytes && own_group("memory", own, sizeof own) &&
	    make_group(own, cgroup->made[0], &cgroup->join[0])) {
		cgroup->memory = write_number(cgroup->made[0], "memory.limit_in_bytes", memory_bytes);
		/* Absent without swap accounting; then swap is not bounded either. */
		(void)write_number(cgroup->made[0], "memory.memsw.limit_in_bytes", memory_bytes);
	}
	if (max_processes && own_group("pids", own, sizeof own) && make_group(own, cgroup->made[1], &cgroup->join[1]))
		cgroup->processes = write_number(cgroup->made[1], "pids.max", max_processes);
	if (!cgroup->memory)
		drop_group(cgroup, 0);
	if (!cgroup->processes)
		drop_group(cgroup, 1);
}

/* A group with processes of its own gives its children no controllers: so the
 * one to look for is a sibling of ours, below the group that was handed over. */
static void create_v2(struct hp_cgroup *cgroup, uint64_t memory_bytes, uint64_t max_processes)
{
	char parent[4096];
	if (!own_group("", parent, sizeof parent))
		return;
	*strrchr(parent, '/') = '\0';
	if (make_group(parent, cgroup->made[0], &cgroup->join[0])) {
		cgroup->memory = memory_bytes && write_number(cgroup->made[0], "memory.max", memory_bytes);
		if (cgroup->memory)
			(void)write_number(cgroup->made[0], "memory.swap.max", 0);
		cgroup->processes = max_processes && write_number(cgroup->made[0], "pids.max", max_processes);
	}
	if (!cgroup->memory && !cgroup->processes)
		drop_group(cgroup, 0);
}

void hp_cgroup_create(struct hp_cgroup *cgroup, uint64_t memory_bytes, uint64_t max_processes)
{
	*cgroup = (struct hp_cgroup){ .join = { -1, -1 } };
	if (memory_bytes || max_processes)
		create_v1(cgroup, memory_bytes, max_processes);
	if ((memory_bytes || max_processes) && !cgroup->memory && !cgroup->processes)
		create_v2(cgroup, memory_bytes, max_processes);
}

int hp_cgroup_join(const struct hp_cgroup *cgroup)
{
	for (unsigned n = 0; n < 2; n++)
		if (cgroup->join[n] >= 0 && write(cgroup->join[n], "0", 1) != 1)
			return -errno;
	return 0;
}

void hp_cgroup_destroy(struct hp_cgroup *cgroup)
{
	drop_group(cgroup, 0);
	drop_group(cgroup, 1);
}
