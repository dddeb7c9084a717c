/* Handles: numbers chosen by the starter for files that are open here.
 *
 * When descriptors run short, the least recently used files that are only read are
 * parked: closed, and opened again by path when they are needed, if the path still
 * leads to the same inode; ESTALE if not.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>

#define HANDLES_MAX 262144u
#define DESCRIPTORS_SPARED 128u /* for walks, listings and the rest of the process */
#define PARK_AT_ONCE 32u

int hp_handles_init(struct hp_handles *handles)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -errno;
	handles->open_limit = limit.rlim_cur > HANDLES_MAX ? HANDLES_MAX : (unsigned)limit.rlim_cur;
	if (handles->open_limit > 2 * DESCRIPTORS_SPARED)
		handles->open_limit -= DESCRIPTORS_SPARED;
	else
		handles->open_limit /= 2;
	handles->bucket_count = 4096;
	handles->buckets = calloc(handles->bucket_count, sizeof(*handles->buckets));
	return handles->buckets == NULL ? -ENOMEM : 0;
}

static struct hp_handle **slot_of(struct hp_handles *handles, uint64_t number)
{
	uint64_t hash = number * 0x9e3779b97f4a7c15ull;
	struct hp_handle **slot = &handles->buckets[(hash >> 32) % handles->bucket_count];

	while (*slot != NULL && (*slot)->number != number)
		slot = &(*slot)->chain;
	return slot;
}

static void list_remove(struct hp_handles *handles, struct hp_handle *handle)
{
	*(handle->newer ? &handle->newer->older : &handles->newest) = handle->older;
	*(handle->older ? &handle->older->newer : &handles->oldest) = handle->newer;
	handle->newer = handle->older = NULL;
}

static void list_add(struct hp_handles *handles, struct hp_handle *handle)
{
	handle->older = handles->newest;
	handle->newer = NULL;
	*(handles->newest ? &handles->newest->newer : &handles->oldest) = handle;
	handles->newest = handle;
}

static void grow(struct hp_handles *handles)
{
	unsigned count = handles->bucket_count * 4;
	struct hp_handle **old = handles->buckets, **buckets = calloc(count, sizeof(*buckets));
	unsigned old_count = handles->bucket_count;

	if (buckets == NULL)
		return; /* longer chains, that is all */
	handles->buckets = buckets;
	handles->bucket_count = count;
	for (unsigned i = 0; i < old_count; i++)
		while (old[i] != NULL) {
			struct hp_handle *handle = old[i];

			old[i] = handle->chain;
			handle->chain = NULL;
			*slot_of(handles, handle->number) = handle;
		}
	free(old);
}

static void account_gone(struct hp_handles *handles, const struct hp_handle *handle)
{
	*(handle->fd >= 0 ? &handles->open : &handles->parked) -= 1;
}

/* The last one out closes; without the lock, because a close may take long (NFS). */
static int dispose(hp_home *home, struct hp_handle *handle)
{
	int error = 0;

	if (hp_leases_any(home))
		hp_lease_forget(&home->leases, handle->number);
	hp_locks_released(handle);
	if (handle->append_fd >= 0)
		close(handle->append_fd);
	if (handle->fd >= 0)
		error = close(handle->fd) == 0 ? 0 : errno;
	free(handle->path);
	free(handle);
	return error;
}

void hp_handles_free(hp_home *home)
{
	struct hp_handles *handles = &home->handles;

	while (handles->newest != NULL) {
		struct hp_handle *handle = handles->newest;

		list_remove(handles, handle);
		dispose(home, handle);
	}
	free(handles->buckets);
}

/* The session was the last to change what `st` describes, so that is no news. */
bool hp_handles_wrote(hp_home *home, const struct stat *st)
{
	int64_t ctime_ns = st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;

	for (const struct hp_handle *handle = home->handles.newest; handle != NULL; handle = handle->older)
		if (handle->ino == st->st_ino && handle->dev == st->st_dev && handle->ctime_ns == ctime_ns)
			return true;
	return false;
}

/* To be called after each change made through the handle. */
void hp_handle_changed(hp_home *home, struct hp_handle *handle)
{
	struct stat st;

	if (fstat(handle->fd, &st) != 0)
		return;
	handle->ctime_ns = st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
	hp_undo_changed_at(home, &st);
}

static bool park_some(hp_home *home)
{
	struct hp_handles *handles = &home->handles;
	struct hp_handle *handle = handles->oldest;
	unsigned parked = 0;

	for (unsigned seen = 0; handle != NULL && seen < 8192 && parked < PARK_AT_ONCE; seen++) {
		struct stat st;

		if (handle->fd >= 0 && handle->regular && handle->users == 0 && !handle->pinned && !handle->unnamed &&
		    (handle->open_flags & O_ACCMODE) == O_RDONLY && fstat(handle->fd, &st) == 0 &&
		    st.st_nlink > hp_undo_links(home, st.st_dev, st.st_ino)) {
			close(handle->fd);
			handle->fd = -1;
			handles->open--;
			handles->parked++;
			parked++;
		}
		handle = handle->newer;
	}
	return parked != 0;
}

bool hp_handles_relieve(hp_home *home)
{
	bool some;

	pthread_mutex_lock(&home->lock);
	some = park_some(home);
	pthread_mutex_unlock(&home->lock);
	return some;
}

int hp_handle_add(hp_home *home, uint64_t number, int fd, int open_flags, const struct hp_found *found, bool unnamed)
{
	struct hp_handles *handles = &home->handles;
	struct hp_handle *handle = calloc(1, sizeof(*handle)), **slot;
	int error = 0;

	if (handle != NULL)
		handle->path = malloc(found->path.length + 1);
	if (handle == NULL || handle->path == NULL) {
		free(handle);
		close(fd);
		return ENOMEM;
	}
	memcpy(handle->path, found->path.bytes, found->path.length);
	handle->path[found->path.length] = 0;
	handle->path_len = (uint32_t)found->path.length;
	handle->number = number;
	handle->fd = fd;
	handle->append_fd = -1;
	handle->open_flags = open_flags;
	handle->share = found->share;
	handle->regular = S_ISREG(found->attr.mode);
	handle->unnamed = unnamed;
	handle->dev = found->attr.dev;
	handle->ino = found->attr.ino;
	handle->ctime_ns = found->attr.ctime_s * 1000000000 + found->attr.ctime_ns;

	pthread_mutex_lock(&home->lock);
	slot = slot_of(handles, number);
	if (*slot != NULL)
		error = EEXIST;
	else if (handles->count >= HANDLES_MAX)
		error = ENFILE;
	else if (handles->open >= handles->open_limit && !park_some(home))
		error = EMFILE;
	if (error == 0) {
		*slot = handle;
		list_add(handles, handle);
		handles->open++;
		if (++handles->count > 2 * handles->bucket_count)
			grow(handles);
	}
	pthread_mutex_unlock(&home->lock);
	if (error != 0) {
		close(fd);
		free(handle->path);
		free(handle);
	}
	return error;
}

bool hp_handle_known(hp_home *home, uint64_t number)
{
	bool known;

	pthread_mutex_lock(&home->lock);
	known = *slot_of(&home->handles, number) != NULL;
	pthread_mutex_unlock(&home->lock);
	return known;
}

static int unpark(hp_lane *lane, struct hp_handle *handle)
{
	hp_home *home = lane->home;
	struct hp_found found;
	struct hp_text path;
	char *copy;
	int error, fd = -1;

	pthread_mutex_lock(&home->lock); /* a rename may change it */
	copy = strdup(handle->path);
	pthread_mutex_unlock(&home->lock);
	if (copy == NULL)
		return ENOMEM;
	path = (struct hp_text){ copy, strlen(copy) };
	error = hp_walk(lane, path, HP_WALK_NOFOLLOW | HP_WALK_HANDLE, &found);
	if (error != 0 || found.attr.dev != handle->dev || found.attr.ino != handle->ino ||
	    found.share == HP_SHARE_HIDE)
		error = ESTALE;
	else
		fd = hp_reopen(home, found.fd, handle->open_flags);
	hp_found_release(&found);
	free(copy);
	if (error == 0 && fd < 0)
		error = -fd;
	if (error != 0)
		return error;
	pthread_mutex_lock(&home->lock);
	if (handle->fd < 0) {
		handle->fd = fd;
		fd = -1;
		home->handles.parked--;
		if (++home->handles.open > home->handles.open_limit)
			park_some(home);
	}
	pthread_mutex_unlock(&home->lock);
	if (fd >= 0)
		close(fd);
	return 0;
}

int hp_handle_get(hp_lane *lane, uint64_t number, struct hp_handle **result)
{
	hp_home *home = lane->home;
	struct hp_handle *handle;
	bool parked = false;
	int error;

	*result = NULL;
	pthread_mutex_lock(&home->lock);
	handle = *slot_of(&home->handles, number);
	if (handle != NULL) {
		handle->users++;
		parked = handle->fd < 0;
		if (handle != home->handles.newest) {
			list_remove(&home->handles, handle);
			list_add(&home->handles, handle);
		}
	}
	pthread_mutex_unlock(&home->lock);
	if (handle == NULL)
		return EBADF;
	if (parked) {
		error = unpark(lane, handle);
		if (error != 0) {
			hp_handle_put(home, handle);
			return error;
		}
	}
	*result = handle;
	return 0;
}

void hp_handle_pin(hp_home *home, struct hp_handle *handle)
{
	pthread_mutex_lock(&home->lock);
	handle->pinned = true;
	pthread_mutex_unlock(&home->lock);
}

void hp_handle_put(hp_home *home, struct hp_handle *handle)
{
	bool last;

	if (handle == NULL)
		return;
	pthread_mutex_lock(&home->lock);
	last = --handle->users == 0 && handle->closed;
	if (last)
		account_gone(&home->handles, handle);
	pthread_mutex_unlock(&home->lock);
	if (last)
		dispose(home, handle);
}

int hp_handle_forget(hp_home *home, uint64_t number, bool *had_locks)
{
	struct hp_handle *handle, **slot;
	bool last = false;

	pthread_mutex_lock(&home->lock);
	slot = slot_of(&home->handles, number);
	handle = *slot;
	if (handle != NULL) {
		*slot = handle->chain;
		home->handles.count--;
		list_remove(&home->handles, handle);
		*had_locks = handle->pinned;
		handle->closed = true;
		last = handle->users == 0;
		if (last)
			account_gone(&home->handles, handle);
	}
	pthread_mutex_unlock(&home->lock);
	return last ? dispose(home, handle) : 0;
}

static bool is_at(const struct hp_handle *handle, struct hp_text path)
{
	return handle->path_len >= path.length && memcmp(handle->path, path.bytes, path.length) == 0 &&
	       (handle->path[path.length] == 0 || handle->path[path.length] == '/');
}

/* What lies at `from` or below lies at `to` now, and with `exchange` the other way round too. */
void hp_handles_renamed(hp_home *home, struct hp_text from, struct hp_text to, bool exchange)
{
	struct hp_handle *handle;

	pthread_mutex_lock(&home->lock);
	for (handle = home->handles.newest; handle != NULL; handle = handle->older) {
		bool moved = is_at(handle, from);
		struct hp_text old = moved ? from : to, now = moved ? to : from;
		size_t rest;
		char *path;

		if (!moved && !(exchange && is_at(handle, to)))
			continue;
		rest = handle->path_len - old.length;
		path = malloc(now.length + rest + 1);
		if (path == NULL)
			continue;
		memcpy(path, now.bytes, now.length);
		memcpy(path + now.length, handle->path + old.length, rest + 1);
		free(handle->path);
		handle->path = path;
		handle->path_len = (uint32_t)(now.length + rest);
	}
	pthread_mutex_unlock(&home->lock);
}
