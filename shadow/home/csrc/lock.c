/* Locks, each owner's on an open file description of its own. Nothing waits here. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

#define OWNERS_MAX 4096u

static struct hp_owner **owner_slot(struct hp_handle *handle, uint64_t owner)
{
	struct hp_owner **slot = &handle->owners;

	while (*slot != NULL && (*slot)->owner != owner)
		slot = &(*slot)->next;
	return slot;
}

/* The first owner uses the handle's own description, others get one from opening it again. */
static int owner_get(hp_lane *lane, struct hp_handle *handle, uint64_t number, struct hp_owner **result)
{
	struct hp_owner *owner = *owner_slot(handle, number);
	bool own_taken = false;
	unsigned count = 0;

	*result = owner;
	if (owner != NULL)
		return 0;
	for (struct hp_owner *other = handle->owners; other != NULL; other = other->next, count++)
		own_taken |= other->fd < 0;
	if (count >= OWNERS_MAX)
		return ENOLCK;
	owner = calloc(1, sizeof(*owner));
	if (owner == NULL)
		return ENOLCK;
	owner->owner = number;
	owner->fd = -1;
	if (own_taken) {
		owner->fd = hp_reopen(lane->home, handle->fd, handle->open_flags & (O_ACCMODE | O_DIRECTORY));
		if (owner->fd < 0) {
			free(owner);
			return ENOLCK;
		}
	}
	owner->next = handle->owners;
	handle->owners = owner;
	*result = owner;
	return 0;
}

static void owner_put(struct hp_handle *handle, struct hp_owner *owner)
{
	if (owner->flocked || owner->ranged)
		return;
	*owner_slot(handle, owner->owner) = owner->next;
	if (owner->fd >= 0)
		close(owner->fd);
	free(owner);
}

void hp_locks_released(struct hp_handle *handle)
{
	while (handle->owners != NULL) {
		handle->owners->flocked = handle->owners->ranged = false;
		owner_put(handle, handle->owners);
	}
}

static int whole_flock(struct hp_owner *owner, int fd, uint32_t operation)
{
	uint32_t kind = operation & ~(uint32_t)LOCK_NB;

	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return EINVAL;
	if (flock(fd, (int)kind | LOCK_NB) != 0) {
		/* A conversion gives the old lock up first: flock(2). */
		if (errno == EWOULDBLOCK)
			owner->flocked = false;
		return errno;
	}
	owner->flocked = kind != LOCK_UN;
	return 0;
}

static int range_lock(struct hp_owner *owner, int fd, const struct hpw_request *head, struct flock *lock)
{
	int command = head->arg == F_OFD_GETLK ? F_OFD_GETLK : F_OFD_SETLK;

	if ((head->arg != F_OFD_GETLK && head->arg != F_OFD_SETLK && head->arg != F_OFD_SETLKW) ||
	    head->mode > F_UNLCK || head->offset > INT64_MAX || head->length > INT64_MAX)
		return EINVAL;
	*lock = (struct flock){ .l_type = (short)head->mode,
				.l_whence = SEEK_SET,
				.l_start = (off_t)head->offset,
				.l_len = (off_t)head->length };
	if (fcntl(fd, command, lock) != 0)
		return errno == EACCES ? EAGAIN : errno;
	if (command == F_OFD_SETLK) {
		if (head->mode != F_UNLCK)
			owner->ranged = true;
		else if (head->offset == 0 && head->length == 0)
			owner->ranged = false;
	}
	return 0;
}

bool hp_op_lock(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	bool is_flock = head->op == HPW_FLOCK, waits, asks, releases;
	uint64_t number = is_flock ? head->offset : 0;
	struct hp_handle *handle;
	struct hp_owner *owner = NULL;
	struct flock lock;
	uint8_t *data;
	int error = hp_handle_get(lane, head->handle, &handle);

	if (!is_flock && call->first.length == sizeof(number))
		memcpy(&number, call->first.bytes, sizeof(number));
	waits = is_flock ? !(head->arg & LOCK_NB) : head->arg == F_OFD_SETLKW;
	releases = is_flock ? (head->arg & LOCK_UN) : head->mode == F_UNLCK;
	asks = !is_flock && head->arg == F_OFD_GETLK;
	if (error == 0) {
		hp_handle_pin(lane->home, handle);
		pthread_mutex_lock(&lane->home->lock_owners);
		error = owner_get(lane, handle, number, &owner);
		if (error == 0) {
			int fd = owner->fd >= 0 ? owner->fd : handle->fd;

			error = is_flock ? whole_flock(owner, fd, head->arg) : range_lock(owner, fd, head, &lock);
			owner_put(handle, owner);
		}
		pthread_mutex_unlock(&lane->home->lock_owners);
	}
	hp_handle_put(lane->home, handle);
	lane->unlocked |= error == 0 && releases && !asks;
	if (error == EAGAIN && waits)
		return false;
	if (error == 0 && !asks && !releases)
		hp_tell_changes_first(lane, NULL, NULL);
	if (error == 0 && asks) {
		data = hp_reply_data(lane, sizeof(lock));
		if (data != NULL)
			memcpy(data, &lock, sizeof(lock));
		hp_reply_data_end(lane, head, 0, sizeof(lock));
	} else {
		hp_reply_error(lane, head, error);
	}
	return true;
}
