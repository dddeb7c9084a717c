/* POSIX queues of messages: what is in them by priority, rights, settings, names, who is told, who waits. */
#include "again.h"
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static volatile sig_atomic_t told;

static void hear(int number, siginfo_t *info, void *context)
{
	(void)context;
	told = number == SIGUSR2 && info->si_code == SI_MESGQ ? info->si_value.sival_int : -1;
}

static mqd_t make(const char *name, int flags, mode_t mode, long most, long bytes)
{
	struct mq_attr about = { .mq_maxmsg = most, .mq_msgsize = bytes };
	mqd_t queue = mq_open(name, O_CREAT | O_EXCL | flags, mode, &about);
	CHECK(queue >= 0);
	return queue;
}

static void expect(mqd_t queue, const char *text, unsigned priority)
{
	char room[8192];
	unsigned found;
	ssize_t got = mq_receive(queue, room, sizeof room, &found);
	CHECK(got == (ssize_t)strlen(text) && !memcmp(room, text, (size_t)got) && found == priority);
}

static void *receive(void *queue)
{
	expect(*(mqd_t *)queue, "late", 1);
	return NULL;
}

static void *send_more(void *queue)
{
	CHECK(mq_send(*(mqd_t *)queue, "third", 5, 0) == 0);
	return NULL;
}

/* Is told by a queue that has messages already, and by one without. */
static void ask(mqd_t queue, int value)
{
	struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	how.sigev_value.sival_int = value;
	CHECK(mq_notify(queue, &how) == 0);
}

static void check_settings(mqd_t queue, long flags, long most, long bytes, long count)
{
	struct mq_attr about;
	CHECK(mq_getattr(queue, &about) == 0 && about.mq_flags == flags && about.mq_maxmsg == most);
	CHECK(about.mq_msgsize == bytes && about.mq_curmsgs == count);
}

static mode_t rights(mqd_t queue)
{
	struct stat found;
	CHECK(fstat(queue, &found) == 0);
	return found.st_mode & 07777;
}

static void in_child(mqd_t queue)
{
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	CHECK(mq_notify(queue, &silent) == 0);
	pause();
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = hear, .sa_flags = SA_SIGINFO };
	pthread_t receiver, sender;
	struct timespec now = { 0, 0 };
	char room[8192];
	CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
	mqd_t many = make("/many", O_RDWR, 0640, 7, 100), empty = make("/empty", O_RDWR | O_NONBLOCK, 0600, 10, 8192);
	mqd_t gone = make("/again", O_RDWR, 0600, 3, 20), write_only = mq_open("/many", O_WRONLY);
	CHECK(mq_send(gone, "nameless", 8, 5) == 0 && mq_unlink("/again") == 0);
	mqd_t again = make("/again", O_RDONLY, 0000, 1, 1), awaited = make("/awaited", O_RDWR, 0600, 2, 50);
	mqd_t full = make("/full", O_RDWR, 0600, 2, 50), others = make("/others", O_RDWR, 0600, 2, 50);
	mqd_t closed = make("/closed", O_RDWR, 0600, 2, 50);
	CHECK(mq_send(closed, "kept", 4, 9) == 0 && mq_close(closed) == 0);
	CHECK(mq_send(many, "low 1", 5, 1) == 0 && mq_send(many, "high", 4, 32767) == 0);
	CHECK(mq_send(many, "low 2", 5, 1) == 0 && mq_send(many, "", 0, 30) == 0 && mq_send(many, "low 3", 5, 0) == 0);
	CHECK(mq_send(full, "first", 5, 0) == 0 && mq_send(full, "second", 6, 0) == 0);
	ask(empty, 4711);
	ask(many, 4712);
	CHECK(pthread_create(&receiver, NULL, receive, &awaited) == 0);
	CHECK(pthread_create(&sender, NULL, send_more, &full) == 0);
	pid_t child = fork();
	if (child == 0)
		in_child(others);
	linger();
	CHECK(told == 0);
	check_settings(many, 0, 7, 100, 5);
	check_settings(empty, O_NONBLOCK, 10, 8192, 0);
	check_settings(gone, 0, 3, 20, 1);
	check_settings(again, 0, 1, 1, 0);
	CHECK(rights(many) == 0640 && rights(again) == 0 && rights(empty) == 0600);
	CHECK(mq_receive(empty, room, sizeof room, NULL) < 0 && errno == EAGAIN);
	CHECK(mq_receive(write_only, room, sizeof room, NULL) < 0 && errno == EBADF);
	CHECK(mq_send(many, "x", 1, 0) == 0 && told == 0);
	expect(many, "high", 32767);
	expect(many, "", 30);
	expect(many, "low 1", 1);
	expect(many, "low 2", 1);
	expect(many, "low 3", 0);
	expect(many, "x", 0);
	CHECK(mq_send(write_only, "y", 1, 0) == 0 && told == 4712);
	CHECK(mq_send(empty, "z", 1, 0) == 0 && told == 4711);
	expect(gone, "nameless", 5);
	CHECK(mq_send(gone, "still", 5, 0) == 0);
	closed = mq_open("/closed", O_RDWR);
	expect(closed, "kept", 9);
	CHECK(mq_send(awaited, "late", 4, 1) == 0 && pthread_join(receiver, NULL) == 0);
	expect(full, "first", 0);
	CHECK(pthread_join(sender, NULL) == 0);
	expect(full, "second", 0);
	expect(full, "third", 0);
	CHECK(mq_notify(others, &(struct sigevent){ .sigev_notify = SIGEV_NONE }) < 0 && errno == EBUSY);
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	CHECK(mq_notify(others, &(struct sigevent){ .sigev_notify = SIGEV_NONE }) == 0);
	CHECK(mq_timedreceive(others, room, sizeof room, NULL, &now) < 0 && errno == ETIMEDOUT);
	CHECK(mq_unlink("/many") == 0 && mq_unlink("/awaited") == 0 && mq_open("/gone", O_RDWR) < 0);
	return done();
}
