/* Leases of the kernel (fcntl(2), F_SETLEASE) on files that only this session has open: as long as
 * one holds, the starter need not ask before it gives a lock of the file to the job.
 *
 * A write lease is given only if no other open file description of the inode exists, and whoever
 * opens or truncates the file from then on is kept waiting by the kernel until the lease has been
 * given back: so nobody else can hold a lock of it, have read it, or have written to it. The starter
 * hears of it (HPW_RECALL), sends home what the job wrote, takes here what the job holds, and gives
 * the lease back. Does it not answer in time, all of the file is locked for the job here, and then
 * the lease goes: others may open the file, and find it locked.
 *
 * Owns: the leases, the thread that hears of their end, opening what is leased once more. Leaves to
 * others: locks (lock.c), when a lease is worth it (the starter).
 */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#define BROKEN (SIGRTMIN + 5)
#define ANSWER_MS 15000
#define BREAK_TIME "/proc/sys/fs/lease-break-time" /* seconds after which the kernel waits no longer, 0: it does */
#define LOOK_S 1 /* for signals that were lost: the queue has a bound */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Well before the kernel does so: it takes no notice of what the job has locked. */
static int64_t longest_answer_ms(void)
{
	char text[16] = "";
	int fd = open(BREAK_TIME, O_RDONLY | O_CLOEXEC);
	int64_t third_ms = 0;

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		third_ms = atoll(text) * 1000 / 3;
	if (fd >= 0)
		close(fd);
	return third_ms > 0 && third_ms < ANSWER_MS ? third_ms : ANSWER_MS;
}

int hp_leases_init(struct hp_leases *leases)
{
	leases->answer_ms = longest_answer_ms();
	pthread_mutex_init(&leases->lock, NULL);
	pthread_cond_init(&leases->started, NULL);
	leases->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return leases->bell < 0 ? -errno : 0;
}

/* Nobody else has it open, so this cannot fail for a conflict. */
static void lock_all_of_it(struct hp_lease *lease)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	fcntl(lease->fd, F_OFD_SETLK, &all);
	flock(lease->fd, LOCK_EX | LOCK_NB);
	fcntl(lease->fd, F_SETLEASE, F_UNLCK);
	lease->fenced = true;
}

static void look(struct hp_leases *leases)
{
	uint64_t one = 1;
	int64_t now = now_ms();

	pthread_mutex_lock(&leases->lock);
	for (unsigned i = 0; i < leases->count; i++) {
		struct hp_lease *lease = &leases->held[i];

		if (lease->fenced)
			continue;
		if (!lease->broken_ms && fcntl(lease->fd, F_GETLEASE) != F_WRLCK) {
			lease->broken_ms = now;
			leases->untold = true;
			if (write(leases->bell, &one, sizeof(one)) < 0)
				continue; /* it rings already */
		}
		if (lease->broken_ms && (leases->blocked || now - lease->broken_ms > leases->answer_ms))
			lock_all_of_it(lease);
	}
	pthread_mutex_unlock(&leases->lock);
}

static void *listener(void *argument)
{
	struct hp_leases *leases = argument;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, BROKEN);
	sigaddset(&signals, SIGIO); /* in place of BROKEN when the queue is full */
	pthread_mutex_lock(&leases->lock);
	leases->tid = (int)syscall(SYS_gettid);
	pthread_cond_signal(&leases->started);
	while (!leases->stopping) {
		pthread_mutex_unlock(&leases->lock);
		sigtimedwait(&signals, NULL, &(struct timespec){ .tv_sec = LOOK_S });
		look(leases);
		pthread_mutex_lock(&leases->lock);
	}
	pthread_mutex_unlock(&leases->lock);
	return NULL;
}

/* Lock held. */
static bool start(struct hp_leases *leases)
{
	sigset_t all, before;

	if (leases->tid)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&leases->thread, NULL, listener, leases) == 0)
		while (!leases->tid)
			pthread_cond_wait(&leases->started, &leases->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return leases->tid != 0;
}

void hp_leases_free(struct hp_leases *leases)
{
	pthread_mutex_lock(&leases->lock);
	leases->stopping = true;
	if (leases->tid)
		pthread_kill(leases->thread, BROKEN);
	pthread_mutex_unlock(&leases->lock);
	if (leases->tid)
		pthread_join(leases->thread, NULL);
	if (leases->bell >= 0)
		close(leases->bell);
	pthread_cond_destroy(&leases->started);
	pthread_mutex_destroy(&leases->lock);
}

/* Lock held. */
static struct hp_lease *find(struct hp_leases *leases, uint64_t number)
{
	for (unsigned i = 0; i < leases->count; i++)
		if (leases->held[i].number == number)
			return &leases->held[i];
	return NULL;
}

static void end(struct hp_leases *leases, struct hp_lease *lease)
{
	if (!lease->fenced)
		fcntl(lease->fd, F_SETLEASE, F_UNLCK);
	*lease = leases->held[--leases->count];
}

void hp_lease_forget(struct hp_leases *leases, uint64_t number)
{
	struct hp_lease *lease;

	pthread_mutex_lock(&leases->lock);
	lease = find(leases, number);
	if (lease != NULL)
		end(leases, lease);
	pthread_mutex_unlock(&leases->lock);
}

static int take(struct hp_leases *leases, struct hp_handle *handle)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID };
	int error = 0;

	pthread_mutex_lock(&leases->lock);
	if (find(leases, handle->number) != NULL || leases->count == HP_LEASES || !start(leases)) {
		error = EAGAIN;
	} else {
		owner.pid = leases->tid;
		if (fcntl(handle->fd, F_SETSIG, BROKEN) != 0 || fcntl(handle->fd, F_SETOWN_EX, &owner) != 0 ||
		    fcntl(handle->fd, F_SETLEASE, F_WRLCK) != 0)
			error = errno;
		else
			leases->held[leases->count++] = (struct hp_lease){
				.number = handle->number, .fd = handle->fd, .dev = handle->dev, .ino = handle->ino
			};
	}
	pthread_mutex_unlock(&leases->lock);
	return error;
}

void hp_op_lease(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	struct hp_handle *handle;
	int error = hp_handle_get(lane, head->handle, &handle);

	if (error == 0 && head->arg == 0) {
		hp_lease_forget(&lane->home->leases, head->handle);
		lane->unlocked = true; /* others of ours may open it, and lock */
	} else if (error == 0) {
		if (!handle->regular || handle->share != HP_SHARE_RW || handle->append_fd >= 0 ||
		    (handle->open_flags & O_ACCMODE) != O_RDWR ||
		    hp_home_device(lane->home, handle->fd, "", handle->dev) != HP_DEVICE_SURE)
			error = EINVAL; /* of others' disks this kernel does not know who opens what */
		if (error == 0) {
			hp_handle_pin(lane->home, handle);
			error = take(&lane->home->leases, handle);
		}
		if (error == 0)
			hp_tell_changes_first(lane, NULL, NULL); /* what was done until now under any lock of it */
	}
	hp_handle_put(lane->home, handle);
	hp_reply_error(lane, head, error);
}

/* To open it once more would break our own lease, and wait for ourselves. */
int hp_lease_again(hp_home *home, uint64_t dev, uint64_t ino, int flags)
{
	struct hp_leases *leases = &home->leases;
	int fd = -1;

	pthread_mutex_lock(&leases->lock);
	for (unsigned i = 0; i < leases->count && fd < 0; i++) {
		struct hp_lease *lease = &leases->held[i];

		if (lease->dev != dev || lease->ino != ino || lease->fenced)
			continue;
		if (flags & O_APPEND) /* has to be a description of its own */
			lock_all_of_it(lease);
		else
			fd = fcntl(lease->fd, F_DUPFD_CLOEXEC, 0);
		if (flags & O_APPEND) {
			uint64_t one = 1;

			lease->broken_ms = now_ms();
			leases->untold = true;
			if (write(leases->bell, &one, sizeof(one)) < 0)
				break;
		}
	}
	pthread_mutex_unlock(&leases->lock);
	if (fd >= 0 && flags & O_TRUNC && ftruncate(fd, 0) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool hp_leases_any(hp_home *home)
{
	return __atomic_load_n(&home->leases.count, __ATOMIC_RELAXED) != 0;
}

void hp_lease_blocked(hp_home *home, bool blocked)
{
	struct hp_leases *leases = &home->leases;

	pthread_mutex_lock(&leases->lock);
	leases->blocked += blocked ? 1 : -1;
	if (blocked && leases->tid)
		pthread_kill(leases->thread, BROKEN);
	pthread_mutex_unlock(&leases->lock);
}

long hp_leases_tell(hp_home *home, uint8_t *buffer, size_t room)
{
	struct hp_leases *leases = &home->leases;
	size_t used = 0;
	uint64_t rung;

	pthread_mutex_lock(&leases->lock);
	if (leases->untold && read(leases->bell, &rung, sizeof(rung)) >= 0)
		leases->untold = false;
	for (unsigned i = 0; i < leases->count; i++) {
		struct hp_lease *lease = &leases->held[i];
		struct hpw_reply reply = { .size = sizeof(reply) + 8, .op = HPW_RECALL, .count = 8 };

		if (!lease->broken_ms || lease->told)
			continue;
		if (used + reply.size > room) {
			leases->untold = true;
			break;
		}
		memcpy(buffer + used, &reply, sizeof(reply));
		memcpy(buffer + used + sizeof(reply), &lease->number, 8);
		used += reply.size;
		lease->told = true;
	}
	pthread_mutex_unlock(&leases->lock);
	return (long)used;
}

int hp_leases_poll(hp_home *home)
{
	struct epoll_event event = { .events = EPOLLIN };
	int poll = epoll_create1(EPOLL_CLOEXEC);

	if (poll < 0)
		return -errno;
	if (epoll_ctl(poll, EPOLL_CTL_ADD, home->watch.fd, &event) != 0 ||
	    epoll_ctl(poll, EPOLL_CTL_ADD, home->leases.bell, &event) != 0) {
		close(poll);
		return -errno;
	}
	return poll;
}
