/* The session's birth and death, and its lanes'. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

static int check_kernel(const hp_home *home)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, home->root_fd, ".", &how, sizeof(how));

	if (fd < 0)
		return -errno;
	close(fd);
	return hp_user_may(home->root_fd, "", F_OK) ? 0 : -errno;
}

static int open_session(hp_home *home, const struct hp_home_policy *policy, const char **stage)
{
	int error;

	*stage = "the root directory";
	home->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home->root_fd < 0)
		return -errno;
	*stage = "/proc/self/fd, which is needed to open files safely";
	home->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home->proc_fd < 0)
		return -errno;
	*stage = "an event descriptor";
	error = hp_leases_init(&home->leases);
	if (error != 0)
		return error;
	*stage = "openat2 and faccessat2 (Linux 5.8)";
	error = check_kernel(home);
	if (error != 0)
		return error;
	*stage = "the sharing rules";
	error = hp_policy_init(&home->policy, policy);
	if (error != 0)
		return error;
	*stage = "the user's groups and limits";
	error = hp_user_init(&home->user);
	if (error == 0)
		error = hp_handles_init(&home->handles);
	if (error == 0)
		error = hp_replay_init(&home->replay);
	return error;
}

hp_home *hp_home_create(const struct hp_home_policy *policy, char *error, size_t room)
{
	hp_home *home = calloc(1, sizeof(*home));
	const char *stage = "memory";
	int failed = -ENOMEM;

	if (home != NULL) {
		home->root_fd = home->proc_fd = -1;
		pthread_mutex_init(&home->lock, NULL);
		pthread_mutex_init(&home->lock_owners, NULL);
		hp_watch_init(&home->watch);
		home->leases.bell = -1;
		home->generation = 1;
		failed = open_session(home, policy, &stage);
	}
	if (failed != 0) {
		snprintf(error, room, "%s: %s", stage, strerror(-failed));
		if (home != NULL)
			hp_home_destroy(home);
		return NULL;
	}
	umask(0); /* the job's comes with each request */
	hp_policy_refresh(&home->policy);
	return home;
}

void hp_home_destroy(hp_home *home)
{
	if (home->handles.buckets != NULL)
		hp_handles_free(home);
	if (home->leases.bell >= 0)
		hp_leases_free(&home->leases);
	if (home->replay.buckets != NULL)
		hp_replay_free(&home->replay);
	hp_undo_free(home);
	hp_watch_free(&home->watch);
	hp_refusals_free(&home->refusals);
	hp_policy_free(&home->policy);
	hp_user_free(&home->user);
	if (home->proc_fd >= 0)
		close(home->proc_fd);
	if (home->root_fd >= 0)
		close(home->root_fd);
	pthread_mutex_destroy(&home->lock);
	pthread_mutex_destroy(&home->lock_owners);
	free(home);
}

hp_lane *hp_lane_create(hp_home *home)
{
	hp_lane *lane = calloc(1, sizeof(*lane));

	if (lane == NULL)
		return NULL;
	lane->home = home;
	lane->inline_limit = SIZE_MAX;
	lane->list.fd = -1;
	if (hp_walk_init(&lane->walk) != 0 || hp_walk_init(&lane->other) != 0) {
		hp_lane_destroy(lane);
		return NULL;
	}
	return lane;
}

void hp_lane_destroy(hp_lane *lane)
{
	hp_walk_free(&lane->walk);
	hp_walk_free(&lane->other);
	if (lane->list.fd >= 0)
		close(lane->list.fd);
	free(lane->list.path);
	free(lane->list.dirents);
	free(lane->reply.bytes);
	free(lane);
}

/* Reading for a job is not reading by the user: access times stay, where they are his. */
int hp_reopen(hp_home *home, int fd, int flags)
{
	int quiet = O_NOATIME, patient = O_NONBLOCK;
	char number[16];
	struct stat st;

	if (hp_leases_any(home) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		int again = hp_lease_again(home, st.st_dev, st.st_ino, flags);

		if (again >= 0)
			return again;
	}
	snprintf(number, sizeof(number), "%d", fd);
	for (;;) {
		int opened;

		if (patient == 0)
			hp_lease_blocked(home, true);
		opened = openat(home->proc_fd, number, flags | quiet | patient | O_CLOEXEC | O_NOCTTY);
		if (patient == 0)
			hp_lease_blocked(home, false);
		if (opened >= 0)
			return opened;
		if (errno == EWOULDBLOCK && patient != 0) {
			patient = 0; /* somebody else has a lease: as any program we wait for its end */
			continue;
		}
		if (errno == EPERM && quiet != 0) {
			quiet = 0;
			continue;
		}
		if (errno == EINTR || ((errno == EMFILE || errno == ENFILE) && hp_handles_relieve(home)))
			continue;
		return -errno;
	}
}

/* A procfs, wherever it is mounted, would show this process itself: its environment,
 * its memory. An autofs wants to be told that somebody is coming. The answer for a
 * device number is remembered, in one word: (dev, answer). */
/* Owners, modes, times in ns, O_TMPFILE and case as Linux has them. */
static bool is_sure(long type)
{
	return type == EXT4_SUPER_MAGIC || type == XFS_SUPER_MAGIC || type == BTRFS_SUPER_MAGIC ||
	       type == TMPFS_MAGIC || type == F2FS_SUPER_MAGIC;
}

enum hp_device hp_home_device(hp_home *home, int fd, const char *name, uint64_t dev)
{
	_Atomic uint64_t *known = &home->devices[dev * 31 % HP_DEVICES];
	uint64_t answer = *known;
	enum hp_device device = HP_DEVICE_PLAIN;
	struct statfs fs;
	int opened = fd;

	if (answer >> 2 == dev)
		return (enum hp_device)(answer & 3);
	if (name[0] != 0)
		opened = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (opened < 0)
		return HP_DEVICE_PROC; /* it is gone, most likely; in doubt it is not shown */
	if (fstatfs(opened, &fs) != 0 || fs.f_type == PROC_SUPER_MAGIC)
		device = HP_DEVICE_PROC;
	else if (fs.f_type == AUTOFS_SUPER_MAGIC)
		device = HP_DEVICE_AUTOFS;
	else if (is_sure(fs.f_type))
		device = HP_DEVICE_SURE;
	if (opened != fd)
		close(opened);
	*known = dev << 2 | device;
	return device;
}

int hp_lane_open(hp_lane *lane, const char *path, struct hpw_attr *attr)
{
	struct hp_found found;
	int fd = -1, error;

	hp_walk_reset(lane);
	error = hp_walk(lane, (struct hp_text){ path, strlen(path) }, HP_WALK_HANDLE, &found);
	if (error == 0)
		error = hp_may_read(lane, found.fd, found.path, found.share);
	if (error == 0 && !S_ISREG(found.attr.mode))
		error = S_ISDIR(found.attr.mode) ? EISDIR : ENXIO;
	if (error == 0) {
		fd = hp_reopen(lane->home, found.fd, O_RDONLY);
		error = fd < 0 ? -fd : hp_attr_read(lane->home, fd, "", attr);
	}
	hp_found_release(&found);
	hp_walk_reset(lane);
	if (error != 0 && fd >= 0)
		close(fd);
	return error != 0 ? -error : fd;
}

void hp_home_stats(hp_home *home, struct hp_home_stats *stats)
{
	pthread_mutex_lock(&home->lock);
	*stats = (struct hp_home_stats){
		.requests = home->requests,
		.replayed = home->replayed,
		.refused = home->refused,
		.handles = home->handles.count,
		.parked = home->handles.parked,
	};
	pthread_mutex_unlock(&home->lock);
}
