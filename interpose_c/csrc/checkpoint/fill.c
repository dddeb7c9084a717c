/* The filler: answers for pages that are missing, and fills all the others meanwhile, by rising address.
 *
 * A thread, since the restorer itself asks stopped tasks to do things, which may need memory that is missing. It
 * owns what it was given; nobody else reads a userfaultfd. What a process gives up (munmap, MADV_DONTNEED) the
 * kernel tells before it goes on; until that is read it refuses to fill anything (EAGAIN), so nothing comes back
 * that was given up. Whatever else is done to memory waits at the gate. Should anything go wrong, the restorer ends
 * and PID 1 ends the job: nobody reads zeros for what was there, as PID 1 and the supervisor hold the descriptors
 * too.
 */
#include "lazy.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BLOCK 65536u /* around a page that is waited for */
#define PIECE (256u << 10) /* between two looks for who waits */
#define MESSAGES 64
#define PAGE_OF(address) ((address) & ~(uint64_t)(HP_IMAGE_PAGE - 1))

static struct hp_lazy *incoming;
static bool complete;
static int bell = -1;
static pthread_t thread;

/* Zeros or wrong bytes are nothing to go on with. */
static _Noreturn void give_up(void)
{
	_exit(1);
}

/* errno of what stopped it, 0: it is all there; *done bytes are, in any case. */
static int copy(const struct hp_lazy *lazy, uint64_t at, uint64_t pages, uint64_t bytes, uint64_t *done)
{
	struct uffdio_copy ask = { .dst = at, .src = (uint64_t)(uintptr_t)lazy->content + pages, .len = bytes };
	int failed = ioctl(lazy->uffd, UFFDIO_COPY, &ask) ? errno : 0;
	*done = ask.copy > 0 ? (uint64_t)ask.copy : 0;
	return failed && ask.copy < 0 ? (int)-ask.copy : failed;
}

/* Who waits looks again: the page is there, or asks once more. */
static void wake(const struct hp_lazy *lazy, uint64_t page)
{
	struct uffdio_range range = { page, HP_IMAGE_PAGE };
	(void)ioctl(lazy->uffd, UFFDIO_WAKE, &range);
}

static void take(struct hp_lazy *lazy, uint64_t start, uint64_t end)
{
	if (!hp_missing_take(&lazy->missing, start, end))
		give_up();
}

static void forget(struct hp_lazy *lazy)
{
	hp_missing_free(&lazy->missing);
	lazy->gone = true;
}

/* Fills as much as can be from `at` on. False: not now. */
static bool fill(struct hp_lazy *lazy, uint64_t at, uint64_t pages, uint64_t bytes)
{
	uint64_t done;
	int failed = copy(lazy, at, pages, bytes, &done);
	/* nothing is filled that does not lie in one mapping: rights may have been changed in the midst of it */
	while (failed == ENOENT && done == 0 && bytes > HP_IMAGE_PAGE) {
		bytes = bytes / 2 & ~(uint64_t)(HP_IMAGE_PAGE - 1);
		failed = copy(lazy, at, pages, bytes, &done);
	}
	take(lazy, at, at + done);
	if (failed == 0 || done > 0)
		return true;
	switch (failed) {
	case EAGAIN:
		return false;
	case EEXIST: /* there already */
	case ENOENT: /* given up in a way that nobody tells of */
		take(lazy, at, at + HP_IMAGE_PAGE);
		return true;
	case ESRCH:
		forget(lazy);
		return true;
	default:
		give_up();
	}
}

/* Beyond what was there when the job was written down there are zeros. */
static void zero(const struct hp_lazy *lazy, uint64_t page)
{
	struct uffdio_zeropage ask = { .range = { page, HP_IMAGE_PAGE } };
	if (ioctl(lazy->uffd, UFFDIO_ZEROPAGE, &ask) && errno != EEXIST && errno != EAGAIN && errno != ENOENT &&
	    errno != ESRCH)
		give_up();
}

static void answer(struct hp_lazy *lazy, uint64_t address)
{
	uint64_t page = PAGE_OF(address);
	const struct hp_missing_range *range = hp_missing_find(&lazy->missing, page);
	if (page == lazy->gate)
		return;
	if (range) {
		uint64_t end = (page | (BLOCK - 1)) + 1;
		uint64_t bytes = (range->end < end ? range->end : end) - page;
		(void)fill(lazy, page, range->pages + page - range->start, bytes);
	} else {
		zero(lazy, page);
	}
	wake(lazy, page);
}

/* What was given up first: whoever waits for a page there gets an empty one. */
static void listen_to(struct hp_lazy *lazy)
{
	static struct uffd_msg said[MESSAGES];
	ssize_t got;
	while ((got = read(lazy->uffd, said, sizeof said)) > 0) {
		size_t count = (size_t)got / sizeof *said;
		for (size_t n = 0; n < count; n++)
			if (said[n].event == UFFD_EVENT_UNMAP || said[n].event == UFFD_EVENT_REMOVE)
				take(lazy, said[n].arg.remove.start, said[n].arg.remove.end);
			else if (said[n].event != UFFD_EVENT_PAGEFAULT)
				give_up(); /* moved, and not by way of the gate */
		for (size_t n = 0; n < count; n++)
			if (said[n].event == UFFD_EVENT_PAGEFAULT)
				answer(lazy, said[n].arg.pagefault.address);
	}
}

/* False: all that was missing is there. */
static bool go_on(struct hp_lazy *lazy)
{
	const struct hp_missing_range *range = lazy->gone ? NULL : hp_missing_next(&lazy->missing);
	if (range == NULL)
		return false;
	uint64_t bytes = range->end - range->start < PIECE ? range->end - range->start : PIECE;
	/* page by page the kernel would look for it twice */
	(void)madvise((void *)(lazy->content + range->pages), bytes, MADV_POPULATE_READ);
	const uint8_t *content = lazy->content + range->pages;
	(void)fill(lazy, range->start, range->pages, bytes);
	(void)madvise((void *)content, bytes, MADV_DONTNEED); /* or it would count as memory of the job's */
	return true;
}

static struct hp_lazy *receive(struct hp_lazy *all)
{
	struct hp_lazy *added = __atomic_exchange_n(&incoming, NULL, __ATOMIC_SEQ_CST);
	while (added) {
		struct hp_lazy *next = added->next;
		added->next = all;
		all = added;
		added = next;
	}
	return all;
}

static void listen_to_all(struct hp_lazy *all, bool wait)
{
	size_t count = 1;
	for (const struct hp_lazy *lazy = all; lazy; lazy = lazy->next)
		count++;
	struct pollfd watched[count];
	watched[0] = (struct pollfd){ bell, POLLIN, 0 };
	size_t n = 1;
	for (const struct hp_lazy *lazy = all; lazy; lazy = lazy->next)
		watched[n++] = (struct pollfd){ lazy->gone ? -1 : lazy->uffd, POLLIN, 0 };
	if (poll(watched, count, wait ? -1 : 0) <= 0)
		return;
	uint64_t rung;
	if (watched[0].revents)
		(void)!read(bell, &rung, sizeof rung);
	n = 1;
	for (struct hp_lazy *lazy = all; lazy; lazy = lazy->next)
		if (watched[n++].revents & POLLIN)
			listen_to(lazy);
}

static void *work(void *unused)
{
	struct hp_lazy *all = NULL;
	(void)unused;
	for (bool left = false;;) {
		bool last = __atomic_load_n(&complete, __ATOMIC_SEQ_CST);
		all = receive(all);
		left = false;
		for (struct hp_lazy *lazy = all; lazy && !left; lazy = lazy->next)
			left = go_on(lazy);
		if (!left && last)
			break;
		listen_to_all(all, !left);
	}
	for (struct hp_lazy *lazy = all; lazy; lazy = lazy->next)
		close(lazy->uffd);
	return NULL;
}

bool hp_fill_page(struct hp_lazy *lazy, uint64_t address)
{
	uint64_t page = PAGE_OF(address);
	const struct hp_missing_range *range = hp_missing_find(&lazy->missing, page);
	return range == NULL || fill(lazy, page, range->pages + page - range->start, HP_IMAGE_PAGE);
}

void hp_fill_begin(void)
{
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell >= 0 && pthread_create(&thread, NULL, work, NULL)) {
		close(bell);
		bell = -1;
	}
}

static void ring(void)
{
	const uint64_t once = 1;
	if (write(bell, &once, sizeof once) != sizeof once)
		give_up();
}

bool hp_fill_add(struct hp_lazy *lazy)
{
	if (bell < 0)
		return false;
	struct hp_lazy *before = __atomic_load_n(&incoming, __ATOMIC_SEQ_CST);
	do
		lazy->next = before;
	while (!__atomic_compare_exchange_n(&incoming, &before, lazy, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	ring();
	return true;
}

/* The last descriptors go: memory is no longer watched, whoever waits at the gate goes on. */
static void let_go(int hold)
{
	struct {
		struct cmsghdr head;
		int fd;
	} held;
	char word;
	struct iovec bytes = { &word, 1 };
	for (;;) {
		struct msghdr message = {
			.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &held, .msg_controllen = sizeof held
		};
		if (recvmsg(hold, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			return;
		if (message.msg_controllen >= CMSG_LEN(sizeof held.fd) && held.head.cmsg_type == SCM_RIGHTS)
			close(held.fd);
	}
}

void hp_fill_end(int hold)
{
	if (bell < 0)
		return;
	__atomic_store_n(&complete, true, __ATOMIC_SEQ_CST);
	ring();
	if (pthread_join(thread, NULL))
		give_up();
	let_go(hold);
}
